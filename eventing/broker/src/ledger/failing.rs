//! Attempts that failed: another one follows, or the task ends.

use std::sync::Arc;
use std::time::Duration;

use dormouse_contract::task::{Failed, Outcome, TaskError};
use rusqlite::Result;

use super::{Ledger, Live};
use crate::effect::Effect;
use crate::history::{Actor, HELD, Why, append};
use crate::lane::{Turn, Waiting};
use crate::retry::{FailedAttempt, Next, decide};
use crate::store::{Fate, Update};
use crate::task::{Ending, Millis, State, TaskId};
use crate::transition::Change;

/// How an attempt failed, besides its failure.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failure {
    /// It never left.
    pub(super) held: bool,
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
            held: how.held,
            last: how.last,
            retry_after: how.retry_after,
            jitter: rand::random(),
        };
        let outcome = Some(failure.outcome);
        match decide(&live.delivery, attempt, now) {
            Next::Retry(at) if how.held => {
                let why = format!("{HELD}{}", failure.error.message);
                let words = &why;
                let state = self.retry(task, live, at, Why { words, outcome }, now)?;
                if state.is_some() {
                    self.store.take_back_attempt(task)?;
                }
                Ok(state)
            }
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

    /// It never left, so it is as if it had not been claimed, but for the time that passes.
    pub(super) fn attempt_held(
        &mut self,
        task: TaskId,
        live: &Live,
        why: String,
        retry_after: Duration,
        now: Millis,
    ) -> Result<Option<State>> {
        let error = TaskError {
            code: -32603,
            message: why,
            data: None,
        };
        let outcome = Outcome::NotRun;
        let how = Failure {
            held: true,
            last: false,
            retry_after: Some(retry_after),
        };
        self.attempt_failed(task, live, Failed { error, outcome }, how, now)
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
        let waiting = Waiting {
            task,
            turn: Turn {
                principal: Arc::clone(&live.principal),
                is_event: live.is_event,
            },
            order: live.order,
        };
        self.requeue(&live.pool, waiting, at, now);
        Ok(Some(to))
    }
}
