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

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<String>,
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
        let mut queue = self.lock();
        queue.bytes += text.len();
        queue.messages.push_back(text);
    }

    /// Queues a notification, or drops it when too much waits already.
    pub fn notice(&self, text: String) {
        if self.deaf {
            return;
        }
        let mut queue = self.lock();
        if queue.bytes + text.len() <= NOTICE_ROOM {
            queue.bytes += text.len();
            queue.messages.push_back(text);
        }
    }

    /// The next message.
    pub fn pop(&self) -> Option<String> {
        let mut queue = self.lock();
        let text = queue.messages.pop_front()?;
        queue.bytes -= text.len();
        if queue.messages.is_empty() && queue.messages.capacity() > PLACES_KEPT {
            queue.messages.shrink_to_fit();
        }
        Some(text)
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
