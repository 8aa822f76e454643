//! What the environment tells a function: read once, at start.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use dormouse_contract::task::{DELIVERY_SECRET_ENV, HOST_PID_ENV};
use http::Uri;

use crate::error::StartError;

/// The limit of an event's size: 4 MiB that a client sends, as much again that it answers and that
/// the task's steps hold, and room for what the platform adds.
const BODY_LIMIT: usize = 16 << 20;

/// A function's settings. [`Settings::default`] is a function of its own, outside any platform.
#[derive(Clone)]
pub struct Settings {
    /// `PORT`: where to listen when no listener came as standard input. Default 8080.
    pub port: u16,
    /// `K_SERVICE`: the pool's name. Default: the function's own.
    pub pool: Option<String>,
    /// `K_REVISION`: which version of the pool this is, for the words of a replay that goes
    /// another way. Default: none.
    pub revision: Option<String>,
    /// `K_SINK`: where progress, logs, steps, announcements and events go. Default: nowhere.
    pub sink: Option<Uri>,
    /// `K_CE_OVERRIDES`: extensions for every event sent to the sink, names and values.
    pub overrides: Vec<(String, String)>,
    /// `DORMOUSE_DELIVERY_SECRET`: what deliveries must carry. Default: nothing.
    pub secret: Option<String>,
    /// `DORMOUSE_HOST_PID`: who started us. Default: unknown.
    pub host: Option<u32>,
    /// `LOG_FORMAT=json`: whether log lines are JSON. Default false.
    pub json_logs: bool,
    /// How long a cancelled handler may clean up. Default 5 s.
    pub grace: Duration,
    /// How large an event may be, in bytes. Default 16 MiB.
    pub body_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 8080,
            pool: None,
            revision: None,
            sink: None,
            overrides: Vec::new(),
            secret: None,
            host: None,
            json_logs: false,
            grace: Duration::from_secs(5),
            body_limit: BODY_LIMIT,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settings")
            .field("port", &self.port)
            .field("pool", &self.pool)
            .field("sink", &self.sink)
            .field("secret", &self.secret.as_ref().map(|_| "set"))
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`StartError::Setting`], naming the variable that cannot be used.
    pub fn from_env() -> Result<Self, StartError> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut settings = Self {
            pool: variable("K_SERVICE"),
            revision: variable("K_REVISION"),
            secret: variable(DELIVERY_SECRET_ENV),
            json_logs: variable("LOG_FORMAT").is_some_and(|format| format == "json"),
            ..Self::default()
        };
        if let Some(port) = variable("PORT") {
            settings.port = number("PORT", &port, "a port, 0 to 65535")?;
        }
        if let Some(pid) = variable(HOST_PID_ENV) {
            settings.host = Some(number(HOST_PID_ENV, &pid, "a process id")?);
        }
        if let Some(sink) = variable("K_SINK") {
            settings.sink = Some(parse_sink(&sink)?);
        }
        if let Some(overrides) = variable("K_CE_OVERRIDES") {
            settings.overrides = parse_overrides(&overrides)
                .map_err(|error| unusable("K_CE_OVERRIDES", error.to_string()))?;
        }
        Ok(settings)
    }
}

/// Knative's `{"extensions": {name: value}}`.
fn parse_overrides(text: &str) -> serde_json::Result<Vec<(String, String)>> {
    let mut members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)?;
    let extensions: BTreeMap<String, String> = match members.remove("extensions") {
        Some(extensions) => serde_json::from_value(extensions)?,
        None => BTreeMap::new(),
    };
    Ok(extensions.into_iter().collect())
}

fn parse_sink(text: &str) -> Result<Uri, StartError> {
    let uri: Uri = text
        .parse()
        .map_err(|error: http::uri::InvalidUri| unusable("K_SINK", format!("`{text}`: {error}")))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(_)) => Ok(uri),
        (_, _) => Err(unusable(
            "K_SINK",
            format!(
                "`{text}` is not an http:// URL; a function sends plain HTTP, within the platform"
            ),
        )),
    }
}

fn number<T: std::str::FromStr>(
    name: &'static str,
    value: &str,
    expected: &str,
) -> Result<T, StartError> {
    value
        .parse()
        .map_err(|_| unusable(name, format!("`{value}` is not {expected}")))
}

fn unusable(name: &'static str, reason: String) -> StartError {
    StartError::Setting { name, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Settings, StartError> {
        Settings::read(|name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_empty_environment_is_fine() {
        let settings = read(&[("PORT", "")]).unwrap();
        assert_eq!(settings.port, 8080);
        assert!(settings.sink.is_none() && settings.secret.is_none());
    }

    #[test]
    fn what_the_platform_sets_is_read() {
        let settings = read(&[
            ("PORT", "9000"),
            ("K_SERVICE", "educational"),
            ("K_SINK", "http://127.0.0.1:8888/pools/educational/events"),
            ("K_CE_OVERRIDES", r#"{"extensions":{"pooltoken":"t"}}"#),
            ("DORMOUSE_DELIVERY_SECRET", "hush"),
        ])
        .unwrap();
        assert_eq!(
            (settings.port, settings.pool.as_deref()),
            (9000, Some("educational"))
        );
        assert_eq!(
            settings.overrides,
            [("pooltoken".to_owned(), "t".to_owned())]
        );
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_named() {
        for (name, value) in [
            ("PORT", "http"),
            ("PORT", "70000"),
            ("K_SINK", "https://sink"),
            ("K_SINK", "/events"),
            ("K_SINK", "not a url"),
            ("K_CE_OVERRIDES", "[]"),
            ("DORMOUSE_HOST_PID", "me"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name), "{error} should name {name}");
        }
    }
}
