//! What runs, as the ledger has it in memory.

use std::sync::Arc;

use dormouse_contract::policy::Delivery;

use crate::event::Seq;
use crate::lane::{Order, Turn, Waiting};
use crate::task::{AttemptToken, Millis, NewTask, TaskId};

/// An attempt in a dispatcher's hands.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) pool: Arc<str>,
    pub(super) capability: Arc<str>,
    pub(super) principal: Arc<str>,
    pub(super) order: Option<Order>,
    /// The log's end when it was accepted.
    pub(super) seen: Seq,
    pub(super) round: u32,
    pub(super) attempt: u32,
    pub(super) token: AttemptToken,
    /// When the round's first attempt began, and later by as long as it waited for a slot since.
    pub(super) started_at: Millis,
    pub(super) deadline: Millis,
    pub(super) stood: Stood,
    pub(super) is_event: bool,
    pub(super) delivery: Arc<Delivery>,
    /// The task itself, while it has no row (`stored: lazily`).
    pub(super) unstored: Option<Arc<NewTask>>,
}

impl Live {
    /// The task as it stands in a queue.
    pub(super) fn waiting(&self, task: TaskId) -> Waiting {
        Waiting {
            task,
            turn: Turn {
                principal: Arc::clone(&self.principal),
                is_event: self.is_event,
            },
            order: self.order,
        }
    }
}

/// How a claimed task stood in its queue: what it comes back to when it reached nobody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stood {
    /// Since when it could have been claimed.
    pub(crate) due: Millis,
    /// As [`Row::started_at`](crate::store::Row::started_at).
    pub(crate) started_at: Option<Millis>,
}

impl Stood {
    /// A task that has not run.
    pub(super) fn since(due: Millis) -> Self {
        let started_at = None;
        Self { due, started_at }
    }
}
