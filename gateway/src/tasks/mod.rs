//! MCP tasks: what a client may know and do about a call that it does not wait for.
//!
//! A task here is the broker's task; this is how the two eras show it. [`legacy`] are the
//! experimental tasks of revision 2025-11-25, [`modern`] the extension
//! `io.modelcontextprotocol/tasks`. Their ids are the broker's, random and bound to the principal:
//! to everybody else there is no such task.

pub(crate) mod legacy;
pub(crate) mod modern;
pub(crate) mod request;
pub(crate) mod status;

use dormouse_broker::{Ending, Millis, Standing, State, TaskId};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::jsonrpc::for_each_member;
use crate::suspension::asks;

/// How often a client should ask, in milliseconds.
pub(crate) const POLL_INTERVAL: u64 = 1_000;

/// A task's status, the same five in both eras.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Waiting for its turn, or running.
    Working,
    /// Waiting for answers of the client.
    InputRequired,
    /// Ended with a result.
    Completed,
    /// Ended without one.
    Failed,
    /// Ended by the client or an operator.
    Cancelled,
}

impl Status {
    /// The status of a task: one that only waits for an event needs nothing of its client.
    pub fn of(standing: &Standing) -> Self {
        match standing.state {
            State::Accepted | State::Running => Self::Working,
            State::Suspended => match standing.asks.as_ref().and_then(asks::of_client) {
                Some(_) => Self::InputRequired,
                None => Self::Working,
            },
            State::Completed => Self::Completed,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
        }
    }

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::InputRequired => "input_required",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A task as both eras show it.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Its id.
    pub task: TaskId,
    /// Where it stands.
    pub status: Status,
    /// That in words, where there is something to say.
    pub message: Option<String>,
    /// When it was accepted.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

impl View {
    /// A task that was accepted just now.
    pub fn begun(task: TaskId, now: Millis) -> Self {
        Self {
            task,
            status: Status::Working,
            message: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// A task that the broker knows.
    pub fn of(task: TaskId, standing: &Standing) -> Self {
        let status = Status::of(standing);
        let message = match &standing.ending {
            None if status == Status::InputRequired => Some("it waits for answers".to_owned()),
            None if standing.state == State::Suspended => Some("it waits for an event".to_owned()),
            None | Some(Ending::Completed(_)) => None,
            Some(Ending::Failed(failed)) => Some(failed.error.message.clone()),
            Some(Ending::Cancelled(reason)) => Some(reason.clone()),
        };
        Self {
            task,
            status,
            message,
            created_at: standing.accepted_at,
            updated_at: standing.changed_at,
        }
    }

    /// How long it can be asked for, in milliseconds from its creation, as JSON: it is kept for
    /// `kept` once it has ended, and till then without end.
    fn ttl(&self, kept: u64) -> String {
        match self.status {
            Status::Working | Status::InputRequired => "null".to_owned(),
            Status::Completed | Status::Failed | Status::Cancelled => {
                let lived = u64::try_from(self.updated_at - self.created_at).unwrap_or_default();
                lived.saturating_add(kept).to_string()
            }
        }
    }

    /// The members that both eras share, without braces.
    fn members(&self) -> String {
        let mut text = format!(
            r#""taskId":"{}","status":"{}""#,
            self.task,
            self.status.as_str()
        );
        if let Some(message) = &self.message {
            text.push_str(r#","statusMessage":"#);
            text.push_str(&Value::from(message.as_str()).to_string());
        }
        text.push_str(&format!(
            r#","createdAt":"{}","lastUpdatedAt":"{}""#,
            time(self.created_at),
            time(self.updated_at)
        ));
        text
    }
}

fn time(millis: Millis) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(millis).unwrap_or_default()
}

/// The `taskId` of params.
///
/// # Errors
/// [`Fault::InvalidParams`](crate::error::Fault::InvalidParams) when there is none, or it is no
/// id of a task: nobody has such a task.
pub(crate) fn id_in(params: Option<&RawValue>) -> Result<TaskId, crate::error::Fault> {
    let mut id = None;
    if let Some(params) = params {
        // What is no object was refused before.
        let _ = for_each_member(params, |name, value| {
            if name == "taskId" {
                id = serde_json::from_str::<String>(value.get()).ok();
            }
        });
    }
    match id {
        None => Err(crate::error::Fault::InvalidParams(
            "params.taskId is missing or no string".to_owned(),
        )),
        Some(id) => id.parse().map_err(|_| crate::error::Fault::UnknownTask(id)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dormouse_broker::Work;
    use dormouse_contract::task::{Failed, Outcome, TaskError};

    use super::*;

    pub(crate) fn standing(state: State, ending: Option<Ending>) -> Standing {
        Standing {
            principal: "a".into(),
            pool: "p".into(),
            capability: "t".into(),
            state,
            round: 1,
            asks: (state == State::Suspended)
                .then(|| Bytes::from_static(br#"{"q":{"method":"roots/list"}}"#)),
            ending,
            reply_to: None,
            accepted_at: 0,
            changed_at: 1_500,
            work: Work::Call(Bytes::new()),
        }
    }

    pub(crate) fn failure() -> Ending {
        Ending::Failed(Failed {
            error: TaskError {
                code: -32_603,
                message: "it \"broke\"".to_owned(),
                data: None,
            },
            outcome: Outcome::Failed,
        })
    }

    #[test]
    fn every_state_has_a_status() {
        for (state, status) in [
            (State::Accepted, "working"),
            (State::Running, "working"),
            (State::Suspended, "input_required"),
            (State::Completed, "completed"),
            (State::Failed, "failed"),
            (State::Cancelled, "cancelled"),
        ] {
            assert_eq!(Status::of(&standing(state, None)).as_str(), status);
        }
        let mut waiting = standing(State::Suspended, None);
        let asks = br#"{"e":{"method":"dev.dormouse/event","params":{}}}"#;
        waiting.asks = Some(Bytes::from_static(asks));
        let view = View::of(TaskId::new(), &waiting);
        assert_eq!(view.status, Status::Working);
        assert_eq!(view.message.as_deref(), Some("it waits for an event"));
    }

    #[test]
    fn a_view_tells_times_and_reasons() {
        let view = View::of(TaskId::new(), &standing(State::Failed, Some(failure())));
        let members: Value = serde_json::from_str(&format!("{{{}}}", view.members())).unwrap();
        assert_eq!(members["createdAt"], "1970-01-01T00:00:00Z");
        assert_eq!(members["lastUpdatedAt"], "1970-01-01T00:00:01.5Z");
        assert_eq!(members["statusMessage"], "it \"broke\"");
    }

    #[test]
    fn ids_are_read_from_params() {
        let id = TaskId::new();
        let params = |text: &str| serde_json::from_str::<Box<RawValue>>(text).unwrap();
        let read = id_in(Some(&params(&format!(r#"{{"taskId":"{id}"}}"#))));
        assert_eq!(read, Ok(id));
        for params in [params("{}"), params(r#"{"taskId":1}"#)] {
            assert!(id_in(Some(&params)).is_err());
        }
        assert_eq!(
            id_in(Some(&params(r#"{"taskId":"nope"}"#))),
            Err(crate::error::Fault::UnknownTask("nope".to_owned()))
        );
    }
}
