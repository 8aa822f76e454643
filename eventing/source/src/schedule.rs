//! When a schedule's events are due, and which of them were missed. The clock is passed in.
//!
//! A schedule is followed by a *mark*: the time up to which all its runs are settled, published or
//! left out. [`Schedule::due`] says what is to be published when the mark is there and the clock
//! here, and where the mark is then. Who stores the new mark in one commit with the events can
//! crash at any moment: no run is published twice, and none that counts is lost.

use std::collections::BTreeMap;

use bytes::Bytes;
use dormouse_contract::Event;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cron::{Cron, Zone};

/// What comes later than this counts as missed, even though the platform was up: its machine
/// slept, its clock jumped, or its broker took no events.
pub const LATE: SignedDuration = SignedDuration::from_secs(60);

/// So many missed runs are made up for by [`Missed::All`], the newest.
pub const MOST_MISSED: usize = 100;

/// Something that tells at certain times that it is time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// At which times.
    pub cron: Cron,
    /// Whose clock is meant.
    pub zone: Zone,
    /// What becomes of runs that were missed.
    pub missed: Missed,
    /// `type` of its events.
    pub ty: String,
    /// `source` of its events.
    pub source: String,
    /// `subject` of its events.
    pub subject: Option<String>,
    /// Extension attributes of its events.
    pub extensions: BTreeMap<String, String>,
    /// The media type of `data`.
    pub content_type: Option<String>,
    /// What its events carry.
    pub data: Option<Bytes>,
}

/// What becomes of runs whose time passed while the platform was down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// They are left out.
    Skip,
    /// However many they are, the last of them is made up for.
    #[default]
    Once,
    /// Each is made up for, but no more than the newest [`MOST_MISSED`].
    All,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The planned times of what is to be published, rising.
    pub runs: Vec<Timestamp>,
    /// Where the mark is when they are published.
    pub mark: Timestamp,
    /// Whether missed runs are left out.
    pub leaves_out: bool,
}

impl Schedule {
    /// Every full hour, missed runs made up for once, nothing in the events but what they are.
    ///
    /// # Panics
    /// Never: `@hourly` is a cron expression.
    #[must_use]
    pub fn hourly(ty: &str, source: &str) -> Self {
        #[expect(clippy::expect_used, reason = "a constant that a test reads too")]
        let cron = "@hourly".parse().expect("a cron expression");
        Self {
            cron,
            zone: Zone::default(),
            missed: Missed::default(),
            ty: ty.to_owned(),
            source: source.to_owned(),
            subject: None,
            extensions: BTreeMap::new(),
            content_type: None,
            data: None,
        }
    }

    /// The first run after a time. `None` when there is none in this age.
    #[must_use]
    pub fn next_after(&self, mark: Timestamp) -> Option<Timestamp> {
        self.cron.next(whole(mark), &self.zone)
    }

    /// What is due at `now`, when all is settled up to `mark` and the schedule has been followed
    /// without a break since `since`. A clock that went back makes nothing due.
    #[must_use]
    pub fn due(&self, mark: Timestamp, since: Timestamp, now: Timestamp) -> Due {
        let mut due = Due {
            runs: Vec::new(),
            mark,
            leaves_out: false,
        };
        let budget = match self.missed {
            Missed::Skip => 0,
            Missed::Once => 1,
            Missed::All => MOST_MISSED,
        };
        let is_missed = |run: Timestamp| run <= since || now.duration_since(run) > LATE;
        let mut made_up = 0;
        let mut last = self.cron.previous(whole(now), true, &self.zone);
        while let Some(run) = last.filter(|run| *run > mark) {
            due.mark = due.mark.max(run);
            if is_missed(run) {
                if made_up == budget {
                    due.leaves_out = true;
                    break;
                }
                made_up += 1;
            }
            due.runs.push(run);
            last = self.cron.previous(run, false, &self.zone);
        }
        due.runs.reverse();
        due
    }

    /// The event of a run. Its id is made of the schedule's name and the planned time, so that the
    /// same run is the same event, whoever tells it.
    #[must_use]
    pub fn event(&self, name: &str, run: Timestamp) -> Event {
        let mut event = Event::new(format!("{name}-{run}"), &self.source, &self.ty);
        event.time = Some(run.to_string());
        event.subject.clone_from(&self.subject);
        event.datacontenttype.clone_from(&self.content_type);
        event.data.clone_from(&self.data);
        for (name, value) in &self.extensions {
            event = event.with_extension(name, value.as_str());
        }
        event
    }
}

/// Runs are at whole seconds; what has begun of another second is not looked at.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests;
