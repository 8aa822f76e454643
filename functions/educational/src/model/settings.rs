//! Where the model is: read once from the environment, checked, and explained when it is missing.

use std::time::Duration;

use reqwest::Url;

/// How long an endpoint may be silent when `OPENAI_TIMEOUT` does not say otherwise.
const DEFAULT_SILENCE: Duration = Duration::from_secs(100);

/// A checked configuration.
#[derive(Clone)]
pub struct Settings {
    /// The whole address of chat completions.
    pub url: Url,
    /// The bearer token; local servers need none.
    pub key: Option<String>,
    /// The model's name at the endpoint.
    pub model: String,
    /// How long nothing may arrive before we give up.
    pub silence: Duration,
}

/// Why there is no model to ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unconfigured {
    /// Variables that are not set or empty.
    #[error("{} not set", .0.join(" and "))]
    Missing(Vec<&'static str>),
    /// A variable that is set to something unusable.
    #[error("{variable} cannot be used: {reason}")]
    Invalid {
        variable: &'static str,
        reason: String,
    },
}

impl Unconfigured {
    /// The answer to a call of `tool`: what is wrong, and every step to put it right.
    #[must_use]
    pub fn in_words(&self, tool: &str) -> String {
        format!(
            "{tool} needs a language model, and none is configured: {self}.\n\
             \n\
             Any OpenAI-compatible endpoint will do, local or hosted. In \
             config/pools/educational.yaml, under spec.env, set for example:\n\
             \n\
             - {{name: OPENAI_BASE_URL, value: \"http://localhost:11434/v1\"}}\n\
             - {{name: OPENAI_MODEL, value: llama3.2}}\n\
             - {{name: OPENAI_API_KEY, valueFrom: {{secretKeyRef: {{name: openai, key: key}}}}}}\n\
             \n\
             The key is optional; put it into the file DATA_DIR/secrets/openai/key, where DATA_DIR \
             is the platform's data directory (--data-dir). Where the function runs on its own, \
             set the same names as environment variables. OPENAI_TIMEOUT says how long the \
             endpoint may be silent (default 100s). curriculum-alignment needs none of this."
        )
    }
}

impl Settings {
    /// Reads `OPENAI_BASE_URL` and `OPENAI_MODEL`, and if set `OPENAI_API_KEY` and
    /// `OPENAI_TIMEOUT`, through `variable`. Empty counts as not set.
    ///
    /// # Errors
    /// What is missing, or which variable cannot be used and why.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Unconfigured> {
        let set = |name: &str| {
            let value = variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let (base, model) = match (set("OPENAI_BASE_URL"), set("OPENAI_MODEL")) {
            (Some(base), Some(model)) => (base, model),
            (base, model) => {
                let named = [("OPENAI_BASE_URL", base), ("OPENAI_MODEL", model)];
                let missing = named.into_iter().filter(|(_, value)| value.is_none());
                return Err(Unconfigured::Missing(
                    missing.map(|(name, _)| name).collect(),
                ));
            }
        };
        let key = set("OPENAI_API_KEY");
        if let Some(key) = &key
            && !key.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(invalid(
                "OPENAI_API_KEY",
                "it holds characters that no HTTP header may carry",
            ));
        }
        let silence = match set("OPENAI_TIMEOUT") {
            None => DEFAULT_SILENCE,
            Some(text) => dormouse_contract::duration::parse(&text)
                .map_err(|error| invalid("OPENAI_TIMEOUT", error))?,
        };
        Ok(Self {
            url: completions_url(&base)?,
            key,
            model,
            silence,
        })
    }

    /// The address without credentials and query, fit to be shown.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let origin = self.url.origin().ascii_serialization();
        format!("{origin}{}", self.url.path())
    }

    /// Whether the endpoint is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.url.host_str();
        host.is_some_and(dormouse_contract::door::is_loopback)
    }

    /// Whether the endpoint is reached over TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }
}

fn invalid(variable: &'static str, reason: impl ToString) -> Unconfigured {
    let reason = reason.to_string();
    Unconfigured::Invalid { variable, reason }
}

/// Some paste the whole address, some the base with a slash at its end: both are understood.
fn completions_url(base: &str) -> Result<Url, Unconfigured> {
    let wrong = |reason: String| invalid("OPENAI_BASE_URL", reason);
    let mut url = Url::parse(base)
        .map_err(|error| wrong(format!("it is no URL ({error}); write https://HOST/v1")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("it must start with http:// or https://".to_owned()));
    }
    if !url.path().ends_with("/chat/completions") {
        let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Unconfigured> {
        Settings::read(|name| {
            let pair = pairs.iter().find(|(key, _)| *key == name);
            pair.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn base_urls_are_completed() {
        for (base, expected) in [
            (
                "http://localhost:1/v1",
                "http://localhost:1/v1/chat/completions",
            ),
            (
                "https://a.example/v1/",
                "https://a.example/v1/chat/completions",
            ),
            ("https://a.example", "https://a.example/chat/completions"),
            (
                "https://a.example/x/chat/completions?api-version=1",
                "https://a.example/x/chat/completions?api-version=1",
            ),
            (
                "https://a.example/x?api-version=1",
                "https://a.example/x/chat/completions?api-version=1",
            ),
        ] {
            let settings = read(&[("OPENAI_BASE_URL", base), ("OPENAI_MODEL", "m")]);
            assert_eq!(
                settings.ok().map(|found| found.url.to_string()).as_deref(),
                Some(expected)
            );
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let base = ("OPENAI_BASE_URL", "http://localhost/v1");
        let model = ("OPENAI_MODEL", "m");
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[], "OPENAI_BASE_URL and OPENAI_MODEL not set"),
            (&[base, ("OPENAI_MODEL", " ")], "OPENAI_MODEL not set"),
            (&[("OPENAI_BASE_URL", "localhost"), model], "it is no URL"),
            (&[("OPENAI_BASE_URL", "ftp://x/"), model], "start with http"),
            (&[base, model, ("OPENAI_TIMEOUT", "5")], "OPENAI_TIMEOUT"),
            (&[base, model, ("OPENAI_API_KEY", "a b")], "OPENAI_API_KEY"),
        ];
        for (pairs, said) in cases {
            let words = read(pairs).err().map(|error| error.to_string());
            assert!(
                words.as_ref().is_some_and(|words| words.contains(said)),
                "{words:?}"
            );
        }
    }

    #[test]
    fn the_answer_says_where_each_setting_goes() {
        let words = Unconfigured::Missing(vec!["OPENAI_MODEL"]).in_words("content-generation");
        for part in [
            "content-generation",
            "OPENAI_BASE_URL",
            "OPENAI_API_KEY",
            "OPENAI_MODEL not set",
            "config/pools/educational.yaml",
            "DATA_DIR/secrets/openai/key",
        ] {
            assert!(words.contains(part), "{part}");
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let base = ("OPENAI_BASE_URL", "https://me:pw@a.example:8443/v1?key=pw");
        let settings = read(&[base, ("OPENAI_MODEL", "m")]).ok();
        assert_eq!(
            settings.map(|settings| settings.shown_url()).as_deref(),
            Some("https://a.example:8443/v1/chat/completions")
        );
    }
}
