//! Why a trigger does not take an event.

use std::collections::BTreeMap;
use std::fmt;

use dormouse_cesql::Attributes as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Filter, Trigger};
use crate::event::Event;

/// Whether a trigger takes an event, and what keeps it from that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Whether it takes the event.
    pub matches: bool,
    /// The conditions that would have to come out otherwise: all of them, or under `any` one.
    /// Empty when the trigger takes the event.
    pub mismatches: Vec<Mismatch>,
}

/// A condition that keeps a trigger from taking an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mismatch {
    /// Where the condition stands in the trigger, e.g. `filters[0].any[1].exact.type`.
    pub at: String,
    /// What is the matter.
    #[serde(flatten)]
    pub reason: Reason,
}

/// What is the matter with a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "camelCase")]
pub enum Reason {
    /// The event does not have the attribute.
    Absent {
        /// The attribute.
        attribute: String,
    },
    /// The attribute has another value.
    Differs {
        /// The attribute.
        attribute: String,
        /// Its value, as text.
        value: String,
        /// How it is compared.
        comparison: Comparison,
        /// What it is compared with.
        wanted: String,
    },
    /// The CESQL expression is not `true`, or there is an error beside its value.
    Expression {
        /// The expression, as it was written.
        expression: String,
        /// What it evaluates to, as text; strings in quotes.
        value: String,
        /// The error beside it, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// What stands under `not` matches.
    Excluded,
    /// There is nothing under `any` that could match.
    NoAlternative,
}

/// How an attribute is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// It is equal.
    Exact,
    /// It starts so.
    Prefix,
    /// It ends so.
    Suffix,
}

impl Trigger {
    /// Why the trigger takes the event or does not.
    #[must_use]
    pub fn explain(&self, event: &Event) -> Explanation {
        let mut mismatches = Vec::new();
        explain_all(&self.filters, event, "filters", &mut mismatches);
        Explanation {
            matches: mismatches.is_empty(),
            mismatches,
        }
    }
}

fn explain_all(filters: &[Filter], event: &Event, at: &str, found: &mut Vec<Mismatch>) {
    for (index, filter) in filters.iter().enumerate() {
        filter.explain(event, &format!("{at}[{index}]"), found);
    }
}

impl Filter {
    fn explain(&self, event: &Event, at: &str, found: &mut Vec<Mismatch>) {
        let mismatch = |at: String, reason| Mismatch { at, reason };
        match self {
            Self::All(filters) => explain_all(filters, event, &format!("{at}.all"), found),
            Self::Any(filters) => {
                let at = format!("{at}.any");
                if filters.is_empty() {
                    found.push(mismatch(at, Reason::NoAlternative));
                } else if !self.matches(event) {
                    explain_all(filters, event, &at, found);
                }
            }
            Self::Not(filter) => {
                if filter.matches(event) {
                    found.push(mismatch(format!("{at}.not"), Reason::Excluded));
                }
            }
            Self::Exact(wanted) => Comparison::Exact.explain(wanted, event, at, found),
            Self::Prefix(wanted) => Comparison::Prefix.explain(wanted, event, at, found),
            Self::Suffix(wanted) => Comparison::Suffix.explain(wanted, event, at, found),
            Self::Cesql(expression) => {
                if !expression.matches(event) {
                    let evaluation = expression.evaluate(event);
                    let value = match evaluation.value {
                        dormouse_cesql::Value::String(text) => format!("{text:?}"),
                        value => value.to_string(),
                    };
                    let reason = Reason::Expression {
                        expression: expression.text().to_owned(),
                        value,
                        error: evaluation.error.map(|error| error.to_string()),
                    };
                    found.push(mismatch(format!("{at}.cesql"), reason));
                }
            }
        }
    }
}

impl Comparison {
    fn explain(
        self,
        wanted: &BTreeMap<String, String>,
        event: &Event,
        at: &str,
        found: &mut Vec<Mismatch>,
    ) {
        for (attribute, wanted) in wanted {
            let attribute = attribute.clone();
            let at = format!("{at}.{self}.{attribute}");
            let reason = match event.get(&attribute) {
                None => Reason::Absent { attribute },
                Some(value) if self.holds(&value, wanted) => continue,
                Some(value) => Reason::Differs {
                    value: value.to_string(),
                    comparison: self,
                    wanted: wanted.clone(),
                    attribute,
                },
            };
            found.push(Mismatch { at, reason });
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::Suffix => "suffix",
        })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { attribute } => write!(f, "the event has no `{attribute}`"),
            Self::Differs {
                attribute,
                value,
                comparison,
                wanted,
            } => {
                let not = match comparison {
                    Comparison::Exact => "not",
                    Comparison::Prefix => "which does not start with",
                    Comparison::Suffix => "which does not end with",
                };
                write!(f, "`{attribute}` is `{value}`, {not} `{wanted}`")
            }
            Self::Expression {
                expression,
                error: Some(error),
                ..
            } => write!(f, "`{expression}` cannot be decided: {error}"),
            Self::Expression {
                expression,
                value,
                error: None,
            } => write!(f, "`{expression}` is {value}"),
            Self::Excluded => f.write_str("what it excludes matches"),
            Self::NoAlternative => f.write_str("it has no alternatives"),
        }
    }
}
