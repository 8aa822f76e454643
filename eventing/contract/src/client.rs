//! What the client at the other end can be asked, read from its MCP `ClientCapabilities`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::task::Client;

/// The capabilities that decide whether something can be asked; a member that is there counts,
/// whatever it holds.
#[derive(Debug, Default, Deserialize)]
struct Capabilities {
    #[serde(default)]
    elicitation: Option<Elicitation>,
    #[serde(default)]
    sampling: Option<Sampling>,
    #[serde(default)]
    roots: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
struct Elicitation {
    #[serde(default)]
    form: Option<IgnoredAny>,
    #[serde(default)]
    url: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
struct Sampling {
    #[serde(default)]
    tools: Option<IgnoredAny>,
}

impl Client {
    /// Whether a person can be asked to fill in a form. An empty `elicitation` means forms (MCP
    /// 2025-11-25, "Elicitation", Capabilities).
    #[must_use]
    pub fn can_elicit(&self) -> bool {
        let elicitation = self.parsed().elicitation;
        elicitation.is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
    }

    /// Whether a person can be asked to open a page.
    #[must_use]
    pub fn can_elicit_url(&self) -> bool {
        let elicitation = self.parsed().elicitation;
        elicitation.is_some_and(|modes| modes.url.is_some())
    }

    /// Whether the client's model can be asked.
    #[must_use]
    pub fn can_sample(&self) -> bool {
        self.parsed().sampling.is_some()
    }

    /// Whether the client's model can be asked and given tools.
    #[must_use]
    pub fn can_sample_with_tools(&self) -> bool {
        let sampling = self.parsed().sampling;
        sampling.is_some_and(|sampling| sampling.tools.is_some())
    }

    /// Whether the client tells which folders it works on.
    #[must_use]
    pub fn has_roots(&self) -> bool {
        self.parsed().roots.is_some()
    }

    /// Capabilities of a shape that nobody knows are none.
    fn parsed(&self) -> Capabilities {
        let raw = self.capabilities.as_deref();
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn client(capabilities: &str) -> Client {
        Client {
            capabilities: Some(RawValue::from_string(capabilities.to_owned()).unwrap()),
            ..Client::default()
        }
    }

    #[test]
    fn an_empty_elicitation_means_forms_and_a_page_must_be_named() {
        for (capabilities, form, url) in [
            (r#"{"elicitation":{}}"#, true, false),
            (r#"{"elicitation":{"form":{}}}"#, true, false),
            (r#"{"elicitation":{"url":{}}}"#, false, true),
            (r#"{"elicitation":{"form":{},"url":{}}}"#, true, true),
            (r#"{"roots":{}}"#, false, false),
            ("[1]", false, false),
        ] {
            let client = client(capabilities);
            let can = (client.can_elicit(), client.can_elicit_url());
            assert_eq!(can, (form, url), "{capabilities}");
        }
        assert!(!Client::default().can_elicit());
    }

    #[test]
    fn tools_for_the_model_are_a_capability_of_their_own() {
        let plain = client(r#"{"sampling":{},"roots":{"listChanged":true}}"#);
        assert!(plain.can_sample() && !plain.can_sample_with_tools() && plain.has_roots());
        assert!(client(r#"{"sampling":{"tools":{}}}"#).can_sample_with_tools());
    }
}
