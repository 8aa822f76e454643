//! Attempts that failed: another one follows, or the task ends.

use std::time::Duration;

use dormouse_contract::task::{Failed, Outcome};
use rusqlite::Result;

use super::{Ledger, Live};
use crate::effect::Effect;
use crate::history::{Actor, Why, append};
use crate::retry::{FailedAttempt, Next, decide};
use crate::store::{Fate, Update};
use crate::task::{Ending, Millis, State, TaskId};
use crate::transition::Change;

/// How an attempt failed, besides its failure.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failure {
    /// Trying again is pointless.
    pub(super) last: bool,
    /// How long the function asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Ledger {
    pub(super) fn attempt_failed(
        &mut self,
        task: TaskId,
        live: &Live,
        mut failure: Failed,
        how: Failure,
        now: Millis,
    ) -> Result<Option<State>> {
        let attempt = FailedAttempt {
            attempt: live.attempt,
            started_at: live.started_at,
            outcome: failure.outcome,
            last: how.last,
            retry_after: how.retry_after,
            jitter: rand::random(),
        };
        let outcome = Some(failure.outcome);
        match decide(&live.delivery, attempt, now) {
            Next::Retry(at) => {
                let why = format!("attempt {} failed: {}", live.attempt, failure.error.message);
                let words = &why;
                self.retry(task, live, at, Why { words, outcome }, now)
            }
            Next::Fail(reason) => {
                // Whatever became of the last attempt: an earlier round ran, and of the attempts
                // of this one only what is repeatable has others before it that may have run.
                let may_have_run = live.round > 1 || (live.attempt > 1 && live.delivery.repeatable);
                if failure.outcome == Outcome::NotRun && may_have_run {
                    failure.outcome = Outcome::Unknown;
                }
                let why = format!("{}: {reason}", failure.error.message);
                let ending = Ending::Failed(failure);
                self.end(
                    task,
                    State::Running,
                    ending,
                    Some(live),
                    Actor::Broker,
                    Why {
                        words: &why,
                        outcome,
                    },
                    now,
                )
            }
        }
    }

    /// It never left, because its pool is left alone: it waits as if it had not been claimed, and
    /// nothing of the pool is handed out until then.
    pub(super) fn take_back(
        &mut self,
        task: TaskId,
        live: &Live,
        why: String,
        until: Millis,
        now: Millis,
    ) -> Result<Option<State>> {
        let Some(to) = State::Running.after(Change::Retry) else {
            return Ok(None);
        };
        self.store_live(task)?;
        if !self.store.unclaim(task, live.stood, now)? {
            return Ok(None);
        }
        self.lanes.pause(&live.pool, until, why);
        self.finish(task);
        self.tell(Effect::Paused(task));
        self.moved(task, &live.pool, &live.capability, to);
        self.put_back(&live.pool, live.waiting(task));
        Ok(Some(to))
    }

    pub(super) fn retry(
        &mut self,
        task: TaskId,
        live: &Live,
        at: Millis,
        why: Why<'_>,
        now: Millis,
    ) -> Result<Option<State>> {
        let Some(to) = State::Running.after(Change::Retry) else {
            return Ok(None);
        };
        self.store_live(task)?;
        let mut history = String::new();
        append(&mut history, now, to, Actor::Broker, why);
        let update = Update {
            task,
            from: State::Running,
            to,
            due: at,
            ending: None,
            fate: Fate::None,
            history: &history,
            now,
        };
        if !self.store.update(&update)? {
            return Ok(None);
        }
        self.finish(task);
        self.tell(Effect::Paused(task));
        self.moved(task, &live.pool, &live.capability, to);
        self.requeue(&live.pool, live.waiting(task), at, now);
        Ok(Some(to))
    }
}
