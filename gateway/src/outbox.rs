//! What waits to be sent to one client: answers always, notifications while there is room.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many bytes may wait before notifications are dropped: a client that does not read shall
/// not fill the memory with progress. Answers are bounded by the calls in flight.
const NOTICE_ROOM: usize = 64 << 10;

/// Places kept when nothing waits.
const PLACES_KEPT: usize = 16;

/// Messages that wait for one client, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    /// Nobody reads it but for the answer.
    deaf: bool,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    /// The JSON-RPC message.
    pub text: String,
    /// A notification, which may be lost.
    pub is_notice: bool,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An outbox that nobody reads: the client takes an answer and nothing else.
    pub fn deaf() -> Self {
        Self {
            deaf: true,
            ..Self::default()
        }
    }

    /// Whether requests to the client reach it.
    pub fn carries_requests(&self) -> bool {
        !self.deaf
    }

    /// Queues a request to the client. Like answers, requests are bounded by the calls in flight.
    pub fn request(&self, text: String) {
        self.answer(text);
    }

    /// Queues an answer.
    pub fn answer(&self, text: String) {
        self.lock().push(text, false);
    }

    /// Queues a notification that is not dropped: of those there are few.
    pub fn tell(&self, text: String) {
        self.lock().push(text, true);
    }

    /// Queues a notification, or drops it when too much waits already.
    pub fn notice(&self, text: String) {
        if self.deaf {
            return;
        }
        let mut queue = self.lock();
        if queue.bytes + text.len() <= NOTICE_ROOM {
            queue.push(text, true);
        }
    }

    /// The next message's text.
    pub fn pop(&self) -> Option<String> {
        self.pop_message().map(|message| message.text)
    }

    /// The next message.
    pub fn pop_message(&self) -> Option<Message> {
        let mut queue = self.lock();
        let message = queue.messages.pop_front()?;
        queue.bytes -= message.text.len();
        if queue.messages.is_empty() && queue.messages.capacity() > PLACES_KEPT {
            queue.messages.shrink_to_fit();
        }
        Some(message)
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lock().messages.is_empty()
    }
}

impl Queue {
    fn push(&mut self, text: String, is_notice: bool) {
        self.bytes += text.len();
        self.messages.push_back(Message { text, is_notice });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_dropped_before_memory_is_and_answers_never() {
        let outbox = Outbox::default();
        let notice = "n".repeat(NOTICE_ROOM / 2);
        for _ in 0..5 {
            outbox.notice(notice.clone());
        }
        outbox.answer("answer".to_owned());
        assert_eq!(outbox.bytes(), NOTICE_ROOM + 6);
        assert_eq!(outbox.pop(), Some(notice.clone()));
        assert_eq!(outbox.pop(), Some(notice));
        assert_eq!(outbox.pop().as_deref(), Some("answer"));
        assert!(outbox.is_empty() && outbox.bytes() == 0);
    }
}
