//! Events as the broker's callers see them: what goes into the log, what it became, what is read.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use dormouse_contract::Event;
use dormouse_contract::policy::Delivery;
use dormouse_contract::trace::TraceParent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::TaskRecord;
use crate::task::{State, TaskId};

/// An event's place in the log: it rises with each event that is taken, from 1.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    pub(crate) fn to_sql(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    pub(crate) fn from_sql(stored: i64) -> Self {
        Self(u64::try_from(stored).unwrap_or_default())
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl FromStr for Seq {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// An event that asks to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The event: valid, and without the platform's tokens.
    pub event: Event,
    /// The trace that it belongs to.
    pub trace: TraceParent,
    /// The way it came.
    pub way: Way,
    /// The task whose function sent it, or replied with it.
    pub cause: Option<TaskId>,
    /// One for each trigger that takes it.
    pub routes: Vec<Route>,
}

/// The pools that an event came through, from reply to reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// How many.
    pub hops: u32,
    /// Their names as far as they are known, oldest first, with `, ` between them.
    pub via: Option<Arc<str>>,
}

impl Way {
    /// The way of what a pool sends while it handles something that came this way.
    #[must_use]
    pub fn through(&self, pool: &str) -> Self {
        let via = match &self.via {
            Some(via) => format!("{via}, {pool}").into(),
            None => pool.into(),
        };
        Self {
            hops: self.hops.saturating_add(1),
            via: Some(via),
        }
    }
}

/// A trigger that takes an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The pool.
    pub pool: Arc<str>,
    /// What of the pool takes it; the event's type, where nothing else is said.
    pub capability: Option<Arc<str>>,
    /// The trigger's name.
    pub trigger: Arc<str>,
    /// Whether events with the same source and subject wait for each other.
    pub ordered: bool,
    /// The policy that holds for the task.
    pub delivery: Arc<Delivery>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its place in the log; that of the first one when it is a duplicate.
    pub seq: Seq,
    /// One for each route, in their order; empty when it is a duplicate.
    pub tasks: Vec<TaskId>,
    /// An event of this source and id was taken before: nothing has been stored.
    pub is_duplicate: bool,
}

/// A small document that the broker keeps for others, by kind and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whose it is, e.g. `schedule`.
    pub kind: &'static str,
    /// Its name within the kind.
    pub name: String,
    /// The document; `None` takes it away.
    pub value: Option<Bytes>,
}

/// Which events to list, the newest first; absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// Only of this type.
    #[serde(rename = "type")]
    pub ty: Option<String>,
    /// Only from this source.
    pub source: Option<String>,
    /// Only with this subject.
    pub subject: Option<String>,
    /// Only with this id.
    pub id: Option<String>,
    /// Only later ones.
    pub after: Option<Seq>,
    /// Only earlier ones: the last of the page before.
    pub before: Option<Seq>,
    /// At most so many; default and maximum 100.
    pub limit: Option<usize>,
}

/// An event of the log, without its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    /// Its place in the log.
    pub seq: Seq,
    /// Its `id`.
    pub id: String,
    /// Its `source`.
    pub source: String,
    /// Its `type`.
    #[serde(rename = "type")]
    pub ty: String,
    /// Its `subject`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// When it was taken, RFC 3339.
    pub received_at: String,
    /// How many pools it came through.
    pub hops: u32,
    /// Their names, oldest first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub via: Option<String>,
    /// The task whose function sent it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<TaskId>,
    /// How many bytes of data it has.
    pub size: u64,
    /// How many tasks it became.
    pub tasks: u64,
}

/// An event of the log with all that is known of it.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Its record.
    pub record: EventRecord,
    /// The event.
    pub event: Event,
    /// Its tasks with their histories, in the order of their triggers; those of redrives follow.
    pub tasks: Vec<TaskRecord>,
}

/// A type of which the log has events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventType {
    /// The type.
    #[serde(rename = "type")]
    pub ty: String,
    /// The place of its newest event.
    pub last: Seq,
    /// When that was taken, RFC 3339.
    pub last_at: String,
}

/// Something that has been committed, for who looks on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A task entered a state.
    Task {
        /// The task.
        id: TaskId,
        /// Its pool.
        pool: Arc<str>,
        /// Its capability.
        capability: Arc<str>,
        /// The state.
        state: State,
        /// It is a dead letter from now on.
        is_dead: bool,
    },
    /// An event was taken.
    Event {
        /// Its place in the log.
        seq: Seq,
        /// Its `type`.
        ty: Arc<str>,
        /// Its `source`.
        source: Arc<str>,
        /// Its `subject`.
        subject: Option<Arc<str>>,
        /// Its `id`.
        id: Arc<str>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_names_the_pools_in_order() {
        let way = Way::default().through("a").through("b");
        assert_eq!((way.hops, way.via.as_deref()), (2, Some("a, b")));
    }
}
