//! Follows the schedules: sleeps until the next run, publishes what is due and moves the mark.
//!
//! A schedule's mark is a note of the broker, committed with the events that it stands for, so a
//! crash at any moment neither repeats a run nor loses one. What is due at which mark is decided by
//! [`Schedule::due`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::{Error, Note, Refusal};
use dormouse_source::Schedule;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Served;
use crate::publish::Sender;
use crate::registry::Coordinator;

/// The kind of the notes that are marks.
const MARKS: &str = "schedule";

/// The wall clock is looked at this often while a schedule sleeps: it may be set, and a machine may
/// sleep, and neither wakes us.
const NAP: Duration = Duration::from_secs(30);

/// What could not be stored is tried again after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// How far a schedule is settled, and what it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    at: String,
    schedule: String,
    timezone: String,
}

impl Mark {
    fn new(at: Timestamp, schedule: &Schedule) -> Self {
        Self {
            at: at.to_string(),
            schedule: schedule.cron.to_string(),
            timezone: schedule.zone.to_string(),
        }
    }

    fn note(&self, name: &str) -> Note {
        Note {
            kind: MARKS,
            name: name.to_owned(),
            value: serde_json::to_vec(self).ok().map(Bytes::from),
        }
    }

    /// Where a schedule is settled that was left at this mark; `None` when it was another one then,
    /// whose runs say nothing of this one's.
    fn of(&self, schedule: &Schedule) -> Option<Timestamp> {
        let at = self.at.parse().ok()?;
        (*self == Self::new(at, schedule)).then_some(at)
    }
}

/// A schedule that is followed.
struct Followed {
    served: Arc<Served>,
    mark: Timestamp,
    since: Timestamp,
}

/// All schedules that are followed, and the marks of those that were when the platform was last up.
struct Timetable {
    coordinator: Coordinator,
    followed: BTreeMap<String, Followed>,
    left: BTreeMap<String, Mark>,
}

/// The broker takes nothing more.
struct Stopped;

impl Coordinator {
    /// Publishes the events of all schedules at their times, until the broker stops.
    pub async fn run_schedules(self) {
        let mut changes = self.sources().changes();
        let Some(left) = marks(&self).await else {
            return;
        };
        let mut timetable = Timetable {
            coordinator: self,
            followed: BTreeMap::new(),
            left,
        };
        loop {
            changes.mark_unchanged();
            let Ok(wait) = timetable.look().await else {
                return;
            };
            let slept = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = slept => {}
                // The sender lives as long as the coordinator.
                _ = changes.changed() => {}
            }
        }
    }
}

/// The stored marks; `None` when the broker has stopped.
async fn marks(coordinator: &Coordinator) -> Option<BTreeMap<String, Mark>> {
    loop {
        match coordinator.broker().notes(MARKS).await {
            Ok(notes) => {
                let read = |(name, note): (String, Bytes)| {
                    Some((name, serde_json::from_slice(&note).ok()?))
                };
                return Some(notes.into_iter().filter_map(read).collect());
            }
            Err(Error::Stopped) => return None,
            Err(error) => {
                tracing::error!(%error, "the schedules' marks cannot be read yet");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

impl Timetable {
    /// Publishes what is due; how long to sleep then, `None` for as long as nothing changes.
    async fn look(&mut self) -> Result<Option<Duration>, Stopped> {
        let mut is_settled = self.follow().await?;
        let names: Vec<_> = self.followed.keys().cloned().collect();
        for name in names {
            is_settled &= self.settle(&name).await?;
        }
        let now = Timestamp::now();
        let next = self.followed.values().filter_map(Followed::next).min();
        let until_next = next.map(|next| {
            let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
            wait.min(NAP)
        });
        Ok(match is_settled {
            true => until_next,
            false => Some(AGAIN),
        })
    }

    /// Takes up the schedules that are new or changed and leaves those that are gone. `false`:
    /// not all of it could be stored.
    async fn follow(&mut self) -> Result<bool, Stopped> {
        let current = self.coordinator.sources().all();
        let mut is_settled = true;
        let schedules = current.iter().filter(|served| served.schedule().is_some());
        let is_gone = |name: &&String| {
            let mut schedules = schedules.clone();
            !schedules.any(|served| served.name() == *name)
        };
        let gone: Vec<_> = self.followed.keys().filter(is_gone).cloned().collect();
        for name in gone {
            match self.forget(&name).await? {
                true => drop(self.followed.remove(&name)),
                false => is_settled = false,
            }
        }
        if self.coordinator.sources().is_complete() {
            let is_there = |name: &String| current.iter().any(|served| served.name() == name);
            let gone: Vec<_> = self
                .left
                .keys()
                .filter(|it| !is_there(it))
                .cloned()
                .collect();
            for name in gone {
                is_settled &= self.forget(&name).await?;
            }
        }
        for served in schedules {
            is_settled &= self.take_up(served).await?;
        }
        Ok(is_settled)
    }

    /// Takes the mark of a schedule away that is gone: should it come back, it has missed nothing.
    async fn forget(&mut self, name: &str) -> Result<bool, Stopped> {
        let note = Note {
            kind: MARKS,
            name: name.to_owned(),
            value: None,
        };
        let is_stored = stored(self.coordinator.broker().note(note).await, name)?;
        if is_stored {
            self.left.remove(name);
        }
        Ok(is_stored)
    }

    async fn take_up(&mut self, served: &Arc<Served>) -> Result<bool, Stopped> {
        let Some(schedule) = served.schedule() else {
            return Ok(true);
        };
        let name = served.name();
        let before = self.followed.get(name);
        if before.is_some_and(|before| Arc::ptr_eq(&before.served, served)) {
            return Ok(true);
        }
        let now = Timestamp::now();
        let running = before.and_then(|before| {
            let mark = Mark::new(before.mark, before.served.schedule()?);
            Some((mark.of(schedule)?, before.since))
        });
        let left = self.left.get(name).and_then(|mark| mark.of(schedule));
        let (mark, since) = match (running, left) {
            (Some(running), _) => running,
            (None, Some(left)) if before.is_none() => (left, now),
            (None, _) => (before.map_or(now, |before| before.mark.max(now)), now),
        };
        let note = Mark::new(mark, schedule).note(name);
        if !stored(self.coordinator.broker().note(note).await, name)? {
            return Ok(false);
        }
        tracing::info!(
            source = name,
            schedule = %schedule.cron,
            timezone = %schedule.zone,
            mark = %mark,
            "a schedule is followed"
        );
        let followed = Followed {
            served: Arc::clone(served),
            mark,
            since,
        };
        served.set_next_run(followed.next());
        self.followed.insert(name.to_owned(), followed);
        self.left.remove(name);
        Ok(true)
    }

    /// Publishes what is due of one schedule. `false`: it could not be stored.
    async fn settle(&mut self, name: &str) -> Result<bool, Stopped> {
        let Some(followed) = self.followed.get_mut(name) else {
            return Ok(true);
        };
        let served = Arc::clone(&followed.served);
        let Some(schedule) = served.schedule() else {
            return Ok(true);
        };
        let now = Timestamp::now();
        let due = schedule.due(followed.mark, followed.since, now);
        if due.mark == followed.mark {
            return Ok(true);
        }
        let note = Mark::new(due.mark, schedule).note(name);
        let runs = due.runs.iter().map(|run| schedule.event(name, *run));
        let events: Vec<_> = runs.collect();
        let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
        let is_stored = if events.is_empty() {
            stored(self.coordinator.broker().note(note).await, name)?
        } else {
            let events = events.into_iter().map(|event| (event, Sender::default()));
            let taken = self.coordinator.publish(events.collect(), Some(note));
            match taken.await {
                Ok(_) => true,
                Err(Refusal::Stopping) => return Err(Stopped),
                Err(refusal) => {
                    served.note_error(&format!("a run could not be stored yet: {refusal}"));
                    tracing::warn!(source = name, %refusal, "a run could not be stored yet");
                    false
                }
            }
        };
        if !is_stored {
            return Ok(false);
        }
        if due.leaves_out {
            let words = format!(
                "runs between {} and {} were missed and are left out, as `missed` says",
                followed.mark, due.mark
            );
            tracing::warn!(source = name, "{words}");
            served.note_error(&words);
        }
        for (id, run) in ids.iter().zip(&due.runs) {
            served.note_event(id);
            let late = now.duration_since(*run).as_secs_f64();
            metrics::histogram!("dormouse_schedule_lateness_seconds").record(late);
        }
        followed.mark = due.mark;
        served.set_next_run(followed.next());
        Ok(true)
    }
}

impl Followed {
    fn next(&self) -> Option<Timestamp> {
        self.served.schedule()?.next_after(self.mark)
    }
}

/// Whether a note was stored; says why not.
fn stored(kept: Result<(), Error>, name: &str) -> Result<bool, Stopped> {
    match kept {
        Ok(()) => Ok(true),
        Err(Error::Stopped) => Err(Stopped),
        Err(error) => {
            tracing::error!(source = name, %error, "a schedule's mark could not be stored yet");
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests;
