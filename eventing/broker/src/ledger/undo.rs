//! Taking a batch back that could not be committed.

use std::sync::Arc;

use super::{Ledger, Live};
use crate::event::Seq;
use crate::lane::{Order, Place, Waiting};
use crate::task::{NewTask, TaskId};

/// How the picture in memory is taken back when a batch cannot be committed.
#[derive(Debug)]
pub(super) enum Undo {
    Started(TaskId),
    Finished(TaskId, Live),
    Queued(Arc<str>, Waiting, Place),
    /// It came back from an attempt.
    Requeued(Arc<str>, Waiting),
    Unqueued(Arc<str>, Waiting),
    /// It was held at this place of its order.
    Unheld(Arc<str>, Order, Waiting, usize),
    /// An order began with a task that runs at once.
    Begun(Arc<str>, Order),
    /// An order went on, with this task if there was one.
    Released(Arc<str>, Order, Option<Waiting>),
    /// An event entered the log.
    Logged,
    FloorMoved(TaskId),
    /// It got its row in this batch.
    Stored(TaskId, Arc<NewTask>),
}

impl Ledger {
    /// Takes the whole batch back and tells so.
    pub(crate) fn rollback(&mut self, why: &rusqlite::Error) {
        tracing::error!(error = %why, "the store failed; the calls of this batch are refused");
        if let Err(error) = self.store.rollback() {
            tracing::error!(%error, "rolling back failed");
        }
        // One of them may have been entered in this very batch.
        self.policies.clear();
        self.types.clear();
        // The store knows.
        self.waits.doubt();
        self.next_expiry = 0;
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Started(task) => {
                    if let Some(live) = self.live.remove(&task) {
                        self.lanes.finish(&live.pool);
                    }
                }
                Undo::Finished(task, live) => {
                    self.lanes.start(&live.pool);
                    self.live.insert(task, live);
                }
                Undo::Queued(pool, waiting, place) => {
                    self.lanes.lane(&pool).unpush(&waiting, place);
                }
                Undo::Requeued(pool, waiting) => drop(self.lanes.lane(&pool).remove(&waiting)),
                Undo::Unqueued(pool, waiting) => self.lanes.lane(&pool).put_back(waiting),
                Undo::Unheld(pool, order, waiting, place) => {
                    self.lanes.lane(&pool).hold_again(order, waiting, place);
                }
                Undo::Begun(pool, order) => self.lanes.lane(&pool).unbegin(order),
                Undo::Released(pool, order, next) => {
                    self.lanes.lane(&pool).unrelease(order, next);
                }
                Undo::Logged => {
                    self.log_end = Seq(self.log_end.0.saturating_sub(1));
                    self.window.unpush();
                }
                Undo::FloorMoved(before) => self.floor = before,
                Undo::Stored(task, unstored) => {
                    if let Some(live) = self.live.get_mut(&task) {
                        live.unstored = Some(unstored);
                    }
                }
            }
        }
        let why = why.to_string();
        self.effects.drain(..).for_each(|effect| effect.fail(&why));
    }
}
