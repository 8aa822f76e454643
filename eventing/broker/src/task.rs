//! A task as the broker's callers see it: what goes in, what a dispatcher gets, what is told.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dormouse_contract::policy::Delivery;
use dormouse_contract::task::{Failed, Outcome};
use dormouse_contract::trace::TraceParent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::event::{NewEvent, Way};

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// The time of day, as tasks have it.
#[must_use]
pub fn now() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| Millis::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

/// A task's id: a UUID of version 7, so ids sort by the time of acceptance. In text a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TaskId(#[schemars(with = "String", extend("format" = "uuid"))] Uuid);

impl TaskId {
    /// A new id for a task that is about to be accepted.
    #[must_use]
    pub fn new() -> Self {
        Self::at(now(), rand::random())
    }

    /// The id of a task of this moment.
    pub(crate) fn at(now: Millis, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// When it was made.
    pub(crate) fn millis(self) -> Millis {
        let [a, b, c, d, e, f, ..] = *self.0.as_bytes();
        i64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// The lowest id of this moment: ids of earlier tasks sort before it.
    #[must_use]
    pub fn first_of(moment: Millis) -> Self {
        Self::at(moment, [0; 10])
    }

    /// The id in 16 bytes, which sort as the ids do.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl Default for TaskId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl FromStr for TaskId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The secret of one attempt: who answers with it is believed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptToken(u128);

impl AttemptToken {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for AttemptToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl fmt::Debug for AttemptToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("AttemptToken(..)")
    }
}

impl FromStr for AttemptToken {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// What is delivered to the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// The data of a `task.requested` event: a call that someone waits for.
    Call(Bytes),
    /// An event of some producer, its attributes as a structured JSON object without data, and
    /// its data.
    Event {
        /// The context attributes, as in the CloudEvents JSON format.
        attributes: Bytes,
        /// The payload.
        data: Bytes,
        /// The way it came.
        way: Way,
    },
}

/// A task that asks to be accepted.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Chosen by the caller, who registers a [`Waiter`](crate::Waiter) for it first.
    pub id: TaskId,
    /// Which pool runs it.
    pub pool: Arc<str>,
    /// Which capability of the pool: a tool's declared name, or an event's type.
    pub capability: Arc<str>,
    /// What is delivered.
    pub work: Work,
    /// Who calls.
    pub principal: Arc<str>,
    /// How the answer finds its way, opaque to the broker (session, stream, JSON-RPC id).
    pub reply_to: Option<Bytes>,
    /// Calls of one affinity prefer one instance, where the pool asks for that.
    pub affinity: Option<Arc<str>>,
    /// The trace that the task belongs to.
    pub trace: TraceParent,
    /// By which the same call is recognised.
    pub idempotency: Option<Idempotency>,
    /// The policy that holds for it.
    pub delivery: Arc<Delivery>,
}

/// An idempotency key in the scope of principal, pool and capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key, 1 to 256 bytes.
    pub key: String,
    /// SHA-256 of the canonical arguments: the same key with other arguments is an error.
    pub arguments: [u8; 32],
}

/// How [`Broker::accept`](crate::Broker::accept) took a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Stored and promised; the waiter of [`NewTask::id`] hears the ending.
    New,
    /// The same call is already on its way as this task; the waiter was moved to it.
    Joined(TaskId),
    /// The same call has already ended; the waiter has been told the ending.
    Repeated(TaskId),
}

/// A task in a dispatcher's hands: one attempt, already committed as running.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The task.
    pub task: TaskId,
    /// Its pool.
    pub pool: Arc<str>,
    /// Its capability.
    pub capability: Arc<str>,
    /// What to deliver.
    pub work: Work,
    /// Who calls.
    pub principal: Arc<str>,
    /// See [`NewTask::affinity`].
    pub affinity: Option<Arc<str>>,
    /// The trace that the task belongs to.
    pub trace: TraceParent,
    /// The policy that holds for it.
    pub delivery: Arc<Delivery>,
    /// From 1; rises when a suspended task is answered.
    pub round: u32,
    /// From 1 in each round.
    pub attempt: u32,
    /// The attempt's secret.
    pub token: AttemptToken,
    /// When the task was accepted.
    pub accepted_at: Millis,
    /// When the platform stops waiting for this attempt.
    pub deadline: Millis,
    /// What earlier rounds and attempts left; `None` when nothing has been asked or stepped.
    pub replay: Option<Arc<Replay>>,
    /// Cancelled when the task is: abort the attempt, nothing it says counts any more.
    pub cancelled: CancellationToken,
}

/// What earlier rounds and attempts of a task left for the next one. Each is JSON text, as the
/// members of [`Requested`](dormouse_contract::task::Requested) have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// An object: the answers so far by the name of their ask; `{}` when there are none.
    pub answers: Bytes,
    /// An object: the results of committed steps by name; `{}` when there are none.
    pub steps: Bytes,
    /// The revision that suspended the round before.
    pub revision: Option<String>,
}

/// What a dispatcher says of its attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The MCP result to the letter (for a call), or the reply event as structured JSON (for an
    /// event); empty when there is none.
    Completed(Bytes),
    /// The function replied to an event with another: the task is completed, and the reply taken, in
    /// one commit.
    Replied {
        /// The reply as structured JSON.
        reply: Bytes,
        /// The same as it enters the log.
        event: Box<NewEvent>,
    },
    /// The round ended with these open asks.
    Suspended(Asks),
    /// The attempt failed; whether another follows is the broker's decision.
    Failed {
        /// What happened.
        failure: Failed,
        /// The function says that trying again is pointless (a 4xx, or its own `failed` reply).
        last: bool,
        /// How long the function asks to be left alone (`Retry-After`).
        retry_after: Option<std::time::Duration>,
    },
    /// It never left: whoever would take it is left alone. The task waits as if it had not been
    /// claimed, and nothing of its pool is handed out meanwhile.
    Held {
        /// By whom, and for how long, in words.
        why: String,
        /// After so long it may be tried again.
        retry_after: std::time::Duration,
    },
}

/// The open asks of a suspended task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asks {
    /// An object, JSON text to the letter: each [`Ask`](dormouse_contract::suspension::Ask) by its
    /// name.
    pub asks: Bytes,
    /// The revision that asked.
    pub revision: Option<String>,
}

/// How [`Broker::answer`](crate::Broker::answer) took answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// Everything is answered: the task goes on with its next round.
    Continued,
    /// The answers are stored, and these asks (an object, JSON text) are still open.
    Open(Bytes),
    /// This round was answered before: nothing changed, and whoever waits hears what comes of it.
    Before,
    /// The task ended otherwise, or was never asked.
    TooLate(State),
    /// There is no such task for this principal.
    Unknown,
}

/// How [`Broker::step`](crate::Broker::step) took the result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// It is committed.
    Stored,
    /// The same result was committed before: nothing changed.
    Known,
    /// Another result was committed before, and holds.
    Different,
    /// Tasks of events keep no steps: an event is delivered as it was sent, so nothing could bring
    /// them along.
    NotKept,
    /// The task's steps would be more than 1,000, or hold more than 4 MiB together: each later round
    /// carries them all.
    TooMuch,
    /// The token is not that of a running attempt.
    NotRunning,
}

/// Where a task stands, for who comes back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who called.
    pub principal: Arc<str>,
    /// Its pool.
    pub pool: Arc<str>,
    /// Its capability.
    pub capability: Arc<str>,
    /// Its state.
    pub state: State,
    /// From 1.
    pub round: u32,
    /// The open asks (an object, JSON text), while it is suspended.
    pub asks: Option<Bytes>,
    /// How it ended, once it has.
    pub ending: Option<Ending>,
    /// See [`NewTask::reply_to`].
    pub reply_to: Option<Bytes>,
    /// When it was accepted.
    pub accepted_at: Millis,
    /// When its state last changed.
    pub changed_at: Millis,
    /// What was asked, as delivered.
    pub work: Work,
}

/// A task's state. Changes only through [`crate::task`]'s transition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Stored, waiting for a slot (or for the delay before a retry).
    Accepted,
    /// One attempt is in a dispatcher's hands.
    Running,
    /// Asleep until someone answers.
    Suspended,
    /// Ended with a result.
    Completed,
    /// Ended without one.
    Failed,
    /// Ended by the caller or an operator.
    Cancelled,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With this MCP result (see [`Report::Completed`]).
    Completed(Bytes),
    /// With this error.
    Failed(Failed),
    /// By the caller or an operator, for this reason.
    Cancelled(String),
}

impl Ending {
    /// What is known of whether the handler ran; `None` when it completed.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Completed(_) => None,
            Self::Failed(failed) => Some(failed.outcome),
            Self::Cancelled(_) => Some(Outcome::Unknown),
        }
    }
}
