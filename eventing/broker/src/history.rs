//! A task's history: one JSON object a line, appended with every transition.

use std::borrow::Cow;

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
}

/// Appends a line to a history.
pub(crate) fn append(history: &mut String, at: Millis, to: State, by: Actor, why: &str) {
    let line = Line {
        at,
        to,
        by: by.name().into(),
        why: why.into(),
    };
    // Strings and integers always serialize.
    history.push_str(&serde_json::to_string(&line).unwrap_or_default());
    history.push('\n');
}
