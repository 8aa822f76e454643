//! One pool's queue: who runs next in it.
//!
//! Principals take turns, so that one caller's thousand tasks do not starve another's one. Tasks of
//! one order run one at a time: while the first of them waits, runs or is retried, the others are
//! held behind it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::task::{Millis, TaskId};

/// A waiting task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) task: TaskId,
    pub(crate) turn: Turn,
    /// Which tasks wait for each other.
    pub(crate) order: Option<Order>,
}

/// Among whom tasks of a pool take turns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Turn {
    pub(crate) principal: Arc<str>,
    pub(crate) is_event: bool,
}

/// What the tasks of one order have in common: a hash of trigger, source and subject. Two orders
/// with the same hash wait for each other without need, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Order(pub(crate) i64);

impl Order {
    /// The order of these words: FNV-1a, because it is stored and must stay the same.
    pub(crate) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for word in words {
            for byte in word.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(hash.cast_signed())
    }
}

/// Where a task went that came into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It can be handed out when its time and turn come.
    Queued,
    /// It is held behind the first of its order.
    Held,
}

/// One pool's queue and slots.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Tasks are handed out only while the pool is open.
    pub(crate) open: bool,
    /// Nothing is handed out, what comes waits.
    pub(crate) draining: bool,
    /// Nothing is handed out for a while: nobody there takes anything.
    pub(crate) pause: Option<Pause>,
    /// How many tasks may run at the same time.
    pub(crate) slots: usize,
    /// How many calls may wait.
    pub(crate) limit: usize,
    /// How many tasks run.
    pub(crate) running: usize,
    turns: VecDeque<Turn>,
    queues: HashMap<Turn, VecDeque<TaskId>>,
    ready: Count,
    delayed: BTreeMap<(Millis, TaskId), Turn>,
    delays: HashMap<TaskId, Millis>,
    delayed_count: Count,
    /// The orders whose first task has not ended, and who is held behind it.
    held: HashMap<Order, VecDeque<(TaskId, Arc<str>)>>,
    held_count: usize,
}

/// For how long a pool gets nothing.
#[derive(Debug)]
pub(crate) struct Pause {
    pub(crate) until: Millis,
    /// Why, in words.
    pub(crate) why: String,
}

/// How many calls and events there are.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    calls: usize,
    events: usize,
}

impl Count {
    fn of(&mut self, turn: &Turn) -> &mut usize {
        match turn.is_event {
            true => &mut self.events,
            false => &mut self.calls,
        }
    }

    fn all(self) -> usize {
        self.calls + self.events
    }
}

impl Lane {
    /// How many tasks wait, delayed and held ones included.
    pub(crate) fn waiting(&self) -> usize {
        self.ready.all() + self.delayed_count.all() + self.held_count
    }

    /// How many calls wait, delayed ones included.
    pub(crate) fn calls_waiting(&self) -> usize {
        self.ready.calls + self.delayed_count.calls
    }

    /// How many tasks of events wait, delayed and held ones included.
    pub(crate) fn events_waiting(&self) -> usize {
        self.waiting() - self.calls_waiting()
    }

    /// Whether a new task may run at once without overtaking one that waits.
    pub(crate) fn is_free(&self, now: Millis) -> bool {
        self.gives(now) && self.ready.all() == 0
    }

    /// Whether a waiting task would be handed out now.
    fn gives(&self, now: Millis) -> bool {
        self.open && !self.draining && !self.is_paused(now) && self.running < self.slots
    }

    fn is_paused(&self, now: Millis) -> bool {
        self.pause.as_ref().is_some_and(|pause| now < pause.until)
    }

    /// Whether the first task of an order has not ended yet.
    pub(crate) fn is_busy(&self, order: Order) -> bool {
        self.held.contains_key(&order)
    }

    /// Begins an order with a task that runs at once.
    pub(crate) fn begin(&mut self, order: Order) {
        self.held.entry(order).or_default();
    }

    /// Takes back [`Lane::begin`].
    pub(crate) fn unbegin(&mut self, order: Order) {
        self.held.remove(&order);
    }

    /// Takes in a new task: the first of its order, or one of none, gets into the queue.
    pub(crate) fn push(&mut self, waiting: Waiting, not_before: Millis, now: Millis) -> Place {
        if let Some(order) = waiting.order {
            if let Some(held) = self.held.get_mut(&order) {
                held.push_back((waiting.task, waiting.turn.principal));
                self.held_count += 1;
                return Place::Held;
            }
            self.begin(order);
        }
        self.push_again(waiting, not_before, now);
        Place::Queued
    }

    /// Takes back a task that ran: its order waits for it.
    pub(crate) fn push_again(&mut self, waiting: Waiting, not_before: Millis, now: Millis) {
        if not_before > now {
            *self.delayed_count.of(&waiting.turn) += 1;
            self.delays.insert(waiting.task, not_before);
            self.delayed
                .insert((not_before, waiting.task), waiting.turn);
            return;
        }
        self.queue(waiting.turn).push_back(waiting.task);
    }

    /// Takes back [`Lane::push`].
    pub(crate) fn unpush(&mut self, waiting: &Waiting, place: Place) {
        match (place, waiting.order) {
            (Place::Held, Some(order)) => drop(self.remove_held(order, waiting.task)),
            (Place::Queued, Some(order)) => {
                self.remove(waiting);
                self.unbegin(order);
            }
            (Place::Held | Place::Queued, None) => drop(self.remove(waiting)),
        }
    }

    /// Puts back what [`Lane::pop`] gave out, at the front.
    pub(crate) fn put_back(&mut self, waiting: Waiting) {
        self.queue(waiting.turn).push_front(waiting.task);
    }

    /// The first task of an order has ended: the next one gets into the queue, if there is one.
    pub(crate) fn release(&mut self, order: Order) -> Option<Waiting> {
        let held = self.held.get_mut(&order)?;
        let Some((task, principal)) = held.pop_front() else {
            self.held.remove(&order);
            return None;
        };
        self.held_count -= 1;
        let waiting = Waiting {
            task,
            turn: Turn {
                principal,
                is_event: true,
            },
            order: Some(order),
        };
        self.queue(waiting.turn.clone()).push_back(task);
        Some(waiting)
    }

    /// Takes back [`Lane::release`], which gave `next`.
    pub(crate) fn unrelease(&mut self, order: Order, next: Option<Waiting>) {
        self.begin(order);
        if let Some(next) = next {
            self.remove(&next);
            let held = self.held.entry(order).or_default();
            held.push_front((next.task, next.turn.principal));
            self.held_count += 1;
        }
    }

    /// Takes a held task out of its order. Where it stood; `None` when it is not held.
    pub(crate) fn remove_held(&mut self, order: Order, task: TaskId) -> Option<usize> {
        let held = self.held.get_mut(&order)?;
        let place = held.iter().position(|(other, _)| *other == task)?;
        held.remove(place);
        self.held_count -= 1;
        Some(place)
    }

    /// Takes back [`Lane::remove_held`].
    pub(crate) fn hold_again(&mut self, order: Order, waiting: Waiting, place: usize) {
        let held = self.held.entry(order).or_default();
        held.insert(place, (waiting.task, waiting.turn.principal));
        self.held_count += 1;
    }

    fn queue(&mut self, turn: Turn) -> &mut VecDeque<TaskId> {
        *self.ready.of(&turn) += 1;
        if !self.queues.contains_key(&turn) {
            self.turns.push_back(turn.clone());
        }
        self.queues.entry(turn).or_default()
    }

    /// The next task, by turns between principals.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let turn = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&turn)?;
        let task = queue.pop_front()?;
        *self.ready.of(&turn) -= 1;
        if queue.is_empty() {
            self.queues.remove(&turn);
        } else {
            self.turns.push_back(turn.clone());
        }
        Some(Waiting {
            task,
            turn,
            order: None,
        })
    }

    /// Takes a task out of the queue. `false` when it does not stand there.
    pub(crate) fn remove(&mut self, waiting: &Waiting) -> bool {
        let (task, turn) = (waiting.task, &waiting.turn);
        if let Some(at) = self.delays.remove(&task) {
            *self.delayed_count.of(turn) -= 1;
            return self.delayed.remove(&(at, task)).is_some();
        }
        let Some(queue) = self.queues.get_mut(turn) else {
            return false;
        };
        let Some(place) = queue.iter().position(|other| *other == task) else {
            return false;
        };
        queue.remove(place);
        if queue.is_empty() {
            self.queues.remove(turn);
            self.turns.retain(|other| other != turn);
        }
        *self.ready.of(turn) -= 1;
        true
    }

    /// Moves tasks whose delay is over into the queue.
    fn ripen(&mut self, now: Millis) {
        while let Some((&(at, task), _)) = self.delayed.first_key_value()
            && at <= now
        {
            if let Some(turn) = self.delayed.remove(&(at, task)) {
                *self.delayed_count.of(&turn) -= 1;
                self.delays.remove(&task);
                self.queue(turn).push_back(task);
            }
        }
    }

    /// The next task that may be handed out at this time.
    pub(crate) fn next(&mut self, now: Millis) -> Option<Waiting> {
        self.ripen(now);
        if !self.is_paused(now) {
            self.pause = None;
        }
        self.gives(now).then(|| self.pop()).flatten()
    }

    /// When the first delay or the pause is over, while the pool is open. What waits for nothing but a
    /// slot is due with the end of what runs.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        let until = self.pause.as_ref().map(|pause| pause.until);
        let delayed = self.delayed.first_key_value();
        let delayed = delayed.map(|(&(at, _), _)| until.map_or(at, |until| at.max(until)));
        let paused = until.filter(|_| self.ready.all() > 0 && self.running < self.slots);
        let due = delayed.into_iter().chain(paused).min();
        due.filter(|_| self.open && !self.draining)
    }
}

#[cfg(test)]
pub(crate) mod tests;
