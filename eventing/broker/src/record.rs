//! A task as people see it: lists, histories, open questions.

use dormouse_contract::task::{Failed, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attempt::AttemptRecord;
use crate::event::Seq;
use crate::task::{State, TaskId};

/// Which tasks to list: the newest first; absent means any.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TaskFilter {
    /// Only of this pool.
    pub pool: Option<String>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this capability: a tool's name, or an event's type.
    pub capability: Option<String>,
    /// Only those that this event became.
    pub event: Option<Seq>,
    /// Only of events from this source.
    pub source: Option<String>,
    /// Only dead letters: failed tasks whose attempts are used up, neither redriven nor discarded.
    pub dead: bool,
    /// Only of this caller.
    pub principal: Option<String>,
    /// Only this task and later ones; see [`TaskId::first_of`].
    pub since: Option<TaskId>,
    /// Only tasks older than this one: the last id of the page before.
    pub before: Option<TaskId>,
    /// At most so many; default and maximum 100.
    pub limit: Option<usize>,
}

/// A task as people see it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskRecord {
    /// The task.
    pub id: TaskId,
    /// Its pool.
    pub pool: String,
    /// Its capability.
    pub capability: String,
    /// Who called.
    pub principal: String,
    /// Where it stands.
    pub state: State,
    /// From 1.
    pub round: u32,
    /// Attempts of this round so far.
    pub attempt: u32,
    /// RFC 3339.
    pub accepted_at: String,
    /// RFC 3339.
    pub changed_at: String,
    /// Its trace, as a `traceparent`.
    pub traceparent: String,
    /// What it waits for, while it is suspended; empty in lists.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub asks: Vec<OpenAsk>,
    /// The event that it handles.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<Seq>,
    /// The trigger that took the event.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trigger: Option<String>,
    /// The dead letter that it runs again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redrive_of: Option<TaskId>,
    /// The task that runs it again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redriven_as: Option<TaskId>,
    /// Whether it is or was a dead letter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dead_letter: Option<DeadLetter>,
    /// How it ended, when it failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Failed>,
    /// Every delivery to the function, oldest first; empty in lists.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub attempts: Vec<AttemptRecord>,
    /// Every transition, oldest first; empty in lists.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub history: Vec<HistoryEntry>,
}

/// What has become of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeadLetter {
    /// It waits to be redriven or discarded.
    Open,
    /// It runs again as another task.
    Redriven,
    /// Nobody wants it any more.
    Discarded,
    /// It was sent on to its dead letter sink.
    Forwarded,
}

/// An ask that nobody has answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenAsk {
    /// Its name.
    pub name: String,
    /// The request's method, e.g. `elicitation/create`.
    pub method: String,
    /// What is asked, in words, where the request says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

/// One transition of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// RFC 3339 in the API; milliseconds since the epoch in the store.
    pub at: String,
    /// The state entered.
    pub to: State,
    /// Who did it: `caller`, `broker`, `function`, `operator`.
    pub by: String,
    /// In words, where there is something to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What is known of the attempt that failed with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}
