//! The window in which an event that comes again is known: by `source` and `id` (CloudEvents 1.0.2,
//! "id": producers must keep the pair unique, and consumers may take equal ones as duplicates).
//!
//! It holds a hash, a place in the log and a time for each event, so 50 bytes or so; whether the
//! event at that place really is the same one says the store.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::event::Seq;
use crate::retry::millis;
use crate::task::Millis;

/// An event as the window sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Mark(u64);

/// The events of the last minutes.
#[derive(Debug)]
pub(crate) struct Window {
    length: Millis,
    most: usize,
    hasher: RandomState,
    places: HashMap<Mark, Seq>,
    marks: VecDeque<(Mark, Seq, Millis)>,
}

impl Window {
    /// A window over the events of the last `length`, the newest `most` of them.
    pub(crate) fn new(length: Duration, most: usize) -> Self {
        Self {
            length: millis(length),
            most,
            hasher: RandomState::new(),
            places: HashMap::new(),
            marks: VecDeque::new(),
        }
    }

    /// The mark of a pair.
    pub(crate) fn mark(&self, source: &str, id: &str) -> Mark {
        Mark(self.hasher.hash_one((source, id)))
    }

    /// Where an event with this mark stands that is still in the window.
    pub(crate) fn find(&mut self, mark: Mark, now: Millis) -> Option<Seq> {
        while let Some(&(oldest, seq, at)) = self.marks.front()
            && (at + self.length < now || self.marks.len() > self.most)
        {
            self.marks.pop_front();
            self.forget(oldest, seq);
        }
        self.places.get(&mark).copied()
    }

    /// Takes in an event.
    pub(crate) fn push(&mut self, mark: Mark, seq: Seq, now: Millis) {
        if self.most > 0 {
            self.marks.push_back((mark, seq, now));
            // A reply may repeat the event that it answers: the first one is what a producer sent.
            self.places.entry(mark).or_insert(seq);
        }
    }

    /// Takes back the last [`Window::push`].
    pub(crate) fn unpush(&mut self) {
        if let Some((mark, seq, _)) = self.marks.pop_back() {
            self.forget(mark, seq);
        }
    }

    fn forget(&mut self, mark: Mark, seq: Seq) {
        if self.places.get(&mark) == Some(&seq) {
            self.places.remove(&mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_for_a_while_and_among_the_newest() {
        let mut window = Window::new(Duration::from_millis(100), 3);
        let marks: Vec<_> = (0..5)
            .map(|id| window.mark("/s", &id.to_string()))
            .collect();
        window.push(marks[0], Seq(1), 0);
        assert_eq!(window.find(marks[0], 100), Some(Seq(1)));
        assert_eq!(window.find(marks[0], 101), None);
        for (mark, place) in marks.iter().zip(2..) {
            window.push(*mark, Seq(place), 200);
        }
        assert_eq!(window.find(marks[1], 200), None);
        assert_eq!(window.find(marks[2], 200), Some(Seq(4)));
        window.unpush();
        assert_eq!(window.find(marks[4], 200), None);
    }

    #[test]
    fn an_event_whose_reply_is_taken_back_stays_known() {
        let mut window = Window::new(Duration::from_millis(100), 3);
        let mark = window.mark("/s", "1");
        window.push(mark, Seq(1), 0);
        window.push(mark, Seq(2), 50);
        window.unpush();
        assert_eq!(window.find(mark, 50), Some(Seq(1)));
    }

    #[test]
    fn source_and_id_do_not_run_into_each_other() {
        let window = Window::new(Duration::ZERO, 0);
        assert_ne!(window.mark("/a", "b"), window.mark("/ab", ""));
    }
}
