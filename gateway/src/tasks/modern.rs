//! The extension `io.modelcontextprotocol/tasks` of the modern era: the server decides which call
//! becomes a task, and `tasks/get` carries result, error and open asks.

use dormouse_broker::{Ending, Standing};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{POLL_INTERVAL, View};
use crate::error::Fault;
use crate::jsonrpc::{RequestId, for_each_member};
use crate::listening::label;
use crate::suspension::asks;

/// The extension's name among a client's capabilities.
pub(crate) const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Whether a client declares the extension among its capabilities.
pub(crate) fn is_declared(capabilities: Option<&RawValue>) -> bool {
    let Some(capabilities) = capabilities else {
        return false;
    };
    let mut declared = false;
    // What is no object was refused before.
    let _ = for_each_member(capabilities, |name, value| {
        if name == "extensions" {
            let _ = for_each_member(value, |name, _| declared |= name == EXTENSION);
        }
    });
    declared
}

/// What a client is told that lacks the extension.
pub(crate) fn missing() -> Fault {
    Fault::MissingCapability(json!({"extensions": {EXTENSION: {}}}))
}

/// A `CreateTaskResult`, JSON text; ended ones are `kept` for so many milliseconds.
pub(crate) fn created(view: &View, kept: u64) -> String {
    format!(r#"{{"resultType":"task",{}}}"#, envelope(view, kept))
}

/// A `GetTaskResult`, JSON text: the task with what its status comes with.
pub(crate) fn detailed(view: &View, standing: &Standing, kept: u64) -> String {
    format!(
        r#"{{"resultType":"complete",{}{}}}"#,
        envelope(view, kept),
        details(standing)
    )
}

/// A `notifications/tasks` to the subscription of this id, ready for the wire.
pub(crate) fn notice(
    view: &View,
    standing: &Standing,
    kept: u64,
    subscription: &RequestId,
) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/tasks","params":{{{},{}{}}}}}"#,
        label(subscription),
        envelope(view, kept),
        details(standing)
    )
}

fn envelope(view: &View, kept: u64) -> String {
    format!(
        r#"{},"ttlMs":{},"pollIntervalMs":{POLL_INTERVAL}"#,
        view.members(),
        view.ttl(kept)
    )
}

fn details(standing: &Standing) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match (&standing.ending, &standing.asks) {
        (Some(Ending::Completed(result)), _) => format!(r#","result":{}"#, text(result)),
        (Some(Ending::Failed(failed)), _) => {
            let mut error = json!({
                "code": failed.error.code,
                "message": failed.error.message,
                "data": {"dev.dormouse/outcome": failed.outcome},
            });
            if let Some(Value::Object(data)) = &failed.error.data {
                for (name, value) in data {
                    error["data"][name] = value.clone();
                }
            }
            format!(r#","error":{error}"#)
        }
        (Some(Ending::Cancelled(_)), _) | (None, None) => String::new(),
        (None, Some(asks)) => asks::of_client(asks).map_or_else(String::new, |asks| {
            format!(r#","inputRequests":{}"#, text(&asks))
        }),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dormouse_broker::{State, TaskId};

    use super::super::tests::{failure, standing};
    use super::*;

    fn get(state: State, ending: Option<Ending>) -> Value {
        let standing = standing(state, ending);
        let view = View::of(TaskId::new(), &standing);
        serde_json::from_str(&detailed(&view, &standing, 5)).unwrap()
    }

    #[test]
    fn each_status_comes_with_what_belongs_to_it() {
        let result = Ending::Completed(Bytes::from_static(br#"{ "content":[] }"#));
        for (task, status, member) in [
            (get(State::Running, None), "working", None),
            (
                get(State::Suspended, None),
                "input_required",
                Some("inputRequests"),
            ),
            (
                get(State::Completed, Some(result)),
                "completed",
                Some("result"),
            ),
            (get(State::Failed, Some(failure())), "failed", Some("error")),
            (
                get(State::Cancelled, Some(Ending::Cancelled("no".into()))),
                "cancelled",
                None,
            ),
        ] {
            assert_eq!(task["status"], status);
            assert_eq!(task["resultType"], "complete");
            for name in ["inputRequests", "result", "error"] {
                assert_eq!(task.get(name).is_some(), member == Some(name), "{task}");
            }
            let ttl = &task["ttlMs"];
            let open = matches!(status, "working" | "input_required");
            assert!(if open { ttl.is_null() } else { *ttl == 1_505 }, "{task}");
            assert!(task.get("ttl").is_none());
        }
    }

    #[test]
    fn a_new_task_is_flat() {
        let created = created(&View::begun(TaskId::new(), 1), 5);
        let created: Value = serde_json::from_str(&created).unwrap();
        assert_eq!(created["resultType"], "task");
        assert_eq!(created["status"], "working");
    }

    #[test]
    fn a_client_declares_the_extension_or_not() {
        let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).unwrap();
        for (capabilities, declared) in [
            (
                r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
                true,
            ),
            (r#"{"extensions":{"other":{}}}"#, false),
            (r#"{"extensions":5}"#, false),
            ("{}", false),
        ] {
            assert_eq!(is_declared(Some(&raw(capabilities))), declared);
        }
        assert!(!is_declared(None));
    }
}
