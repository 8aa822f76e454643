//! Who waits for which task, which attempt of it runs, and how both are told.
//!
//! One entry a task that is waited for or running, in memory only: after a restart the store says
//! how a task ended, and the gateway asks it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::task::{AttemptToken, Ending, TaskId};

/// What a waiter hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// `{method, params}` of a notification, as the function sent it; not stored, best effort.
    Progress(Bytes),
    /// The task has ended; nothing follows.
    Ended(TaskId, Ending),
}

/// How many notifications wait for a waiter that does not read; more are dropped.
const BACKLOG: usize = 64;

/// A place in the queue of news about one task. Dropping it stops listening; the task goes on.
#[derive(Debug)]
pub struct Waiter {
    task: TaskId,
    hub: Hub,
    news: mpsc::Receiver<News>,
}

impl Waiter {
    /// The next news; `None` when the broker has stopped.
    pub async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.news.close();
        self.hub.forget(self.task);
    }
}

#[derive(Debug, Default)]
struct Entry {
    listeners: Vec<mpsc::Sender<News>>,
    running: Option<(AttemptToken, CancellationToken)>,
    /// Where the listeners of this id went, when its call joined another task.
    joined: Option<TaskId>,
}

/// The entries of all tasks; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hub {
    entries: Arc<Mutex<HashMap<TaskId, Entry>>>,
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wait(&self, task: TaskId) -> Waiter {
        // One place beyond the backlog is kept for the ending.
        let (sender, news) = mpsc::channel(BACKLOG + 1);
        self.lock().entry(task).or_default().listeners.push(sender);
        Waiter {
            task,
            hub: self.clone(),
            news,
        }
    }

    fn forget(&self, task: TaskId) {
        let mut entries = self.lock();
        let mut next = Some(task);
        while let Some(task) = next {
            let Some(entry) = entries.get_mut(&task) else {
                return;
            };
            entry.listeners.retain(|listener| !listener.is_closed());
            next = entry.joined;
            if entry.listeners.is_empty() && entry.running.is_none() {
                entries.remove(&task);
            }
        }
    }

    /// Lets those who wait for `from` wait for `to`.
    pub(crate) fn join(&self, from: TaskId, to: TaskId) {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(&from) else {
            return;
        };
        entry.joined = Some(to);
        let moved = std::mem::take(&mut entry.listeners);
        entries.entry(to).or_default().listeners.extend(moved);
    }

    /// Makes an attempt known, so that its progress is believed and its end can be called.
    pub(crate) fn start(&self, task: TaskId, token: AttemptToken, cancelled: CancellationToken) {
        self.lock().entry(task).or_default().running = Some((token, cancelled));
    }

    /// Forgets the attempt; whoever waits goes on waiting.
    pub(crate) fn pause(&self, task: TaskId) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(&task) {
            entry.running = None;
            if entry.listeners.is_empty() {
                entries.remove(&task);
            }
        }
    }

    /// Aborts the running attempt of a task that has ended otherwise.
    pub(crate) fn abort(&self, task: TaskId) {
        if let Some(Entry {
            running: Some((_, cancelled)),
            ..
        }) = self.lock().get(&task)
        {
            cancelled.cancel();
        }
    }

    /// Tells the ending to all who wait under `task`, of which `of` is the ending.
    pub(crate) fn end(&self, task: TaskId, of: TaskId, ending: Ending) {
        let Some(entry) = self.lock().remove(&task) else {
            return;
        };
        let mut listeners = entry.listeners.into_iter();
        let last = listeners.next_back();
        for listener in listeners {
            // A listener that has gone away needs no ending.
            let _ = listener.try_send(News::Ended(of, ending.clone()));
        }
        if let Some(last) = last {
            let _ = last.try_send(News::Ended(of, ending));
        }
    }

    pub(crate) fn is_running(&self, task: TaskId, token: AttemptToken) -> bool {
        self.lock().get(&task).is_some_and(|entry| {
            entry
                .running
                .as_ref()
                .is_some_and(|running| running.0 == token)
        })
    }

    pub(crate) fn progress(&self, task: TaskId, token: AttemptToken, notification: &Bytes) -> bool {
        let entries = self.lock();
        let Some(Entry {
            running: Some((running, _)),
            listeners,
            ..
        }) = entries.get(&task)
        else {
            return false;
        };
        if *running != token {
            return false;
        }
        for listener in listeners {
            if listener.capacity() > 1 {
                // A full backlog drops notifications, never the ending.
                let _ = listener.try_send(News::Progress(notification.clone()));
            }
        }
        true
    }

    /// Ends all waiting: the broker has stopped.
    pub(crate) fn close(&self) {
        self.lock().clear();
    }
}
