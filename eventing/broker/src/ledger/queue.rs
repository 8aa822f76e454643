//! The pools' queues, as the ledger changes them.

use std::sync::Arc;

use super::{Ledger, Undo};
use crate::lane::{Order, Waiting};
use crate::task::Millis;

impl Ledger {
    pub(crate) fn open_pool(&mut self, pool: &Arc<str>, slots: usize, limit: usize) {
        let lane = self.lanes.lane(pool);
        lane.open = true;
        lane.slots = slots;
        lane.limit = limit;
        // It may be another one now.
        lane.pause = None;
    }

    pub(crate) fn close_pool(&mut self, pool: &Arc<str>) {
        self.lanes.lane(pool).open = false;
    }

    /// Hands out nothing more of a pool (or of any), or goes on.
    pub(crate) fn hold(&mut self, pool: Option<&Arc<str>>, held: bool) {
        match pool {
            Some(pool) => self.lanes.lane(pool).draining = held,
            None => self.lanes.hold(held),
        }
    }

    /// Puts a new task into its pool's queue.
    pub(super) fn enqueue(
        &mut self,
        pool: &Arc<str>,
        waiting: Waiting,
        not_before: Millis,
        now: Millis,
    ) {
        let lane = self.lanes.lane(pool);
        let place = lane.push(waiting.clone(), not_before, now);
        self.undo
            .push(Undo::Queued(Arc::clone(pool), waiting, place));
    }

    /// Puts a task back that had been handed out.
    pub(super) fn requeue(
        &mut self,
        pool: &Arc<str>,
        waiting: Waiting,
        not_before: Millis,
        now: Millis,
    ) {
        self.undo
            .push(Undo::Requeued(Arc::clone(pool), waiting.clone()));
        self.lanes.lane(pool).push_again(waiting, not_before, now);
    }

    /// Puts a task back where it stood before it was handed out.
    pub(super) fn put_back(&mut self, pool: &Arc<str>, waiting: Waiting) {
        self.undo
            .push(Undo::Requeued(Arc::clone(pool), waiting.clone()));
        self.lanes.lane(pool).put_back(waiting);
    }

    /// Takes a task that is about to end out of its pool's queue.
    pub(super) fn dequeue(&mut self, pool: &Arc<str>, waiting: Waiting) {
        let lane = self.lanes.lane(pool);
        if let Some(order) = waiting.order
            && let Some(place) = lane.remove_held(order, waiting.task)
        {
            self.undo
                .push(Undo::Unheld(Arc::clone(pool), order, waiting, place));
        } else if lane.remove(&waiting) {
            let order = waiting.order;
            self.undo.push(Undo::Unqueued(Arc::clone(pool), waiting));
            self.release(pool, order);
        }
    }

    /// The first task of an order has ended: the next one may run.
    pub(super) fn release(&mut self, pool: &Arc<str>, order: Option<Order>) {
        let Some(order) = order else {
            return;
        };
        let lane = self.lanes.lane(pool);
        if lane.is_busy(order) {
            let next = lane.release(order);
            self.undo
                .push(Undo::Released(Arc::clone(pool), order, next));
        }
    }
}
