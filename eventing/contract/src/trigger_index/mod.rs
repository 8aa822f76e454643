//! Which of many triggers take an event, without asking each.
//!
//! Most triggers name the `type` of the events that they take, or how it starts or ends. Such a
//! trigger waits under that name; an event meets those that wait under its type, and the few that
//! say nothing about it. What waits there is asked as a whole before it counts, unless the name
//! was all that it asked for.
//!
//! ```
//! use dormouse_contract::{Event, filter::Trigger, trigger_index::TriggerIndex};
//! let triggers: Vec<Trigger> = serde_json::from_str(
//!     r#"[{"filters": [{"exact": {"type": "com.github.push"}}]},
//!         {"filters": [{"prefix": {"type": "org."}}]},
//!         {}]"#,
//! )?;
//! let index = TriggerIndex::new(triggers);
//! assert_eq!(index.matching(&Event::new("1", "/repo", "com.github.push")), [0, 2]);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod affixes;
mod guard;

use std::collections::HashMap;

use crate::event::Event;
use crate::filter::Trigger;
use affixes::Affixes;
use guard::Guard;

/// Triggers, found by the events that they take. It never changes: build another one when the
/// triggers do.
#[derive(Debug, Clone, Default)]
pub struct TriggerIndex {
    triggers: Vec<Trigger>,
    exact: HashMap<Box<str>, Vec<Candidate>>,
    prefixes: Affixes,
    suffixes: Affixes,
    others: Vec<Candidate>,
}

/// A trigger that may take an event.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    /// Its place in the list.
    trigger: usize,
    /// The guard under which it waits is all that it asks for.
    is_decided: bool,
}

impl TriggerIndex {
    /// An index of these triggers.
    #[must_use]
    pub fn new(triggers: Vec<Trigger>) -> Self {
        let mut index = Self::default();
        for (place, trigger) in triggers.iter().enumerate() {
            index.add(place, trigger);
        }
        index.triggers = triggers;
        index
    }

    /// The triggers, in the order in which they were given.
    #[must_use]
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// The places in [`triggers`](Self::triggers) of those that take the event, rising.
    #[must_use]
    pub fn matching(&self, event: &Event) -> Vec<usize> {
        let mut places = Vec::new();
        let mut consider = |candidates: &[Candidate]| {
            let takes = |it: &&Candidate| it.is_decided || self.triggers[it.trigger].matches(event);
            places.extend(candidates.iter().filter(takes).map(|it| it.trigger));
        };
        if let Some(candidates) = self.exact.get(event.ty.as_str()) {
            consider(candidates);
        }
        self.prefixes.visit(event.ty.bytes(), &mut consider);
        self.suffixes.visit(event.ty.bytes().rev(), &mut consider);
        consider(&self.others);
        // A trigger that waits in several places may have been met in more than one.
        places.sort_unstable();
        places.dedup();
        places
    }

    fn add(&mut self, trigger: usize, written: &Trigger) {
        let Some((guards, is_decided)) = guard::of(written) else {
            let is_decided = written.filters.is_empty();
            self.others.push(Candidate {
                trigger,
                is_decided,
            });
            return;
        };
        let candidate = Candidate {
            trigger,
            is_decided,
        };
        for guard in guards {
            let waiting = match guard {
                Guard::Exact(text) => self.exact.entry(text.into()).or_default(),
                Guard::Prefix(text) => self.prefixes.entry(text.bytes()),
                Guard::Suffix(text) => self.suffixes.entry(text.bytes().rev()),
            };
            waiting.push(candidate);
        }
    }
}

#[cfg(test)]
mod tests;
