//! The durable task core of Dormouse.
//!
//! A [`Broker`] accepts tasks, hands them to dispatchers as [`Claim`]s, settles each exactly once
//! and tells whoever waits. Every promise is kept by a store: what [`Broker::accept`] has
//! answered survives the process.
//!
//! Payloads are bytes to the broker; it knows no MCP, no session and no function.

mod api;
mod attempt;
mod command;
pub mod config;
mod depth;
mod disk;
mod effect;
mod error;
pub mod event;
mod feed;
mod history;
mod lane;
mod lanes;
mod ledger;
mod log;
mod object;
mod readers;
mod record;
mod retry;
mod store;
pub mod task;
mod transition;
mod waiters;
mod waits;
mod window;
mod writer;

pub use api::{Broker, Claims};
pub use attempt::{AttemptOutcome, AttemptRecord};
pub use config::{Config, Durability};
pub use error::{Error, Refusal};
pub use event::{
    EventFilter, EventRecord, EventType, Fact, NewEvent, Note, Published, Route, Seq, StoredEvent,
    Way,
};
pub use ledger::{MOST_SAID, SINKS, Selection};
pub use record::{DeadLetter, HistoryEntry, OpenAsk, TaskFilter, TaskRecord};
pub use task::{
    Accepted, Answered, Asks, AttemptToken, Claim, Ending, Idempotency, Millis, NewTask, Replay,
    Report, Standing, State, Stepped, TaskId, Work,
};
pub use transition::Change;
pub use waiters::{Attempt, News, Waiter};
