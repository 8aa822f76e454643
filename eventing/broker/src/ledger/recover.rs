//! After a restart: what the process before left waiting or running.

use std::sync::Arc;

use dormouse_contract::task::{Failed, Outcome, TaskError};
use rusqlite::Result;

use super::failing::Failure;
use super::{Ids, Ledger, Live, Stood};
use crate::history::Why;
use crate::retry::{FailedAttempt, Next, decide, millis};
use crate::task::{Millis, TaskId, Work};

/// What a call's answer says when the platform died under it.
const INTERRUPTED: &str = "the platform stopped while this call was running, so it is not known \
    whether it took effect; check before you call again";

impl Ledger {
    /// Puts waiting tasks into their lanes and decides about those that were running: their
    /// functions died with the platform, so each lease is lost. Suspended ones sleep on.
    pub(crate) fn recover(&mut self, now: Millis) -> Result<(usize, usize)> {
        self.floor = self.store.floor()?;
        self.ids = Ids::after(self.store.newest()?);
        self.log_end = self.store.log_end()?;
        let since = now - millis(self.config.duplicate_window);
        for (source, id, seq, at) in self.store.recent(since, self.config.most_known)? {
            let mark = self.window.mark(&source, &id);
            self.window.push(mark, seq, at);
        }
        let running = self.store.running(self.floor)?;
        self.next_expiry = self.store.next_expiry()?.unwrap_or(Millis::MAX);
        // Whatever ran is the first of its order: it holds back those that waited.
        for &task in &running {
            if let Some(row) = self.row(task)?
                && let Some(order) = row.order
            {
                self.lanes.lane(&row.pool).begin(order);
            }
        }
        let lanes = &mut self.lanes;
        let waiting = self.store.each_waiting(|pool, waiting, due| {
            lanes.lane(&pool.into()).push(waiting, due, now);
        })?;
        self.load_waits()?;
        for &task in &running {
            self.interrupted(task, now)?;
        }
        Ok((waiting, running.len()))
    }

    fn interrupted(&mut self, task: TaskId, now: Millis) -> Result<()> {
        let Some(row) = self.row(task)? else {
            return Ok(());
        };
        let Some(&token) = row.tokens.last() else {
            return Ok(());
        };
        let live = Live {
            pool: Arc::clone(&row.pool),
            capability: Arc::clone(&row.capability),
            principal: Arc::clone(&row.principal),
            order: row.order,
            seen: row.seen,
            round: row.round,
            attempt: row.attempt,
            token,
            started_at: row.started_at.unwrap_or(row.accepted_at),
            deadline: now,
            stood: Stood::since(now),
            is_event: matches!(row.work, Work::Event { .. }),
            delivery: row.delivery.clone(),
            unstored: None,
        };
        self.lanes.lane(&live.pool);
        self.start(task, live.clone())?;
        let attempt = FailedAttempt {
            attempt: live.attempt,
            started_at: live.started_at,
            outcome: Outcome::Unknown,
            last: false,
            retry_after: None,
            jitter: 0.0,
        };
        // No delay: nothing was overloaded, the caller is waiting, and the dead time counted.
        match decide(&live.delivery, attempt, now) {
            Next::Retry(_) => {
                let why = Why {
                    words: "the platform stopped while it ran; running it again is safe",
                    outcome: Some(Outcome::Unknown),
                };
                self.retry(task, &live, now, why, now).map(drop)
            }
            Next::Fail(_) => {
                let failure = Failed {
                    error: TaskError {
                        code: -32603,
                        message: INTERRUPTED.to_owned(),
                        data: None,
                    },
                    outcome: Outcome::Unknown,
                };
                self.attempt_failed(task, &live, failure, Failure::default(), now)
                    .map(drop)
            }
        }
    }
}
