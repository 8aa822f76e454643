//! Event filters in Knative's words: which events a trigger takes.
//!
//! ```
//! use dormouse_contract::{Event, filter::Trigger};
//! let trigger: Trigger =
//!     serde_json::from_str(r#"{"filters": [{"exact": {"type": "com.github.push"}}]}"#)?;
//! assert!(trigger.matches(&Event::new("1", "/repo", "com.github.push")));
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Event, SPEC_VERSION};
use crate::policy::DeliverySpec;

/// A rule that routes matching events to a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trigger {
    /// What it is called, within its pool. Default: its place in the list, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// All must match; none at all matches every event.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// Which events wait for each other. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<Ordering>,
    /// The delivery policy of its events, laid over the pool's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
}

/// Which events of a trigger are delivered one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ordering {
    /// Those with the same `source` and `subject`: each is delivered when the one before has
    /// ended, whether it was taken or became a dead letter.
    Subject,
}

/// One condition (Knative Eventing, Trigger `filters`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Every one of these matches.
    All(Vec<Filter>),
    /// At least one of these matches.
    Any(Vec<Filter>),
    /// This does not match.
    Not(Box<Filter>),
    /// Each attribute is there and equal.
    Exact(BTreeMap<String, String>),
    /// Each attribute is there and starts so.
    Prefix(BTreeMap<String, String>),
    /// Each attribute is there and ends so.
    Suffix(BTreeMap<String, String>),
}

impl Trigger {
    /// Whether the trigger takes the event.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        self.filters.iter().all(|filter| filter.matches(event))
    }
}

impl Filter {
    /// Whether the condition holds for the event.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.matches(event)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(event)),
            Self::Not(filter) => !filter.matches(event),
            Self::Exact(wanted) => each(event, wanted, |value, wanted| value == wanted),
            Self::Prefix(wanted) => each(event, wanted, |value, wanted| value.starts_with(wanted)),
            Self::Suffix(wanted) => each(event, wanted, |value, wanted| value.ends_with(wanted)),
        }
    }
}

fn each(
    event: &Event,
    wanted: &BTreeMap<String, String>,
    holds: impl Fn(&str, &str) -> bool,
) -> bool {
    wanted
        .iter()
        .all(|(name, wanted)| attribute(event, name).is_some_and(|value| holds(&value, wanted)))
}

fn attribute<'a>(event: &'a Event, name: &str) -> Option<Cow<'a, str>> {
    let optional = |value: &'a Option<String>| value.as_deref().map(Cow::Borrowed);
    match name {
        "specversion" => Some(SPEC_VERSION.into()),
        "id" => Some(event.id.as_str().into()),
        "source" => Some(event.source.as_str().into()),
        "type" => Some(event.ty.as_str().into()),
        "subject" => optional(&event.subject),
        "time" => optional(&event.time),
        "datacontenttype" => optional(&event.datacontenttype),
        "dataschema" => optional(&event.dataschema),
        extension => event.extension(extension),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_as_knative_says() {
        let mut event = Event::new("1", "/repos/dormouse", "com.github.push");
        event = event.with_extension("branch", "main");
        for (filter, expected) in [
            (r#"{"exact":{"type":"com.github.push"}}"#, true),
            (r#"{"exact":{"type":"com.github"}}"#, false),
            (r#"{"exact":{"subject":""}}"#, false),
            (
                r#"{"prefix":{"type":"com.github.","source":"/repos"}}"#,
                true,
            ),
            (
                r#"{"prefix":{"type":"com.github.","source":"/users"}}"#,
                false,
            ),
            (r#"{"suffix":{"branch":"in"}}"#, true),
            (r#"{"not":{"exact":{"branch":"main"}}}"#, false),
            (
                r#"{"any":[{"exact":{"branch":"x"}},{"exact":{"branch":"main"}}]}"#,
                true,
            ),
            (
                r#"{"all":[{"exact":{"branch":"x"}},{"exact":{"branch":"main"}}]}"#,
                false,
            ),
        ] {
            let parsed: Filter = serde_json::from_str(filter).unwrap();
            assert_eq!(parsed.matches(&event), expected, "{filter}");
        }
    }
}
