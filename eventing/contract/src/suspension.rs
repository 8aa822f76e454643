//! Suspension: a round that ends with questions, and the round that begins with their answers.
//!
//! A handler asks by name. When it can go no further, the function replies `task.suspended` with
//! every open ask and may sleep. The broker keeps the asks, the answers and the committed steps,
//! and the next round's request brings answers and steps along: the handler runs again from the
//! top and finds them there.
//!
//! Most asks are for the client. One is for the broker, which answers it from its event log: the
//! next event that matches ([`EVENT`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::filter::Filter;
use crate::task::TaskError;

/// Ask method: what a person should fill in, or a page they should open.
pub const ELICIT: &str = "elicitation/create";
/// Ask method: what the client's model should say.
pub const SAMPLE: &str = "sampling/createMessage";
/// Ask method: which folders the client works on.
pub const LIST_ROOTS: &str = "roots/list";
/// Ask method: the next event that matches [`Awaited`]. The broker answers it, with an
/// [`Arrived`]; no client hears of it, and what a client answers to it does not count.
pub const EVENT: &str = "dev.dormouse/event";

/// JSON-RPC error code, in a [`Failed`](crate::task::Failed) reply: the client lacks a capability
/// that the ask needs (MCP 2026-07-28, "Error Codes"); `data` is
/// `{"requiredCapabilities": {…}}`. Said by the function before anything is asked.
pub const MISSING_CAPABILITY: i32 = -32_021;
/// JSON-RPC error code, in a [`Failed`](crate::task::Failed) reply: the replay asked or stepped
/// differently than the rounds before it.
pub const DIFFERENT_REPLAY: i32 = -31_409;

/// What is asked of the client, one of its own MCP requests to the letter, or of the broker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ask<'a> {
    /// [`ELICIT`], [`SAMPLE`], [`LIST_ROOTS`] or [`EVENT`].
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// The request's params, an object.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub params: Option<&'a RawValue>,
}

/// Data of [`SUSPENDED`](crate::task::SUSPENDED): all open asks by name, at least one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Suspended<'a> {
    /// The open asks by name. Names hold 1 to 128 bytes of visible ASCII.
    #[serde(borrow)]
    pub asks: BTreeMap<Cow<'a, str>, Ask<'a>>,
    /// The function's `K_REVISION`, for the words of a replay that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Cow<'a, str>>,
}

/// What came of an ask.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer<'a> {
    /// The client's MCP result (`ElicitResult`, `CreateMessageResult`, `ListRootsResult`), to the
    /// letter; or the broker's [`Arrived`].
    #[serde(borrow)]
    Result(&'a RawValue),
    /// The client refused, with this JSON-RPC error.
    Error(TaskError),
}

/// Params of an [`EVENT`] ask: which event is waited for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Awaited {
    /// All must match; none at all matches every event.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// The place in the event log behind which events count. Default: where the log ended when
    /// the task was accepted. What the log no longer holds cannot match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How long the ask stays open, counted from the suspension. Default: as long as the task may
    /// be suspended at all.
    #[serde(
        default,
        with = "crate::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub timeout: Option<Duration>,
}

/// The result of an [`EVENT`] ask.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Arrived<'a> {
    /// The event in the CloudEvents JSON format; `None` when none came in time.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub event: Option<&'a RawValue>,
    /// Its place in the event log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// [`Awaited::timeout`] is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timed_out: bool,
}

/// Data of [`STEPPED`](crate::task::STEPPED): stored before the 202.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stepped<'a> {
    /// The step's name, 1 to 128 bytes of visible ASCII, unique in its task.
    #[serde(borrow)]
    pub step: Cow<'a, str>,
    /// Its result, to the letter.
    #[serde(borrow)]
    pub result: &'a RawValue,
}

/// Whether an ask or a step can have this name: 1 to 128 bytes of visible ASCII.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_visible() {
        for (name, is_valid) in [
            ("grade", true),
            ("a/b.c-1", true),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(is_name(name), is_valid, "{name}");
        }
        assert!(is_name(&"x".repeat(128)) && !is_name(&"x".repeat(129)) && !is_name("é"));
    }

    #[test]
    fn what_is_asked_and_answered_reads_back_to_the_letter() {
        let asks = r#"{"asks":{"grade":{"method":"elicitation/create","params":{ "a":1.0 }}}}"#;
        let read: Suspended<'_> = serde_json::from_str(asks).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), asks);
        let answers = r#"{"a":{"result":{ "x":1.0 }},"b":{"error":{"code":-1,"message":"no"}}}"#;
        let read: BTreeMap<String, Answer<'_>> = serde_json::from_str(answers).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), answers);
    }

    #[test]
    fn what_is_waited_for_reads_back() {
        let text = r#"{"filters":[{"exact":{"type":"t"}}],"after":7,"timeout":"30s"}"#;
        let read: Awaited = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert_eq!(
            serde_json::from_str::<Awaited>("{}").unwrap(),
            Awaited::default()
        );
        assert!(serde_json::from_str::<Awaited>(r#"{"filter":[]}"#).is_err());
        let late = Arrived {
            timed_out: true,
            ..Arrived::default()
        };
        assert_eq!(
            serde_json::to_string(&late).unwrap(),
            r#"{"timedOut":true}"#
        );
    }
}
