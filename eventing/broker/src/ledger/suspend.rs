//! Suspension: a round ends with open asks, and the next begins when all of them are answered.

use bytes::Bytes;
use dormouse_contract::suspension::Ask;
use dormouse_contract::task::{Failed, Outcome, TaskError};
use rusqlite::Result;
use serde_json::value::RawValue;

use super::{Ledger, Live};
use crate::effect::Effect;
use crate::event::Seq;
use crate::history::{Actor, append};
use crate::object;
use crate::retry::millis;
use crate::store::{Fate, Kept, Row, Update};
use crate::task::{Answered, Asks, AttemptToken, Ending, Millis, State, Stepped, TaskId};
use crate::transition::Change;
use crate::waits::is_wait;

/// So many asks are named in a line of history; the rest are counted.
const NAMED: usize = 8;

/// The most steps of one task.
const MOST_STEPS: i64 = 1_000;

/// The most bytes that the steps of one task hold together: each round carries them all.
const MOST_IN_STEPS: i64 = 4 << 20;

/// Answers as given: by the name of the ask, each to the letter.
pub(crate) type Given = Vec<(String, Bytes)>;

/// Who answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// The caller, or somebody for it.
    Caller,
    /// The event at this place in the log.
    Event(Seq),
    /// Nobody: it was waited for long enough.
    Clock,
}

impl Ledger {
    /// Puts a running task to sleep until its asks are answered.
    pub(super) fn suspend(
        &mut self,
        task: TaskId,
        live: &Live,
        asks: &Asks,
        now: Millis,
    ) -> Result<Option<State>> {
        let (open, why) = match self.open_asks(task, live, &asks.asks)? {
            Ok(open) => open,
            Err(why) => return self.refuse_asks(task, live, &why, now),
        };
        let Some(to) = State::Running.after(Change::Suspend) else {
            return Ok(None);
        };
        self.store_live(task)?;
        let due = now + millis(live.delivery.suspension_expiry);
        let mut history = String::new();
        append(&mut history, now, to, Actor::Function, &why);
        let update = Update {
            task,
            from: State::Running,
            to,
            due,
            ending: None,
            fate: Fate::None,
            history: &history,
            now,
        };
        if !self.store.update(&update)? {
            return Ok(None);
        }
        self.store
            .put_asks(task, &open, asks.revision.as_deref(), due)?;
        self.next_expiry = self.next_expiry.min(due);
        self.finish(task);
        self.moved(task, &live.pool, &live.capability, to);
        self.tell(Effect::Suspended {
            task,
            round: live.round,
            asks: open.clone(),
        });
        self.await_events(task, &open, live.seen, now)?;
        Ok(Some(to))
    }

    /// The asks that no earlier round has answered, and a line of history about them; or why
    /// nobody can be asked.
    fn open_asks(
        &self,
        task: TaskId,
        live: &Live,
        asks: &Bytes,
    ) -> Result<std::result::Result<(Bytes, String), String>> {
        let pool = &live.pool;
        if live.is_event {
            return Ok(Err(format!(
                "pool `{pool}` asks a question or waits for an event while it reacts to an event: \
                 there is nobody to ask, and an event is delivered as it was sent, so nothing can \
                 be answered"
            )));
        }
        let asked = match object::members(asks) {
            Ok(asked) => asked,
            Err(error) => return Ok(Err(format!("pool `{pool}` asks unreadably: {error}"))),
        };
        let answers = match live.unstored {
            Some(_) => None,
            None => self.store.suspension(task)?.map(|kept| kept.answers),
        };
        let answers = answers.unwrap_or_else(|| Bytes::from_static(object::EMPTY));
        let answered = object::members(&answers).unwrap_or_default();
        let open: Vec<_> = asked
            .iter()
            .filter(|(name, _)| answered.iter().all(|(known, _)| known != name))
            .collect();
        if open.is_empty() {
            return Ok(Err(format!(
                "pool `{pool}` suspended the call without a question that is still open: a new \
                 question needs a name of its own"
            )));
        }
        let why = format!(
            "asks {}",
            in_words(open.iter().map(|(name, ask)| described(name, ask)))
        );
        let text = if open.len() == asked.len() {
            asks.clone()
        } else {
            object::write(open.iter().map(|(name, ask)| (name.as_str(), ask.get())))
        };
        Ok(Ok((text, why)))
    }

    fn refuse_asks(
        &mut self,
        task: TaskId,
        live: &Live,
        why: &str,
        now: Millis,
    ) -> Result<Option<State>> {
        let ending = failed(why.to_owned());
        self.end(
            task,
            State::Running,
            ending,
            Some(live),
            Actor::Broker,
            why,
            now,
        )
    }

    /// Takes answers to the asks of a round; the first answer to each ask holds.
    pub(crate) fn answer(
        &mut self,
        task: TaskId,
        principal: Option<&str>,
        round: u32,
        given: &Given,
        now: Millis,
    ) -> Result<Answered> {
        let theirs = |owner: &str| principal.is_none_or(|principal| principal == owner);
        if let Some(live) = self.live.get(&task)
            && live.unstored.is_some()
        {
            return Ok(match theirs(&live.principal) {
                true => Answered::TooLate(State::Running),
                false => Answered::Unknown,
            });
        }
        let Some(row) = self.row(task)?.filter(|row| theirs(&row.principal)) else {
            return Ok(Answered::Unknown);
        };
        if round < row.round {
            return Ok(Answered::Before);
        }
        if round > row.round || row.state.after(Change::Answer).is_none() {
            return Ok(Answered::TooLate(row.state));
        }
        match self.store.suspension(task)? {
            Some(kept) => self.take_answers(&row, &kept, given, By::Caller, now),
            None => Ok(Answered::TooLate(row.state)),
        }
    }

    /// Only the log and the clock answer waits for events.
    pub(super) fn take_answers(
        &mut self,
        row: &Row,
        kept: &Kept,
        given: &Given,
        by: By,
        now: Millis,
    ) -> Result<Answered> {
        let asked = object::members(&kept.asks).unwrap_or_default();
        let before = object::members(&kept.answers).unwrap_or_default();
        let answer_to = |ask: &str| given.iter().find(|(name, _)| name == ask);
        let (taken, open): (Vec<_>, Vec<_>) = asked
            .iter()
            .partition(|(name, ask)| answer_to(name).is_some() && by.may_answer(ask));
        if taken.is_empty() && !open.is_empty() {
            return Ok(Answered::Open(kept.asks.clone()));
        }
        let texts: Vec<_> = taken
            .iter()
            .filter_map(|(name, _)| answer_to(name))
            .map(|(name, answer)| (name.as_str(), String::from_utf8_lossy(answer)))
            .collect();
        let old = before
            .iter()
            .map(|(name, answer)| (name.as_str(), answer.get()));
        let new = texts.iter().map(|(name, answer)| (*name, &**answer));
        let answers = object::write(old.chain(new));
        let open = object::write(open.iter().map(|(name, ask)| (name.as_str(), ask.get())));
        if open != object::EMPTY {
            self.store.put_answers(row.id, &open, &answers)?;
            return Ok(Answered::Open(open));
        }
        let names = in_words(taken.iter().map(|(name, _)| format!("`{name}`")));
        self.next_round(row, &names, by, now)?;
        self.store.put_answers(row.id, &open, &answers)?;
        Ok(Answered::Continued)
    }

    fn next_round(&mut self, row: &Row, asks: &str, by: By, now: Millis) -> Result<()> {
        let mut history = String::new();
        let (actor, why) = match by {
            By::Caller => (Actor::Caller, format!("{asks} answered")),
            By::Event(seq) => (Actor::Broker, format!("{asks} answered by event {seq}")),
            By::Clock => (Actor::Broker, format!("no event came in time for {asks}")),
        };
        let why = format!("{why}: round {} follows", row.round + 1);
        append(&mut history, now, State::Accepted, actor, &why);
        if self.store.next_round(row.id, row.round, &history, now)? {
            self.store.wake(row.id)?;
            self.waits.forget(row.id);
            self.moved(row.id, &row.pool, &row.capability, State::Accepted);
            self.requeue(&row.pool, row.waiting(), now, now);
        }
        Ok(())
    }

    /// Commits the result of a step of a running attempt; the first result of a name holds.
    pub(crate) fn step(
        &mut self,
        task: TaskId,
        token: AttemptToken,
        name: &str,
        result: &[u8],
    ) -> Result<Stepped> {
        match self.live.get(&task).filter(|live| live.token == token) {
            None => return Ok(Stepped::NotRunning),
            Some(live) if live.is_event => return Ok(Stepped::NotKept),
            Some(_) => {}
        }
        self.store_live(task)?;
        match self.store.step(task, name)? {
            Some(known) if known == result => Ok(Stepped::Known),
            Some(_) => Ok(Stepped::Different),
            None => {
                let (count, bytes) = self.store.steps_held(task)?;
                let more = i64::try_from(name.len() + result.len()).unwrap_or(i64::MAX);
                if count >= MOST_STEPS || bytes.saturating_add(more) > MOST_IN_STEPS {
                    return Ok(Stepped::TooMuch);
                }
                self.store.put_step(task, name, result)?;
                Ok(Stepped::Stored)
            }
        }
    }

    /// Fails suspended tasks that nobody answered in time.
    pub(super) fn expire_suspended(&mut self, now: Millis) -> Result<()> {
        if now <= self.next_expiry {
            return Ok(());
        }
        for task in self.store.unanswered(now)? {
            self.store.wake(task)?;
            let Some(row) = self.row(task)? else {
                continue;
            };
            if row.state != State::Suspended {
                continue;
            }
            let waited = dormouse_contract::duration::format(row.delivery.suspension_expiry);
            let open = self.store.suspension(task)?.map(|kept| kept.asks);
            let open = open.as_deref().unwrap_or(object::EMPTY);
            let names = object::members(open).unwrap_or_default();
            let names = in_words(names.iter().map(|(name, _)| format!("`{name}`")));
            let why = format!(
                "nobody answered in time: {names} stayed open for {waited}. The call ran until it \
                 asked and went no further; call again to be asked again"
            );
            let ending = failed(why.clone());
            self.end(task, row.state, ending, None, Actor::Broker, &why, now)?;
        }
        self.next_expiry = self.store.next_expiry()?.unwrap_or(Millis::MAX);
        Ok(())
    }
}

impl By {
    fn may_answer(self, ask: &RawValue) -> bool {
        match self {
            Self::Caller => !is_wait(ask),
            Self::Event(_) | Self::Clock => true,
        }
    }
}

fn described(name: &str, ask: &RawValue) -> String {
    match serde_json::from_str::<Ask<'_>>(ask.get()) {
        Ok(ask) => format!("`{name}` ({})", ask.method),
        Err(_) => format!("`{name}`"),
    }
}

fn in_words(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    if items.len() > NAMED {
        let more = items.len() - NAMED;
        items.truncate(NAMED);
        items.push(format!("{more} more"));
    }
    items.join(", ")
}

/// It ran, until it asked: that much is known.
fn failed(message: String) -> Ending {
    let error = TaskError {
        code: -32603,
        message,
        data: None,
    };
    Ending::Failed(Failed {
        error,
        outcome: Outcome::Failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_asks_are_named_in_part_and_counted() {
        let few = ["`a`", "`b`"].map(str::to_owned);
        assert_eq!(in_words(few.into_iter()), "`a`, `b`");
        let many = (0..20).map(|number| number.to_string());
        assert_eq!(in_words(many), "0, 1, 2, 3, 4, 5, 6, 7, 12 more");
    }
}
