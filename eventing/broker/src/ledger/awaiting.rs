//! Waiting for events: asks that the log answers, with what it has or with what comes.
//!
//! A wait looks at every event behind its place, in the order of the log: first at those that are
//! there, some at a time, then at each one in the commit that stores it. Which waits have not come
//! to the end of the log yet is stored, so that a restart loses nothing and looks at nothing twice.

use std::time::{Duration, Instant};

use bytes::Bytes;
use dormouse_contract::suspension::{Answer, Arrived};
use dormouse_contract::{Event, http_binding};
use rusqlite::Result;
use serde_json::value::{RawValue, to_raw_value};

use super::Ledger;
use super::publish::Entry;
use super::suspend::{By, Given};
use crate::event::Seq;
use crate::task::{Millis, State, TaskId};
use crate::waits::{Wait, Waits};

/// So many events are looked at in one go; the rest follows with the next batches.
const GLANCE: usize = 1_000;

/// For so long at most, since a filter may take its time with each of them.
const GLANCE_TIME: Duration = Duration::from_millis(5);

impl Ledger {
    /// Enters the waits of a task that has just gone to sleep, and looks at what is in the log.
    pub(super) fn await_events(
        &mut self,
        task: TaskId,
        asks: &[u8],
        seen: Seq,
        now: Millis,
    ) -> Result<()> {
        let waits = Wait::among(asks, seen, now);
        if waits.is_empty() {
            return Ok(());
        }
        self.waits.enter(task, waits);
        self.catch_up(task, now)
    }

    /// Lets a task that is behind look at the next events; answers what has lasted long enough.
    pub(super) fn tend_waits(&mut self, now: Millis) -> Result<()> {
        if let Some(task) = self.waits.behind() {
            self.catch_up(task, now)?;
        }
        for (task, names) in self.waits.overdue(now) {
            let arrived = Arrived {
                timed_out: true,
                ..Arrived::default()
            };
            self.answer_waits(task, names, &arrived, By::Clock, now)?;
        }
        Ok(())
    }

    fn catch_up(&mut self, task: TaskId, now: Millis) -> Result<()> {
        let mut waits = self.waits.of(task).to_vec();
        let (mut found, mut left) = (Vec::new(), GLANCE);
        let end = Instant::now() + GLANCE_TIME;
        for wait in waits.iter_mut().filter(|wait| wait.is_behind) {
            if let Some(seq) = self.look(wait, &mut left, end)? {
                found.push((wait.name.clone(), seq));
            }
        }
        let behind = waits.iter().filter(|wait| wait.is_behind);
        let behind = behind.map(|wait| wait.after).min();
        self.waits.enter(task, waits);
        self.store.put_behind(task, behind)?;
        for (name, seq) in found {
            if let Some(event) = self.logged(seq)? {
                self.answer_by_event(task, vec![name], seq, &event, now)?;
            }
        }
        Ok(())
    }

    /// Looks at the events of the log that a wait has not seen, at most `left` of them and until
    /// `end`, but at one in any case. Returns the place of the one that answers it.
    fn look(&self, wait: &mut Wait, left: &mut usize, end: Instant) -> Result<Option<Seq>> {
        if *left == 0 {
            return Ok(None);
        }
        let page = self.store.log_after(wait.after, wait.ty(), *left)?;
        wait.is_behind = page.len() == *left;
        *left -= page.len();
        for (seq, attributes) in page {
            wait.after = seq;
            if read(seq, &attributes, None).is_some_and(|event| wait.takes(&event)) {
                wait.is_behind = false;
                return Ok(Some(seq));
            }
            if Instant::now() >= end {
                (wait.is_behind, *left) = (true, 0);
                return Ok(None);
            }
        }
        Ok(None)
    }

    fn logged(&self, seq: Seq) -> Result<Option<Event>> {
        let Some((attributes, data)) = self.store.logged(seq)? else {
            return Ok(None);
        };
        Ok(read(seq, &attributes, data))
    }

    /// A new event is in the log: those who wait for it get it.
    pub(super) fn wake_for(&mut self, seq: Seq, entry: &Entry, now: Millis) -> Result<()> {
        if !self.waits.may_take(&entry.ty) {
            return Ok(());
        }
        let Some(event) = read(seq, &entry.attributes, entry.data.clone()) else {
            return Ok(());
        };
        let end = Instant::now() + GLANCE_TIME;
        let taking = self.waits.taking(&event, || Instant::now() >= end);
        for task in taking.left {
            self.fall_behind(task, seq)?;
        }
        for (task, names) in taking.answered {
            self.answer_by_event(task, names, seq, &event, now)?;
        }
        Ok(())
    }

    /// Leaves this event and those behind it for a later look.
    fn fall_behind(&mut self, task: TaskId, seq: Seq) -> Result<()> {
        let mut waits = self.waits.of(task).to_vec();
        for wait in waits.iter_mut().filter(|wait| !wait.is_behind) {
            wait.is_behind = true;
            wait.after = Seq(seq.0.saturating_sub(1)).max(wait.after);
        }
        let behind = waits.iter().map(|wait| wait.after).min();
        self.waits.enter(task, waits);
        self.store.put_behind(task, behind)
    }

    fn answer_by_event(
        &mut self,
        task: TaskId,
        names: Vec<String>,
        seq: Seq,
        event: &Event,
        now: Millis,
    ) -> Result<()> {
        let (_, text) = http_binding::write_structured(event);
        let event: Option<&RawValue> = serde_json::from_slice(&text).ok();
        let arrived = Arrived {
            event,
            seq: Some(seq.0),
            timed_out: false,
        };
        self.answer_waits(task, names, &arrived, By::Event(seq), now)
    }

    fn answer_waits(
        &mut self,
        task: TaskId,
        names: Vec<String>,
        arrived: &Arrived<'_>,
        by: By,
        now: Millis,
    ) -> Result<()> {
        let row = self.row(task)?;
        let row = row.filter(|row| row.state == State::Suspended);
        let (Some(row), Some(kept)) = (row, self.store.suspension(task)?) else {
            self.waits.forget(task);
            return Ok(());
        };
        let answer = written(arrived);
        let given: Given = names
            .into_iter()
            .map(|name| (name, answer.clone()))
            .collect();
        // When nothing is open any more, the next round forgets them all.
        self.take_answers(&row, &kept, &given, by, now)?;
        let is_open = |wait: &&Wait| given.iter().all(|(name, _)| *name != wait.name);
        let open = self.waits.of(task).iter().filter(is_open).cloned();
        let open = open.collect();
        self.waits.enter(task, open);
        Ok(())
    }

    /// Takes the waits up again after a batch that was lost.
    pub(crate) fn renew_waits(&mut self) -> Result<()> {
        match self.waits.is_doubted() {
            true => self.load_waits(),
            false => Ok(()),
        }
    }

    /// Takes up the waits of all sleeping tasks.
    pub(super) fn load_waits(&mut self) -> Result<()> {
        let mut all = Waits::default();
        for sleeping in self.store.awaiting()? {
            let mut waits = Wait::among(&sleeping.asks, sleeping.seen, sleeping.since);
            for wait in &mut waits {
                wait.is_behind = sleeping.behind.is_some();
                wait.after = wait.after.max(sleeping.behind.unwrap_or_default());
            }
            all.enter(sleeping.task, waits);
        }
        self.waits = all;
        Ok(())
    }
}

fn written(arrived: &Arrived<'_>) -> Bytes {
    // What was read as JSON, and a number, can always be written.
    let result = to_raw_value(arrived).unwrap_or_default();
    serde_json::to_vec(&Answer::Result(&result))
        .unwrap_or_default()
        .into()
}

fn read(seq: Seq, attributes: &[u8], data: Option<Bytes>) -> Option<Event> {
    match http_binding::read_structured(attributes) {
        Ok(event) => Some(Event { data, ..event }),
        Err(error) => {
            tracing::error!(%seq, %error, "an event of the log cannot be read");
            None
        }
    }
}
