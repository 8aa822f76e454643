//! The numbered frames that a client may not have, in order, and how far they have got.

use std::collections::VecDeque;

use dormouse_broker::TaskId;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::jsonrpc::RequestId;

/// How many bytes of frames that can be had again from elsewhere stay in memory once they are sent.
const ROOM: usize = 1 << 20;

/// What a frame says, as far as it matters when it is to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// A notification: in memory only, and forgotten first.
    Notice,
    /// Stored as it is; `Some`: it answers this request.
    Text(Option<RequestId>),
    /// The answer of a task, stored as a reference to it.
    Answer(TaskId, RequestId),
}

/// One frame.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub content: Content,
    /// `None` when it is not in memory.
    pub text: Option<Utf8Bytes>,
}

/// Frames that follow each other without a gap.
#[derive(Debug)]
pub(super) struct Backlog {
    frames: VecDeque<Frame>,
    /// The number of the first of them, or of the next one where there is none.
    first: u64,
    /// The number of the frame that is sent next on this connection.
    cursor: u64,
    /// The number of the first frame that must not be sent yet, because it is not stored.
    held: u64,
    /// The number of the first frame that is not even being stored.
    storing: u64,
    /// How many bytes are in memory.
    bytes: usize,
}

impl Backlog {
    /// Nothing, behind the frames that a client has.
    pub fn behind(has: u64) -> Self {
        Self {
            frames: VecDeque::new(),
            first: has + 1,
            cursor: has + 1,
            held: has + 1,
            storing: has + 1,
            bytes: 0,
        }
    }

    fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// The number of the last frame that was sent on this connection.
    pub fn sent(&self) -> u64 {
        self.cursor - 1
    }

    /// Adds a frame, which is held until it is [stored](Self::store) and [released](Self::release).
    /// Returns its number.
    pub fn push(&mut self, frame: Frame) -> u64 {
        self.bytes += frame.text.as_ref().map_or(0, |text| text.len());
        self.frames.push_back(frame);
        self.end() - 1
    }

    /// Whether there is a frame that may be sent.
    pub fn has_more(&self) -> bool {
        self.cursor < self.held
    }

    /// Whether there are frames that were not sent, held or not.
    pub fn is_behind(&self) -> bool {
        self.cursor < self.end()
    }

    /// The frames that are held and not being stored yet, with the number of the first.
    pub fn held(&self) -> (u64, impl Iterator<Item = &Frame>) {
        let begin = usize::try_from(self.storing - self.first).unwrap_or(usize::MAX);
        (self.storing, self.frames.iter().skip(begin))
    }

    /// Notes that all held frames are being stored.
    pub fn store(&mut self) {
        self.storing = self.end();
    }

    /// Lets the frames be sent that were being stored.
    pub fn release(&mut self) {
        self.held = self.storing;
    }

    /// The next frame that may be sent, if it is in memory.
    pub fn take(&mut self) -> Option<Utf8Bytes> {
        if !self.has_more() {
            return None;
        }
        let text = self.frame(self.cursor)?.text.clone()?;
        self.cursor += 1;
        self.make_room();
        Some(text)
    }

    /// The next frames that may be sent and are not in memory, at most so many of those that
    /// follow each other.
    pub fn missing(&self, most: usize) -> Vec<(u64, Content)> {
        (self.cursor..self.held)
            .map_while(|number| Some((number, self.frame(number)?)))
            .take_while(|(_, frame)| frame.text.is_none())
            .take(most)
            .map(|(number, frame)| (number, frame.content.clone()))
            .collect()
    }

    /// Brings a frame back into memory.
    pub fn fill(&mut self, number: u64, text: Utf8Bytes) {
        let Some(place) = number.checked_sub(self.first) else {
            return;
        };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if let Some(frame) = self.frames.get_mut(place)
            && frame.text.is_none()
        {
            self.bytes += text.len();
            frame.text = Some(text);
        }
    }

    /// Forgets frames up to this one: the client has them.
    pub fn acknowledge(&mut self, number: u64) {
        while self.first <= number.min(self.sent())
            && let Some(frame) = self.frames.pop_front()
        {
            self.first += 1;
            self.bytes -= frame.text.map_or(0, |text| text.len());
        }
    }

    /// Goes on for a client that has this many frames: the others are numbered on from there, and
    /// all are sent. Returns the numbers that they had before; `None` when it cannot have so many,
    /// or has fewer than were forgotten.
    pub fn resume(&mut self, has: u64) -> Option<Vec<u64>> {
        if has + 1 < self.first || has >= self.end() {
            return None;
        }
        self.cursor = has + 1;
        self.acknowledge(has);
        let before = (self.first..).zip(std::mem::take(&mut self.frames));
        // A notification that is not in memory is lost: the next frame takes its number.
        let left = before.filter(|(_, frame)| {
            !matches!(
                frame,
                Frame {
                    content: Content::Notice,
                    text: None
                }
            )
        });
        let (numbers, frames): (Vec<u64>, VecDeque<Frame>) = left.unzip();
        self.frames = frames;
        self.store();
        self.release();
        Some(numbers)
    }

    fn frame(&self, number: u64) -> Option<&Frame> {
        let place = number.checked_sub(self.first)?;
        self.frames.get(usize::try_from(place).ok()?)
    }

    /// Lets go of texts that were sent, the oldest first, when there are too many bytes of them.
    fn make_room(&mut self) {
        if self.bytes <= ROOM {
            return;
        }
        let sent = usize::try_from(self.cursor - self.first).unwrap_or(usize::MAX);
        for frame in self.frames.iter_mut().take(sent) {
            if self.bytes <= ROOM / 2 {
                return;
            }
            match frame.content {
                Content::Notice | Content::Answer(..) => {
                    self.bytes -= frame.text.take().map_or(0, |text| text.len());
                }
                Content::Text(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(content: Content, text: &str) -> Frame {
        Frame {
            content,
            text: Some(Utf8Bytes::from(text.to_owned())),
        }
    }

    #[test]
    fn a_client_gets_what_it_has_not_got() {
        let mut backlog = Backlog::behind(0);
        for text in ["a", "b", "c"] {
            backlog.push(frame(Content::Notice, text));
        }
        assert_eq!(backlog.take(), None, "nothing is stored yet");
        assert_eq!(backlog.held().1.count(), 3);
        backlog.store();
        backlog.push(frame(Content::Notice, "d"));
        assert_eq!((backlog.held().0, backlog.held().1.count()), (4, 1));
        backlog.release();
        for text in ["a", "b", "c"] {
            assert_eq!(backlog.take().as_deref(), Some(text));
        }
        assert_eq!(backlog.take(), None);
        assert_eq!(backlog.resume(1), Some(vec![2, 3, 4]));
        assert_eq!(backlog.take().as_deref(), Some("b"));
        backlog.acknowledge(2);
        assert_eq!(backlog.resume(1), None, "that was forgotten");
        assert_eq!(backlog.resume(5), None, "there are not so many");
        assert_eq!(backlog.resume(2), Some(vec![3, 4]));
        assert_eq!(backlog.take().as_deref(), Some("c"));
    }

    #[test]
    fn what_was_sent_leaves_memory_and_lost_notices_leave_no_gap() {
        let mut backlog = Backlog::behind(0);
        let large = "x".repeat(ROOM);
        let task = TaskId::new();
        let id = RequestId::from_json(serde_json::from_str("1").unwrap()).unwrap();
        backlog.push(frame(Content::Notice, &large));
        backlog.push(frame(Content::Answer(task, id.clone()), &large));
        backlog.push(frame(Content::Text(None), "kept"));
        backlog.push(frame(Content::Notice, "new"));
        backlog.store();
        backlog.release();
        while backlog.take().is_some() {}
        assert_eq!(backlog.resume(0), Some(vec![2, 3, 4]));
        assert_eq!(backlog.missing(9), [(1, Content::Answer(task, id))]);
        assert_eq!(backlog.take(), None);
        backlog.fill(1, "again".into());
        let rest: Vec<_> = std::iter::from_fn(|| backlog.take()).collect();
        assert_eq!(rest, ["again", "kept", "new"]);
        assert_eq!(backlog.sent(), 3);
    }

    /// What happens to a backlog.
    #[derive(Debug, Clone)]
    enum Step {
        Push,
        Store,
        Release,
        Send,
        /// The connection breaks; so many of the frames that were sent did not arrive.
        Lose(u64),
        /// The client is known to have this many less than it has.
        Acknowledge(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Push),
            3 => Just(Step::Store),
            3 => Just(Step::Release),
            6 => Just(Step::Send),
            1 => (0_u64..5).prop_map(Step::Lose),
            1 => (0_u64..5).prop_map(Step::Acknowledge),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_lost_doubled_or_reordered(steps in proptest::collection::vec(step(), 1..300)) {
            let mut backlog = Backlog::behind(0);
            let mut made = 0_u64;
            // What the client has, and what is on the way to it.
            let (mut has, mut way) = (0_u64, VecDeque::new());
            let mut known = 0;
            for step in steps {
                match step {
                    Step::Push => {
                        made += 1;
                        let number = backlog.push(frame(Content::Text(None), &made.to_string()));
                        prop_assert_eq!(number, made);
                    }
                    Step::Store => backlog.store(),
                    Step::Release => backlog.release(),
                    Step::Send => way.extend(backlog.take()),
                    Step::Lose(lost) => {
                        let arrived = way.len() as u64 - lost.min(way.len() as u64);
                        for text in way.drain(..).take(usize::try_from(arrived).unwrap()) {
                            has += 1;
                            prop_assert_eq!(text.as_str(), has.to_string());
                        }
                        prop_assert!(backlog.resume(has).is_some());
                    }
                    Step::Acknowledge(less) => {
                        for text in way.drain(..) {
                            has += 1;
                            prop_assert_eq!(text.as_str(), has.to_string());
                        }
                        known = known.max(has.saturating_sub(less));
                        backlog.acknowledge(known);
                    }
                }
            }
            backlog.store();
            backlog.release();
            way.extend(std::iter::from_fn(|| backlog.take()));
            for text in way {
                has += 1;
                prop_assert_eq!(text.as_str(), has.to_string());
            }
            prop_assert_eq!(has, made);
        }
    }
}
