//! Who waits for which task, and how they are told.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::task::{Ending, TaskId};

/// What a waiter hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// `{method, params}` of a notification, as the function sent it; not stored, best effort.
    Progress(Bytes),
    /// The task has ended; nothing follows.
    Ended(TaskId, Ending),
}

/// A place in the queue of news about one task. Dropping it stops listening; the task goes on.
#[derive(Debug)]
pub struct Waiter {
    #[expect(dead_code, reason = "skeleton")]
    task: TaskId,
    news: mpsc::UnboundedReceiver<News>,
}

impl Waiter {
    /// The next news; `None` when the broker has stopped.
    pub async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}
