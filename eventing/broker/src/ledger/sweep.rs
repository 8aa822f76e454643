//! What happens by the clock alone: expiry in the queue, lost leases, retention.

use std::time::Duration;

use dormouse_contract::task::{Failed, Outcome, TaskError};
use rusqlite::Result;

use super::Ledger;
use super::failing::Failure;
use crate::event::Seq;
use crate::history::Actor;
use crate::retry::millis;
use crate::task::{Ending, Millis, TaskId};

/// A dispatcher settles by the deadline; after this much longer its lease counts as lost.
const LEASE_GRACE: Duration = Duration::from_secs(10);
/// How often the clock is looked at while tasks wait or run.
const PERIOD: Duration = Duration::from_secs(1);
/// How soon the next page follows while retention has more to look at.
const RETENTION_PAGE: Duration = Duration::from_millis(50);
/// How often retention is applied.
const RETENTION_PERIOD: Duration = Duration::from_secs(30);

/// When the next sweep is due, and how far retention has come.
#[derive(Debug)]
pub(crate) struct Sweep {
    next: Millis,
    next_retention: Millis,
    cursor: TaskId,
    events: Seq,
    types: i64,
}

impl Sweep {
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            next: now,
            next_retention: now + millis(RETENTION_PERIOD),
            cursor: TaskId::from_bytes([0; 16]),
            events: Seq::default(),
            types: 0,
        }
    }
}

impl Ledger {
    /// When the writer has to wake although no command comes. Nothing waits, nothing runs: only
    /// for retention.
    pub(crate) fn next_wake(&self, sweep: &Sweep) -> Millis {
        let busy = !self.live.is_empty() || self.lanes.iter().any(|(_, lane)| lane.waiting() > 0);
        let clock = if busy { sweep.next } else { Millis::MAX };
        let delayed = self
            .lanes
            .next_due()
            .filter(|_| !self.stopping)
            .unwrap_or(Millis::MAX);
        let expiry = self.next_expiry.saturating_add(1);
        let waits = self.waits.next_wake();
        let tasks = clock.min(delayed).min(expiry).min(waits);
        tasks.min(sweep.next_retention)
    }

    /// Applies what the clock says.
    pub(crate) fn sweep(&mut self, sweep: &mut Sweep, now: Millis) -> Result<()> {
        // The clock was set back: nothing is due later than a period from now.
        sweep.next = sweep.next.min(now + millis(PERIOD));
        sweep.next_retention = sweep.next_retention.min(now + millis(RETENTION_PERIOD));
        if now >= sweep.next {
            sweep.next = now + millis(PERIOD);
            self.expire(now)?;
            self.lose_leases(now)?;
            self.raise_floor(now)?;
        }
        self.expire_suspended(now)?;
        self.tend_waits(now)?;
        if now >= sweep.next_retention {
            let is_done = self.retain(sweep, now)?;
            let period = if is_done {
                RETENTION_PERIOD
            } else {
                RETENTION_PAGE
            };
            sweep.next_retention = now + millis(period);
        }
        Ok(())
    }

    /// Forgets a page of what is kept no longer. Whether all has been looked at.
    fn retain(&mut self, sweep: &mut Sweep, now: Millis) -> Result<bool> {
        let ended = now - millis(self.config.keep_ended);
        let failed = now - millis(self.config.keep_failed);
        let tasks = self.store.forget(sweep.cursor, ended, failed)?;
        sweep.cursor = tasks.unwrap_or(TaskId::from_bytes([0; 16]));
        let before = now - millis(self.config.keep_events);
        let events = self.store.forget_events(sweep.events, before)?;
        sweep.events = events.unwrap_or_default();
        // Types go after their events.
        let types = match events {
            Some(_) => None,
            None => self.forget_types(sweep)?,
        };
        self.store
            .forget_keys(now - millis(self.config.keep_keys))?;
        Ok(tasks.is_none() && events.is_none() && types.is_none())
    }

    fn forget_types(&mut self, sweep: &mut Sweep) -> Result<Option<i64>> {
        let (forgotten, next) = self.store.forget_event_types(sweep.types)?;
        if forgotten > 0 {
            self.types.clear();
        }
        sweep.types = next.unwrap_or_default();
        Ok(next)
    }

    /// Lets the floor follow the oldest running task. Ids are made a moment before they arrive, so
    /// it stays a little behind the clock.
    fn raise_floor(&mut self, now: Millis) -> Result<()> {
        if !self.has_run {
            return Ok(());
        }
        self.has_run = !self.live.is_empty();
        let behind = TaskId::at(now - millis(PERIOD), [0; 10]);
        let oldest = self
            .live
            .keys()
            .min()
            .copied()
            .unwrap_or(behind)
            .min(behind);
        if oldest > self.floor {
            self.move_floor(oldest)?;
        }
        Ok(())
    }

    fn expire(&mut self, now: Millis) -> Result<()> {
        for task in self.store.expired(now)? {
            let Some(row) = self.row(task)? else {
                continue;
            };
            self.dequeue(&row.pool, row.waiting());
            let waited = dormouse_contract::duration::format(row.delivery.queue_expiry);
            let may_have_run = row.attempt > 0 && row.delivery.repeatable;
            let (outcome, whether) = match (row.round, may_have_run) {
                (1, false) => (Outcome::NotRun, "it did not run: try again later"),
                (1, true) => (Outcome::Unknown, "an earlier attempt may have run"),
                (..) => (
                    Outcome::Unknown,
                    "it ran until it asked, and had yet to go on",
                ),
            };
            let nobody = match self.lanes.paused(&row.pool) {
                Some(why) => format!("pool `{}` took nothing for {waited} ({why})", row.pool),
                None => format!("no instance of pool `{}` was free for {waited}", row.pool),
            };
            let why = format!("{nobody}; {whether}");
            let ending = Ending::Failed(failed(&why, outcome));
            self.end(task, row.state, ending, None, Actor::Broker, &why, now)?;
        }
        Ok(())
    }

    fn lose_leases(&mut self, now: Millis) -> Result<()> {
        let grace = millis(LEASE_GRACE);
        let lost: Vec<_> = self
            .live
            .iter()
            .filter(|(_, live)| live.deadline + grace < now)
            .map(|(task, live)| (*task, live.clone()))
            .collect();
        for (task, live) in lost {
            self.tell(crate::effect::Effect::Aborted(task));
            let why = "the dispatcher gave no answer in time: whether the call ran is not known";
            let failure = failed(why, Outcome::Unknown);
            self.attempt_failed(task, &live, failure, Failure::default(), now)?;
        }
        Ok(())
    }
}

fn failed(why: &str, outcome: Outcome) -> Failed {
    let error = TaskError {
        code: -32603,
        message: why.to_owned(),
        data: None,
    };
    Failed { error, outcome }
}
