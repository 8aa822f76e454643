//! A stream of messages that outlives its connections: numbered as they are read, remembered
//! within bounds, read by one reader at a time, who may begin where another stopped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::outbox::Outbox;

/// How many bytes of messages that were read are remembered.
const ROOM: usize = 64 << 10;

/// How many messages that were read are remembered.
const MOST: usize = 256;

/// The largest answer that waits in memory for a client that is not there. Larger ones are left to
/// the broker's store.
const ANSWER_ROOM: usize = 16 << 10;

/// A stream of messages.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    /// What has not been read yet, within its own bounds.
    outbox: Arc<Outbox>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last message that was read.
    last: u64,
    /// The newest messages that were read, as far as they are remembered.
    kept: VecDeque<(u64, String)>,
    bytes: usize,
    /// Which reader is served: the newest one.
    reader: u64,
    is_read: bool,
    waker: Option<Waker>,
    /// Who follows what is told here.
    follower: Option<Waker>,
    end: End,
}

#[derive(Debug, Default)]
enum End {
    #[default]
    Open,
    /// With this answer, which nobody has read.
    Answered(String),
    /// There is nothing more to be read.
    Spent,
    /// By someone else's will.
    Closed,
}

/// What there is to be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// The next message and its number.
    Message(u64, String),
    /// The answer and its number; nothing follows.
    Answer(u64, String),
    /// The stream has ended.
    End,
    /// Another reader has taken over.
    TakenOver,
}

/// A reader's place.
#[derive(Debug)]
pub(crate) struct Place {
    reader: u64,
    /// The number of the last message that was read.
    pub read: u64,
}

impl Channel {
    /// A channel for what is left in this outbox, whose numbers go on behind this one.
    pub fn new(outbox: Arc<Outbox>, last: u64) -> Self {
        let state = State {
            last,
            ..State::default()
        };
        Self {
            outbox,
            state: Mutex::new(state),
        }
    }

    /// A channel that begins with this message, which was taken out of the outbox.
    pub fn begun(outbox: Arc<Outbox>, first: Option<String>) -> Self {
        let channel = Self::new(outbox, 0);
        if let Some(first) = first {
            channel.lock().keep(first);
        }
        channel
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a notification, or drops it when too much waits to be read.
    pub fn tell(&self, text: String) {
        self.outbox.notice(text);
        self.wake();
    }

    /// Lets the reader look into the outbox again.
    pub fn wake(&self) {
        if !self.outbox.is_empty() {
            self.lock().wake();
        }
    }

    /// Ends the stream with an answer, or without one.
    pub fn end(&self, answer: Option<String>) {
        let mut state = self.lock();
        if !matches!(state.end, End::Open) {
            return;
        }
        let is_read = state.is_read;
        state.end = match answer {
            Some(text) if is_read || text.len() <= ANSWER_ROOM => End::Answered(text),
            Some(_) | None => End::Spent,
        };
        state.wake();
    }

    /// Ends the stream for good, now.
    pub fn close(&self) {
        let mut state = self.lock();
        state.end = End::Closed;
        state.wake();
        if let Some(follower) = state.follower.take() {
            follower.wake();
        }
    }

    /// Ready when the stream was closed: nobody will come back for what would be told.
    pub fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if matches!(state.end, End::Closed) {
            return Poll::Ready(());
        }
        match &mut state.follower {
            Some(follower) => follower.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Whether the stream has ended, be its answer read or not.
    pub fn has_ended(&self) -> bool {
        !matches!(self.lock().end, End::Open)
    }

    /// Whether it has ended and its answer is not here any more.
    pub fn is_spent(&self) -> bool {
        matches!(self.lock().end, End::Spent | End::Closed)
    }

    /// Whether there is a reader.
    pub fn is_read(&self) -> bool {
        self.lock().is_read
    }

    /// The number of the last message that was read.
    pub fn last(&self) -> u64 {
        self.lock().last
    }

    /// Takes over, to read on behind this number; a reader before stops.
    pub fn read_after(&self, number: u64) -> Place {
        let mut state = self.lock();
        state.reader += 1;
        state.is_read = true;
        state.wake();
        Place {
            reader: state.reader,
            read: number,
        }
    }

    /// Stops reading.
    pub fn leave(&self, place: &Place) {
        let mut state = self.lock();
        if state.reader == place.reader {
            state.is_read = false;
            state.waker = None;
            if matches!(&state.end, End::Answered(text) if text.len() > ANSWER_ROOM) {
                state.end = End::Spent;
            }
        }
    }

    /// What comes next at this place, which moves on.
    pub fn poll_read(&self, cx: &Context<'_>, place: &mut Place) -> Poll<Read> {
        let mut state = self.lock();
        if state.reader != place.reader {
            return Poll::Ready(Read::TakenOver);
        }
        let begin = state
            .kept
            .partition_point(|(number, _)| *number <= place.read);
        if let Some((number, text)) = state.kept.get(begin) {
            let (number, text) = (*number, text.clone());
            place.read = number;
            return Poll::Ready(Read::Message(number, text));
        }
        if !matches!(state.end, End::Closed)
            && let Some(text) = self.outbox.pop()
        {
            place.read = state.keep(text.clone());
            return Poll::Ready(Read::Message(place.read, text));
        }
        match std::mem::replace(&mut state.end, End::Spent) {
            End::Open => {
                state.end = End::Open;
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            End::Answered(text) => Poll::Ready(Read::Answer(state.last + 1, text)),
            End::Spent => Poll::Ready(Read::End),
            End::Closed => {
                state.end = End::Closed;
                Poll::Ready(Read::End)
            }
        }
    }
}

impl State {
    /// Numbers a message and remembers it; the oldest make way.
    fn keep(&mut self, text: String) -> u64 {
        self.last += 1;
        self.bytes += text.len();
        self.kept.push_back((self.last, text));
        while self.bytes > ROOM || self.kept.len() > MOST {
            let Some((_, oldest)) = self.kept.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
        }
        self.last
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn read(channel: &Channel, place: &mut Place) -> Option<Read> {
        let cx = Context::from_waker(Waker::noop());
        match channel.poll_read(&cx, place) {
            Poll::Ready(read) => Some(read),
            Poll::Pending => None,
        }
    }

    fn message(number: u64) -> Option<Read> {
        Some(Read::Message(number, number.to_string()))
    }

    #[test]
    fn a_reader_goes_on_where_another_stopped() {
        let channel = Channel::default();
        for number in 1..=3_u64 {
            channel.tell(number.to_string());
        }
        let mut one = channel.read_after(0);
        assert_eq!(read(&channel, &mut one), message(1));
        assert_eq!(read(&channel, &mut one), message(2));
        // The second message did not arrive.
        let mut two = channel.read_after(1);
        assert_eq!(read(&channel, &mut one), Some(Read::TakenOver));
        assert_eq!(read(&channel, &mut two), message(2));
        assert_eq!(read(&channel, &mut two), message(3));
        assert_eq!(read(&channel, &mut two), None);
        channel.end(Some("answer".into()));
        assert_eq!(
            read(&channel, &mut two),
            Some(Read::Answer(4, "answer".into()))
        );
        assert_eq!(read(&channel, &mut two), Some(Read::End));
        assert!(channel.is_spent());
    }

    #[test]
    fn large_answers_do_not_wait_in_memory() {
        let small = Channel::default();
        small.end(Some("x".into()));
        assert!(!small.is_spent());
        let large = Channel::default();
        large.end(Some("x".repeat(ANSWER_ROOM + 1)));
        assert!(large.is_spent());
        let read = Channel::default();
        let place = read.read_after(0);
        read.end(Some("x".repeat(ANSWER_ROOM + 1)));
        assert!(!read.is_spent());
        read.leave(&place);
        assert!(read.is_spent());
    }

    #[test]
    fn what_was_read_is_remembered_within_bounds() {
        let channel = Channel::default();
        let mut place = channel.read_after(0);
        let text = |n: u64| format!("{n:01000}");
        for n in 1..=100 {
            channel.tell(text(n));
            assert!(read(&channel, &mut place).is_some());
        }
        let mut late = channel.read_after(90);
        assert_eq!(read(&channel, &mut late), Some(Read::Message(91, text(91))));
        let mut too_late = channel.read_after(0);
        assert_eq!(
            read(&channel, &mut too_late),
            Some(Read::Message(36, text(36)))
        );
    }

    #[test]
    fn a_closed_stream_tells_nothing() {
        let channel = Channel::default();
        let mut place = channel.read_after(0);
        channel.close();
        channel.tell("late".into());
        channel.end(Some("late".into()));
        assert_eq!(read(&channel, &mut place), Some(Read::End));
    }

    #[test]
    fn who_follows_hears_of_the_close() {
        struct Woken(AtomicBool);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let (channel, woken) = (Channel::default(), Arc::new(Woken(AtomicBool::new(false))));
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        assert!(channel.poll_closed(&cx).is_pending());
        channel.end(None);
        assert!(!woken.0.load(Ordering::SeqCst));
        channel.close();
        assert!(woken.0.load(Ordering::SeqCst) && channel.poll_closed(&cx).is_ready());
    }

    proptest! {
        /// Whatever readers come, break off and come back, each message is read in order, and
        /// again only from where a reader says that it stopped.
        #[test]
        fn nothing_is_lost_doubled_or_out_of_order(
            steps in proptest::collection::vec((0_u8..4, 0_u64..4), 1..200)
        ) {
            let channel = Channel::default();
            let mut place = channel.read_after(0);
            let (mut told, mut heard, mut furthest) = (0_u64, 0_u64, 0_u64);
            for (step, lost) in steps {
                match step {
                    0 | 1 if told < MOST as u64 => {
                        told += 1;
                        channel.tell(told.to_string());
                    }
                    0..=2 => match read(&channel, &mut place) {
                        Some(Read::Message(number, text)) => {
                            prop_assert_eq!(number, heard + 1);
                            prop_assert_eq!(text, number.to_string());
                            heard = number;
                            furthest = furthest.max(number);
                        }
                        Some(other) => prop_assert!(false, "{:?}", other),
                        None => prop_assert_eq!(heard, told),
                    },
                    _ => {
                        channel.leave(&place);
                        heard = heard.saturating_sub(lost);
                        place = channel.read_after(heard);
                    }
                }
            }
            prop_assert_eq!(channel.last(), furthest);
            while let Some(Read::Message(number, _)) = read(&channel, &mut place) {
                prop_assert_eq!(number, heard + 1);
                heard = number;
            }
            prop_assert_eq!(heard, told);
        }
    }
}
