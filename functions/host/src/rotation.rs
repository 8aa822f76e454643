//! Which instances there are, who runs where and who waits: decisions only, no IO, no clock.
//!
//! `I` is an instance as its calls see it, `W` a call that waits. While calls wait, no ready
//! instance has room.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dormouse_contract::balance::{Balance, weight};
use dormouse_contract::registration::Instances;

use crate::launch::Scaling;
use crate::setback::Setback;

/// Shorter times without a call are taken as this: busy instances are looked at as often.
const LEAST_IDLE: Duration = Duration::from_millis(10);

/// A call that waits for room.
pub(crate) trait Waiting {
    /// Whether nobody wants the answer any more.
    fn gave_up(&self) -> bool;
}

/// How a call was taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission<I> {
    /// It may run here at once; its place is taken.
    Here(I),
    /// It has to wait: enqueue it.
    Wait,
    /// It cannot run, for this reason.
    Refused(String),
}

/// What became of a place that a call left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Released<W> {
    /// This waiting call takes it.
    Handed(W),
    /// It is free.
    Free,
    /// It was the last one of an instance that is to stop: stop it.
    Drained,
}

pub(crate) struct Rotation<I, W> {
    scaling: Scaling,
    balance: Balance,
    slots: Vec<Slot<I>>,
    waiting: VecDeque<W>,
    next_id: u64,
    turn: usize,
    retired: bool,
    setback: Setback,
}

struct Slot<I> {
    id: u64,
    phase: Phase<I>,
    in_flight: usize,
    idle_since: Instant,
    /// Whether it was ever given a call.
    used: bool,
}

enum Phase<I> {
    Waking,
    Ready(I),
    Stopping,
}

impl<I> Slot<I> {
    /// Takes a ready instance without calls out of rotation.
    fn stop_if_unused(&mut self) -> Option<I> {
        if self.in_flight > 0 {
            return None;
        }
        match std::mem::replace(&mut self.phase, Phase::Stopping) {
            Phase::Ready(instance) => Some(instance),
            other @ (Phase::Waking | Phase::Stopping) => {
                self.phase = other;
                None
            }
        }
    }
}

impl<I: Clone, W: Waiting> Rotation<I, W> {
    pub(crate) fn new(scaling: Scaling, balance: Balance) -> Self {
        let max = scaling.max.max(1);
        Self {
            scaling: Scaling {
                min: scaling.min.min(max),
                max,
                concurrency: scaling.concurrency.max(1),
                idle: scaling.idle.max(LEAST_IDLE),
            },
            balance,
            slots: Vec::new(),
            waiting: VecDeque::new(),
            next_id: 0,
            turn: 0,
            retired: false,
            setback: Setback::default(),
        }
    }

    /// Takes a call; `affinity` is what it has in common with others.
    pub(crate) fn admit(&mut self, affinity: Option<&[u8]>, now: Instant) -> Admission<I> {
        if self.retired {
            return Admission::Refused("this revision has been retired".to_owned());
        }
        if let Some(instance) = self.take_place(affinity) {
            return Admission::Here(instance);
        }
        if self.awake() == 0
            && self.setback.held_until(now).is_some()
            && let Some(words) = self.setback.words()
        {
            return Admission::Refused(words.to_owned());
        }
        Admission::Wait
    }

    /// A call that waits, behind those that wait already.
    pub(crate) fn enqueue(&mut self, call: W) {
        self.waiting.push_back(call);
    }

    /// How many instances should be started now.
    pub(crate) fn shortfall(&mut self, now: Instant) -> usize {
        if self.setback.held_until(now).is_some() {
            return 0;
        }
        self.waiting.retain(|call| !call.gave_up());
        let coming = self.count(|phase| matches!(phase, Phase::Waking));
        let places = coming.saturating_mul(self.scaling.concurrency);
        let unserved = self.waiting.len().saturating_sub(places);
        let needed = unserved.div_ceil(self.scaling.concurrency);
        let warm = if self.retired { 0 } else { self.scaling.min };
        let awake = self.awake();
        needed
            .max(warm.saturating_sub(awake))
            .min(self.scaling.max.saturating_sub(awake))
    }

    /// A new instance is about to be started; returns its id.
    pub(crate) fn waking(&mut self, now: Instant) -> u64 {
        self.next_id += 1;
        self.slots.push(Slot {
            id: self.next_id,
            phase: Phase::Waking,
            in_flight: 0,
            idle_since: now,
            used: false,
        });
        self.next_id
    }

    /// An instance is ready; returns the waiting calls that now run on it, and whether it is to
    /// stop at once because nobody wants it any more.
    pub(crate) fn ready(&mut self, id: u64, instance: I, now: Instant) -> (Vec<W>, bool) {
        self.setback.ready();
        let mut handed = Vec::new();
        while handed.len() < self.scaling.concurrency
            && let Some(call) = self.next_waiting()
        {
            handed.push(call);
        }
        let stop = self.retired && handed.is_empty();
        if let Some(slot) = self.slot(id) {
            slot.in_flight = handed.len();
            slot.used = !handed.is_empty();
            slot.idle_since = now;
            slot.phase = if stop {
                Phase::Stopping
            } else {
                Phase::Ready(instance)
            };
        }
        (handed, stop)
    }

    /// A call has left its place. `answered`: with an answer.
    pub(crate) fn release(&mut self, id: u64, answered: bool, now: Instant) -> Released<W> {
        if answered {
            self.setback.proved();
        }
        let next = match self.slot(id).map(|slot| &slot.phase) {
            Some(Phase::Ready(_)) => self.next_waiting(),
            Some(Phase::Waking | Phase::Stopping) | None => None,
        };
        let done = self.retired && self.waiting.is_empty();
        let Some(slot) = self.slot(id) else {
            return Released::Free;
        };
        if let Some(call) = next {
            return Released::Handed(call);
        }
        slot.in_flight = slot.in_flight.saturating_sub(1);
        if slot.in_flight > 0 {
            return Released::Free;
        }
        slot.idle_since = now;
        match slot.phase {
            Phase::Ready(_) if done => {
                slot.phase = Phase::Stopping;
                Released::Drained
            }
            Phase::Stopping => Released::Drained,
            Phase::Waking | Phase::Ready(_) => Released::Free,
        }
    }

    /// Takes an instance out of rotation; `true` when nothing runs on it and it can be stopped.
    pub(crate) fn withdraw(&mut self, id: u64) -> bool {
        self.slot(id).is_some_and(|slot| {
            slot.phase = Phase::Stopping;
            slot.in_flight == 0
        })
    }

    /// Takes the instances out of rotation that had no call for too long: they can be stopped.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<I> {
        let mut spare = self.awake().saturating_sub(self.scaling.min);
        let idle = self.scaling.idle;
        let mut expired = Vec::new();
        // The youngest first: the oldest have the warmest caches.
        for slot in self.slots.iter_mut().rev() {
            let tired = now.saturating_duration_since(slot.idle_since) >= idle;
            if spare > 0
                && tired
                && let Some(instance) = slot.stop_if_unused()
            {
                expired.push(instance);
                spare -= 1;
            }
        }
        if !expired.is_empty() {
            self.setback.proved();
        }
        expired
    }

    /// When to look again for instances to stop or start; `None` when there is nothing to watch.
    pub(crate) fn next_look(&self, now: Instant) -> Option<Instant> {
        let missing = !self.retired && self.awake() < self.scaling.min;
        let held = self.setback.held_until(now);
        let again = held.filter(|_| missing || !self.waiting.is_empty());
        let spare = self.awake() > self.scaling.min;
        let ready = self
            .slots
            .iter()
            .filter(|slot| spare && matches!(slot.phase, Phase::Ready(_)));
        // An instance that is busy now cannot expire sooner than one that falls idle now.
        let expiry = ready
            .map(|slot| {
                if slot.in_flight == 0 {
                    slot.idle_since
                } else {
                    now
                }
            })
            .filter_map(|since| since.checked_add(self.scaling.idle))
            .min();
        match (again, expiry) {
            (Some(again), Some(expiry)) => Some(again.min(expiry)),
            (one, other) => one.or(other),
        }
    }

    /// Whether there is nothing at all to watch: no process, nobody waiting, none wanted.
    pub(crate) fn is_asleep(&self) -> bool {
        self.slots.is_empty() && self.waiting.is_empty() && (self.retired || self.scaling.min == 0)
    }

    /// An instance is gone. `failure` says why, when nobody had told it to stop; it counts against
    /// the program when the instance was never given a call: a call that kills its process must
    /// not keep others from running. Returns the waiting calls that can no
    /// longer hope.
    pub(crate) fn gone(&mut self, id: u64, failure: Option<&str>, now: Instant) -> Vec<W> {
        let used = self.slot(id).is_some_and(|slot| slot.used);
        self.slots.retain(|slot| slot.id != id);
        match failure {
            Some(words) if !used => self.setback.failed(words.to_owned(), now),
            Some(_) | None => return Vec::new(),
        }
        if self.awake() > 0 {
            return Vec::new();
        }
        self.waiting.drain(..).collect()
    }

    /// Takes no new calls; those that wait are still served. Returns the instances that can be
    /// stopped at once.
    pub(crate) fn retire(&mut self) -> Vec<I> {
        self.retired = true;
        self.waiting.retain(|call| !call.gave_up());
        if !self.waiting.is_empty() {
            return Vec::new();
        }
        self.slots
            .iter_mut()
            .filter_map(Slot::stop_if_unused)
            .collect()
    }

    /// Gives up on the calls that wait.
    pub(crate) fn abandon(&mut self) -> Vec<W> {
        self.waiting.drain(..).collect()
    }

    /// How many there are, for people.
    pub(crate) fn instances(&self) -> Instances {
        Instances {
            ready: self.count(|phase| matches!(phase, Phase::Ready(_))),
            waking: self.count(|phase| matches!(phase, Phase::Waking)),
            stopping: self.count(|phase| matches!(phase, Phase::Stopping)),
            failure: self.setback.words().map(str::to_owned),
        }
    }

    fn take_place(&mut self, affinity: Option<&[u8]>) -> Option<I> {
        let has_room = |slot: &Slot<I>| {
            matches!(slot.phase, Phase::Ready(_)) && slot.in_flight < self.scaling.concurrency
        };
        let count = self.slots.len();
        let mut with_room = (1..=count)
            .map(|step| (self.turn + step) % count)
            .filter(|place| has_room(&self.slots[*place]));
        let chosen = match (self.balance, affinity) {
            (Balance::LeastConnections, _) => {
                with_room.min_by_key(|place| (self.slots[*place].in_flight, *place))
            }
            (Balance::SessionAffinity, Some(key)) => {
                with_room.max_by_key(|place| weight(key, &self.slots[*place].id.to_le_bytes()))
            }
            (Balance::RoundRobin, _) | (Balance::SessionAffinity, None) => with_room.next(),
        }?;
        self.turn = chosen;
        let slot = &mut self.slots[chosen];
        match &slot.phase {
            Phase::Ready(instance) => {
                slot.in_flight += 1;
                slot.used = true;
                Some(instance.clone())
            }
            Phase::Waking | Phase::Stopping => None,
        }
    }

    fn next_waiting(&mut self) -> Option<W> {
        std::iter::from_fn(|| self.waiting.pop_front()).find(|call| !call.gave_up())
    }

    fn slot(&mut self, id: u64) -> Option<&mut Slot<I>> {
        self.slots.iter_mut().find(|slot| slot.id == id)
    }

    fn awake(&self) -> usize {
        self.count(|phase| matches!(phase, Phase::Waking | Phase::Ready(_)))
    }

    fn count(&self, is: impl Fn(&Phase<I>) -> bool) -> usize {
        self.slots.iter().filter(|slot| is(&slot.phase)).count()
    }
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
