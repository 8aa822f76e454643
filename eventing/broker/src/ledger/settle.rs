//! Settling: the one place where a task ends, or comes back for another attempt.

use dormouse_contract::suspension::DIFFERENT_REPLAY;
use dormouse_contract::task::{Failed, Outcome};
use rusqlite::Result;

use super::failing::Failure;
use super::{Entry, Ledger, Live};
use crate::effect::Effect;
use crate::event::NewEvent;
use crate::history::{Actor, LATE, Why, append};
use crate::retry::millis;
use crate::store::{Fate, Row, Update};
use crate::task::{AttemptToken, Ending, Millis, Report, State, TaskId, Work};
use crate::transition::Change;

impl Ledger {
    /// Takes a dispatcher's report. `None`: it was late or from nobody, and changed nothing.
    pub(crate) fn settle(
        &mut self,
        task: TaskId,
        token: AttemptToken,
        report: Report,
        now: Millis,
    ) -> Result<Option<State>> {
        let live = self
            .live
            .get(&task)
            .filter(|live| live.token == token)
            .cloned();
        match (live, report) {
            (Some(live), Report::Completed(result)) => {
                let (from, ending) = (State::Running, Ending::Completed(result));
                self.end(task, from, ending, Some(&live), Actor::Function, "", now)
            }
            (
                Some(live),
                Report::Failed {
                    failure,
                    last,
                    retry_after,
                },
            ) => {
                let how = Failure { last, retry_after };
                self.attempt_failed(task, &live, failure, how, now)
            }
            (Some(live), Report::Held { why, retry_after }) => {
                self.take_back(task, &live, why, now + millis(retry_after), now)
            }
            (Some(live), Report::Replied { reply, event }) => {
                let (from, ending) = (State::Running, Ending::Completed(reply));
                let by = Actor::Function;
                let why = replied(&event);
                let state = self.end(task, from, ending, Some(&live), by, &why, now)?;
                self.take_reply(state, *event, now)
            }
            (None, Report::Completed(result)) => self.late_result(task, token, result, now),
            (None, Report::Replied { reply, event }) => {
                let state = self.late_result(task, token, reply, now)?;
                self.take_reply(state, *event, now)
            }
            (Some(live), Report::Suspended(asks)) => self.suspend(task, &live, &asks, now),
            (None, Report::Suspended(_) | Report::Failed { .. } | Report::Held { .. }) => Ok(None),
        }
    }

    /// Takes the reply of a task that it has completed; any other would come twice. The reply itself
    /// may be the event that it answers, with another type and the same `source` and `id`.
    fn take_reply(
        &mut self,
        state: Option<State>,
        reply: NewEvent,
        now: Millis,
    ) -> Result<Option<State>> {
        if state == Some(State::Completed) {
            self.log_anew(Entry::new(reply), now)?;
        }
        Ok(state)
    }

    /// A result of an earlier attempt of this round still counts; whatever runs now is aborted.
    fn late_result(
        &mut self,
        task: TaskId,
        token: AttemptToken,
        result: bytes::Bytes,
        now: Millis,
    ) -> Result<Option<State>> {
        let Some(row) = self.row(task)? else {
            return Ok(None);
        };
        if !row.tokens.contains(&token) || row.state.after(Change::Complete).is_none() {
            return Ok(None);
        }
        let live = self.live.get(&task).cloned();
        self.withdraw(&row);
        let ending = Ending::Completed(result);
        self.end(
            task,
            row.state,
            ending,
            live.as_ref(),
            Actor::Function,
            LATE,
            now,
        )
    }

    /// Ends a task. `None`: it is no longer in the state expected, or the table forbids it.
    #[expect(
        clippy::too_many_arguments,
        reason = "the ending's every fact is named at the call"
    )]
    pub(super) fn end<'a>(
        &mut self,
        task: TaskId,
        from: State,
        ending: Ending,
        live: Option<&Live>,
        by: Actor,
        why: impl Into<Why<'a>>,
        now: Millis,
    ) -> Result<Option<State>> {
        let (change, stored) = match &ending {
            Ending::Completed(result) => (Change::Complete, result.to_vec()),
            Ending::Failed(failed) => {
                (Change::Fail, serde_json::to_vec(failed).unwrap_or_default())
            }
            Ending::Cancelled(reason) => (Change::Cancel, reason.clone().into_bytes()),
        };
        let Some(to) = from.after(change) else {
            return Ok(None);
        };
        if live.is_some_and(|live| live.unstored.is_some()) {
            self.finish(task);
            self.tell(Effect::Ended {
                task,
                of: task,
                ending,
            });
            return Ok(Some(to));
        }
        // Whatever waited and has no row in sight is rare; so is an event that fails.
        let row = match live {
            Some(live) if to != State::Failed || !live.is_event => None,
            Some(_) | None => self.row(task)?,
        };
        let mut history = String::with_capacity(96);
        append(&mut history, now, to, by, why);
        let fate = self.fate(&ending, live, row.as_ref(), &mut history, now)?;
        let update = Update {
            task,
            from,
            to,
            due: 0,
            ending: Some(&stored),
            fate,
            history: &history,
            now,
        };
        if !self.store.update(&update)? {
            return Ok(None);
        }
        if ending.outcome() == Some(Outcome::NotRun) {
            self.release_key(task)?;
        }
        if from == State::Suspended {
            self.store.wake(task)?;
            self.waits.forget(task);
        }
        if let Some(live) = live {
            self.release(&live.pool, live.order);
        }
        let subject = live.map(|live| (&live.pool, &live.capability));
        let subject = subject.or(row.as_ref().map(|row| (&row.pool, &row.capability)));
        if let Some((pool, capability)) = subject
            && self.is_followed()
        {
            self.tell_moved(task, pool, capability, to, fate == Fate::Dead);
        }
        self.finish(task);
        self.tell(Effect::Ended {
            task,
            of: task,
            ending,
        });
        Ok(Some(to))
    }

    /// Whether the ending makes a dead letter, and what becomes of it.
    fn fate(
        &mut self,
        ending: &Ending,
        live: Option<&Live>,
        row: Option<&Row>,
        history: &mut String,
        now: Millis,
    ) -> Result<Fate> {
        let Ending::Failed(failure) = ending else {
            return Ok(Fate::None);
        };
        let is_event = match (live, row) {
            (Some(live), _) => live.is_event,
            (None, Some(row)) => matches!(row.work, Work::Event { .. }),
            (None, None) => false,
        };
        if !is_event && is_refused(failure) {
            return Ok(Fate::None);
        }
        if let Some(row) = row.filter(|_| is_event)
            && let Some(sink) = row.delivery.dead_letter_sink.clone()
            && let Some(whereto) = self.forward(row, &sink, failure, now)?
        {
            append(history, now, State::Failed, Actor::Broker, &whereto);
            return Ok(Fate::Forwarded);
        }
        Ok(Fate::Dead)
    }

    fn release_key(&mut self, task: TaskId) -> Result<()> {
        match self.row(task)? {
            Some(row) if row.key.is_some() => self.store.release_key(&row),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes a task that is about to end out of the queue or from its dispatcher.
    fn withdraw(&mut self, row: &Row) {
        if self.live.contains_key(&row.id) {
            self.tell(Effect::Aborted(row.id));
        } else {
            self.dequeue(&row.pool, row.waiting());
        }
    }

    /// Ends a task for its caller (or an operator, without a principal).
    pub(crate) fn cancel(
        &mut self,
        task: TaskId,
        principal: Option<&str>,
        reason: &str,
        now: Millis,
    ) -> Result<Option<State>> {
        let live = self.live.get(&task).cloned();
        if let Some(live) = live.as_ref().filter(|live| live.unstored.is_some()) {
            if principal.is_some_and(|principal| *principal != *live.principal) {
                return Ok(None);
            }
            self.tell(Effect::Aborted(task));
            let ending = Ending::Cancelled(reason.to_owned());
            return self.end(
                task,
                State::Running,
                ending,
                Some(live),
                Actor::Caller,
                "",
                now,
            );
        }
        let Some(row) = self.row(task)? else {
            return Ok(None);
        };
        if principal.is_some_and(|principal| *principal != *row.principal) {
            return Ok(None);
        }
        if row.state.is_final() {
            return Ok(Some(row.state));
        }
        let by = if principal.is_some() {
            Actor::Caller
        } else {
            Actor::Operator
        };
        let why = match row.state {
            State::Running => format!("{reason} (it may have run)"),
            State::Accepted
            | State::Suspended
            | State::Completed
            | State::Failed
            | State::Cancelled => reason.to_owned(),
        };
        self.withdraw(&row);
        let ending = Ending::Cancelled(reason.to_owned());
        self.end(task, row.state, ending, live.as_ref(), by, &why, now)
    }
}

/// A failed event always is a dead letter; a failed call is, unless the function itself refused it
/// (then the caller has its answer). A replay that differs is the deployment's fault.
fn is_refused(failure: &Failed) -> bool {
    failure.outcome == Outcome::Failed && failure.error.code != DIFFERENT_REPLAY
}

fn replied(event: &NewEvent) -> String {
    let (ty, id) = (&event.event.ty, &event.event.id);
    format!("replied with event `{id}` of type `{ty}`")
}
