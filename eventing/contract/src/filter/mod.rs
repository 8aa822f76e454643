//! Event filters in Knative's words: which events a trigger takes.
//!
//! ```
//! use dormouse_contract::{Event, filter::Trigger};
//! let trigger: Trigger =
//!     serde_json::from_str(r#"{"filters": [{"exact": {"type": "com.github.push"}}]}"#)?;
//! assert!(trigger.matches(&Event::new("1", "/repo", "com.github.push")));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! A filter means what it means to Knative Eventing (`Trigger`, `spec.filters`) and to the
//! CloudEvents Subscriptions API, and what Knative's admission refuses is refused when a filter is
//! read: so a pool file works on a laptop as in a cluster. Where Knative would skip a filter that
//! can mean nothing, such as `any: []`, it is refused too. [`explain`](Trigger::explain) tells why
//! a trigger does not take an event.

mod attribute;
mod explain;
mod read;

use std::collections::BTreeMap;

use dormouse_cesql::{Attributes as _, Expression, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::policy::DeliverySpec;

pub use explain::{Comparison, Explanation, Mismatch, Reason};
pub use read::InvalidFilter;

/// A rule that routes matching events to a pool.
///
/// Knative's older `filter: {attributes: {type: x}}` is read as well, when there are no `filters`:
/// each attribute has the value, or any value when that is the empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", try_from = "read::WrittenTrigger")]
#[schemars(!try_from, deny_unknown_fields)]
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
    /// Whether a broker outside hands its events straight to the function, past the coordinator,
    /// where there is such a broker. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct: bool,
}

/// Which events of a trigger are delivered one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ordering {
    /// Those with the same `source` and `subject`: each is delivered when the one before has
    /// ended, whether it was taken or became a dead letter.
    Subject,
}

/// One condition (Knative Eventing, Trigger `filters`); written as `{}` it always holds.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase", transform = read::describe)]
pub enum Filter {
    /// Every one of these matches; nothing but `{}` has none.
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
    /// The CloudEvents SQL expression is `true`, and evaluating it raises no error.
    Cesql(#[schemars(with = "String")] Expression),
}

impl Trigger {
    /// Whether the trigger takes the event.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        self.filters.iter().all(|filter| filter.matches(event))
    }
}

impl Filter {
    /// A condition in CloudEvents SQL.
    ///
    /// ```
    /// use dormouse_contract::{Event, filter::Filter};
    /// let filter = Filter::cesql("type LIKE 'com.github.%' AND NOT EXISTS subject")?;
    /// assert!(filter.matches(&Event::new("1", "/repo", "com.github.push")));
    /// # Ok::<(), dormouse_contract::filter::InvalidFilter>(())
    /// ```
    ///
    /// # Errors
    /// When the text is no expression, telling the place, or calls a function that is not there.
    pub fn cesql(text: &str) -> Result<Self, InvalidFilter> {
        read::read_expression(text)
    }

    /// Whether the condition holds for the event.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.matches(event)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(event)),
            Self::Not(filter) => !filter.matches(event),
            Self::Exact(wanted) => each(event, wanted, Comparison::Exact),
            Self::Prefix(wanted) => each(event, wanted, Comparison::Prefix),
            Self::Suffix(wanted) => each(event, wanted, Comparison::Suffix),
            Self::Cesql(expression) => expression.matches(event),
        }
    }
}

fn each(event: &Event, wanted: &BTreeMap<String, String>, comparison: Comparison) -> bool {
    wanted.iter().all(|(name, wanted)| {
        let value = event.get(name);
        value.is_some_and(|value| comparison.holds(&value, wanted))
    })
}

impl Comparison {
    /// Compares with the value as text: numbers and Booleans in their canonical form.
    fn holds(self, value: &Value<'_>, wanted: &str) -> bool {
        attribute::with_text(value, |text| match self {
            Self::Exact => text == wanted,
            Self::Prefix => text.starts_with(wanted),
            Self::Suffix => text.ends_with(wanted),
        })
    }
}

#[cfg(test)]
mod tests;
