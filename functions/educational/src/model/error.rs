//! What can go wrong between us and the model, in words that tell what to do next.

use std::fmt;
use std::time::Duration;

/// Why there is no answer from the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The client could not be built; TLS roots, mostly.
    #[error(
        "the HTTP client could not be set up: {0}. Check the system's CA certificates (SSL_CERT_FILE)"
    )]
    Setup(String),
    /// No connection.
    #[error(
        "the model's endpoint {url} cannot be reached: {reason}. Check OPENAI_BASE_URL and that the server runs"
    )]
    Unreachable { url: String, reason: String },
    /// 401 or 403.
    #[error(
        "the endpoint refused the credentials (HTTP {status}){detail}. Check OPENAI_API_KEY and that it may use the model `{model}`"
    )]
    Unauthorized {
        status: u16,
        model: String,
        detail: Detail,
    },
    /// 404: a wrong model or a wrong path.
    #[error(
        "the endpoint {url} has no model `{model}`, or does not serve this path (HTTP 404){detail}. Check OPENAI_MODEL, and that OPENAI_BASE_URL ends where `/chat/completions` follows, usually in `/v1`"
    )]
    NotFound {
        url: String,
        model: String,
        detail: Detail,
    },
    /// 429 with a limit that passes.
    #[error("the endpoint is limiting requests (HTTP 429){detail}")]
    Limited { after: After, detail: Detail },
    /// 429 or 402 because the account is empty.
    #[error("the endpoint's account has no quota left{0}: raise its limit or use another key")]
    Quota(Detail),
    /// Any other 4xx.
    #[error("the endpoint refused the request (HTTP {status}){detail}")]
    Refused { status: u16, detail: Detail },
    /// 3xx.
    #[error(
        "the endpoint redirects (HTTP {status}) to {to}: set OPENAI_BASE_URL to where it leads"
    )]
    Redirected { status: u16, to: String },
    /// 5xx.
    #[error("the endpoint failed (HTTP {status}){detail}")]
    Broken {
        status: u16,
        after: After,
        detail: Detail,
    },
    /// Nothing arrived for this long.
    #[error(
        "the endpoint sent nothing for {}. A slow model needs a longer OPENAI_TIMEOUT",
        dormouse_contract::duration::format(*.0)
    )]
    Silent(Duration),
    /// The answer broke off.
    #[error("the answer broke off after {received} characters: {reason}")]
    Cut { received: usize, reason: String },
    /// An error that the endpoint reported within its stream.
    #[error("the endpoint reported an error while it was answering{0}")]
    Reported(Detail),
    /// 200, but not what the protocol says.
    #[error(
        "the endpoint's answer is no chat completion: {0}. Check that OPENAI_BASE_URL names an OpenAI-compatible API"
    )]
    Rubbish(String),
    /// The model declined.
    #[error("the model declined to answer{0}")]
    Declined(Detail),
    /// More than anybody asked for.
    #[error("the answer grew beyond {} KiB and was cut off", .0 / 1024)]
    TooLong(usize),
    /// Complete, and empty.
    #[error("the model answered with no text")]
    Silence,
}

/// Whether calling again makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retry {
    /// The same call may succeed now.
    Now,
    /// The same call may succeed later.
    Later(After),
    /// The same call fails until something is changed.
    Pointless,
}

/// What `Retry-After` said: seconds, or a date to the letter (RFC 9110, section 10.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// This many seconds.
    Seconds(u64),
    /// At this date.
    Date(String),
    /// It said nothing of use.
    Unsaid,
}

/// The endpoint's own words, or none; bounded, on one line, without our key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detail(Option<String>);

impl Error {
    /// Whether calling again makes sense. It is always safe: a chat completion changes nothing,
    /// though it may be billed again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } => Retry::Later(After::Unsaid),
            Self::Limited { after, .. } | Self::Broken { after, .. } => Retry::Later(after.clone()),
            Self::Silent(_) | Self::Cut { .. } | Self::Reported(_) | Self::Silence => Retry::Now,
            Self::Setup(_)
            | Self::Unauthorized { .. }
            | Self::NotFound { .. }
            | Self::Quota(_)
            | Self::Refused { .. }
            | Self::Redirected { .. }
            | Self::Rubbish(_)
            | Self::Declined(_)
            | Self::TooLong(_) => Retry::Pointless,
        }
    }

    /// The whole text for the caller: what happened, and whether to call again.
    #[must_use]
    pub fn in_words(&self) -> String {
        let advice = match self.retry() {
            Retry::Now => {
                "Calling again is safe: nothing was changed, though it may be billed again."
                    .to_owned()
            }
            Retry::Later(After::Unsaid) => {
                "Calling again a little later is safe: nothing was changed.".to_owned()
            }
            Retry::Later(after) => {
                format!("Calling again {after} is safe: nothing was changed.")
            }
            Retry::Pointless => {
                "Calling again without a change is safe, but will fail in the same way.".to_owned()
            }
        };
        let text = self.to_string();
        format!("{}. {advice}", text.trim_end_matches('.'))
    }
}

impl After {
    /// Reads a `Retry-After` header.
    #[must_use]
    pub fn read(header: Option<&str>) -> Self {
        match header.map(str::trim) {
            None | Some("") => Self::Unsaid,
            Some(value) => match value.parse() {
                Ok(seconds) => Self::Seconds(seconds),
                Err(_) => Self::Date(value.chars().take(40).collect()),
            },
        }
    }
}

impl fmt::Display for After {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(out, "after {seconds} s"),
            Self::Date(date) => write!(out, "after {date}"),
            Self::Unsaid => out.write_str("later"),
        }
    }
}

impl Detail {
    /// At most this many characters of what the endpoint says are passed on.
    const LONGEST: usize = 300;

    /// Takes the endpoint's words; some echo the key that they were given.
    #[must_use]
    pub fn new(words: &str, key: Option<&str>) -> Self {
        let words = match key {
            Some(key) => words.replace(key, "[key]"),
            None => words.to_owned(),
        };
        let line: Vec<&str> = words.split_whitespace().collect();
        let short: String = line.join(" ").chars().take(Self::LONGEST).collect();
        let short = short.trim_end_matches('.');
        Self((!short.is_empty()).then(|| short.to_owned()))
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(words) => write!(out, ": {words}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_whether_to_call_again() {
        let limited = |after| Error::Limited {
            after: After::read(after),
            detail: Detail::new("Slow down.", None),
        };
        for (error, said) in [
            (
                limited(Some("7")),
                "(HTTP 429): Slow down. Calling again after 7 s is safe",
            ),
            (
                limited(Some("Wed, 21 Oct 2026 07:28:00 GMT")),
                "again after Wed, 21 Oct 2026 07:28:00 GMT is safe",
            ),
            (limited(None), "a little later"),
            (
                Error::Silent(Duration::from_secs(90)),
                "sent nothing for 90s.",
            ),
            (
                Error::Unauthorized {
                    status: 401,
                    model: "m".into(),
                    detail: Detail::default(),
                },
                "fail in the same way",
            ),
        ] {
            let words = error.in_words();
            assert!(words.contains(said), "{words}");
        }
    }

    #[test]
    fn the_endpoints_words_are_bounded_and_without_the_key() {
        let echoed = format!("bad key sk-123\n\n  here {}", "x".repeat(1_000));
        let detail = Detail::new(&echoed, Some("sk-123")).to_string();
        assert!(detail.starts_with(": bad key [key] here xxx"), "{detail}");
        assert!(detail.len() < 310);
        assert_eq!(Detail::new(" \n", None).to_string(), "");
    }
}
