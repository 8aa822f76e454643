//! A task's history: one JSON object a line, appended with every transition.

use std::borrow::Cow;

use dormouse_contract::task::Outcome;
use serde::{Deserialize, Serialize};

use crate::task::{Millis, State};

/// Who makes a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    Caller,
    Broker,
    Function,
    Operator,
}

impl Actor {
    fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Broker => "broker",
            Self::Function => "function",
            Self::Operator => "operator",
        }
    }
}

/// One stored line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line<'a> {
    pub(crate) at: Millis,
    pub(crate) to: State,
    #[serde(borrow)]
    pub(crate) by: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub(crate) why: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
}

/// Said when a result of an attempt is taken that had been given up.
pub(crate) const LATE: &str = "an earlier attempt answered after all";

/// Why a transition is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Why<'a> {
    /// In words; empty when there is nothing to say.
    pub(crate) words: &'a str,
    /// What is known of the attempt that failed.
    pub(crate) outcome: Option<Outcome>,
}

impl<'a> From<&'a str> for Why<'a> {
    fn from(words: &'a str) -> Self {
        Self {
            words,
            outcome: None,
        }
    }
}

impl<'a> From<&'a String> for Why<'a> {
    fn from(words: &'a String) -> Self {
        words.as_str().into()
    }
}

/// A history without its last line.
pub(crate) fn without_last(history: &str) -> &str {
    let lines = history.trim_end_matches('\n');
    lines.rfind('\n').map_or("", |end| &lines[..=end])
}

/// Appends a line to a history.
pub(crate) fn append<'a>(
    history: &mut String,
    at: Millis,
    to: State,
    by: Actor,
    why: impl Into<Why<'a>>,
) {
    let why = why.into();
    let line = Line {
        at,
        to,
        by: by.name().into(),
        why: why.words.into(),
        outcome: why.outcome,
    };
    // Strings and integers always serialize.
    history.push_str(&serde_json::to_string(&line).unwrap_or_default());
    history.push('\n');
}
