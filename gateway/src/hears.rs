//! What a client hears of a call while it runs: progress and log messages, as it asked for them.

use dormouse_contract::task::Notification;

use crate::answer::splice;
use crate::level::Level;

/// What a client asked to hear about a call.
#[derive(Debug, Clone, Default)]
pub struct Hears {
    /// Its progress token as JSON text; without one it hears no progress.
    pub progress_token: Option<Box<str>>,
    /// The least severe log message it wants; `None`: none at all.
    pub log_level: Option<Level>,
}

impl Hears {
    /// A function's `{method, params}` as a message to the client; `None` when the client did
    /// not ask for it, or it is neither progress nor a log message.
    #[must_use]
    pub fn notice(&self, notification: &[u8]) -> Option<String> {
        let notification: Notification<'_> = serde_json::from_slice(notification).ok()?;
        let params = notification.params.get();
        let rest = params.strip_prefix('{')?;
        let mut text = String::with_capacity(params.len() + 96);
        text.push_str(r#"{"jsonrpc":"2.0","method":""#);
        match notification.method.as_ref() {
            method @ "notifications/progress" => {
                let token = self.progress_token.as_deref()?;
                text.push_str(method);
                text.push_str(r#"","params":"#);
                splice(&mut text, &format!(r#""progressToken":{token}"#), rest);
            }
            method @ "notifications/message" => {
                let wanted = self.log_level?;
                if log_level_of(params)? < wanted {
                    return None;
                }
                text.push_str(method);
                text.push_str(r#"","params":"#);
                text.push_str(params);
            }
            _ => return None,
        }
        text.push('}');
        Some(text)
    }
}

fn log_level_of(params: &str) -> Option<Level> {
    #[derive(serde::Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        level: std::borrow::Cow<'a, str>,
    }
    let message: Message<'_> = serde_json::from_str(params).ok()?;
    Level::parse(&message.level).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn progress_gets_the_clients_token_verbatim() {
        let hears = Hears {
            progress_token: Some("7.0".into()),
            log_level: None,
        };
        assert_eq!(
            hears
                .notice(br#"{"method":"notifications/progress","params":{"progress":1.50}}"#)
                .unwrap(),
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7.0,"progress":1.50}}"#
        );
        assert_eq!(
            Hears::default().notice(br#"{"method":"notifications/progress","params":{}}"#),
            None
        );
    }

    #[test]
    fn logs_pass_from_the_wanted_level_on() {
        let hears = Hears {
            progress_token: None,
            log_level: Some(Level::Warning),
        };
        let log = |level: &str| {
            let message =
                json!({"method":"notifications/message","params":{"level":level,"data":1}});
            hears.notice(message.to_string().as_bytes())
        };
        assert!(log("info").is_none());
        assert!(log("error").is_some());
        assert!(log("loud").is_none());
        assert!(hears.notice(br#"{"method":"ping","params":{}}"#).is_none());
    }
}
