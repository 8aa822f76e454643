//! Who waits for which task, which attempt of it runs, and how both are told.
//!
//! One entry a task that is waited for or running, in memory only: after a restart the store says
//! how a task ended, and the gateway asks it.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::event::Way;
use crate::task::{AttemptToken, Claim, Ending, TaskId, Work};

/// What a waiter hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// `{method, params}` of a notification, as the function sent it; not stored, best effort.
    Progress(Bytes),
    /// The task sleeps until someone answers: then the news of its next round follow.
    Suspended {
        /// The task, which may be another than the one waited for, when that joined it.
        task: TaskId,
        /// The round that asks, for [`Broker::answer`](crate::Broker::answer).
        round: u32,
        /// The open asks (an object, JSON text).
        asks: Bytes,
    },
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
    mailbox: Arc<Mailbox>,
}

impl Waiter {
    /// The next news; `None` when the broker has stopped.
    pub async fn next(&mut self) -> Option<News> {
        poll_fn(|cx| {
            let mut letters = self.mailbox.lock();
            match letters.news.pop_front() {
                Some(news) => Poll::Ready(Some(news)),
                None if letters.closed => Poll::Ready(None),
                None => {
                    letters.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.hub.forget(self.task, &self.mailbox);
    }
}

/// What one waiter has not read yet. Smaller than a channel: there is one for every call.
#[derive(Debug, Default)]
struct Mailbox {
    letters: Mutex<Letters>,
}

#[derive(Debug, Default)]
struct Letters {
    news: VecDeque<News>,
    waker: Option<Waker>,
    closed: bool,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves news, and nothing more after an ending. A full box drops notifications.
    fn leave(&self, news: News) {
        let waker = {
            let mut letters = self.lock();
            match news {
                News::Progress(_) if letters.news.len() >= BACKLOG => return,
                News::Progress(_) | News::Suspended { .. } => {}
                News::Ended(..) => letters.closed = true,
            }
            letters.news.push_back(news);
            letters.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn close(&self) {
        let waker = {
            let mut letters = self.lock();
            letters.closed = true;
            letters.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A running attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The pool that runs it.
    pub pool: Arc<str>,
    /// The way of the event that it handles; for a call none.
    pub way: Way,
}

#[derive(Debug)]
struct Running {
    attempt: Attempt,
    token: AttemptToken,
    cancelled: CancellationToken,
}

#[derive(Debug, Default)]
struct Entry {
    listeners: Vec<Arc<Mailbox>>,
    running: Option<Running>,
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
        let mailbox = Arc::<Mailbox>::default();
        self.lock()
            .entry(task)
            .or_default()
            .listeners
            .push(Arc::clone(&mailbox));
        Waiter {
            task,
            hub: self.clone(),
            mailbox,
        }
    }

    fn forget(&self, task: TaskId, mailbox: &Arc<Mailbox>) {
        let mut entries = self.lock();
        let mut next = Some(task);
        while let Some(task) = next {
            let Some(entry) = entries.get_mut(&task) else {
                return;
            };
            entry
                .listeners
                .retain(|listener| !Arc::ptr_eq(listener, mailbox));
            next = entry.joined;
            if entry.listeners.is_empty() && entry.running.is_none() {
                entries.remove(&task);
            }
        }
    }

    /// Tells all who wait under `task`.
    pub(crate) fn tell(&self, task: TaskId, news: &News) {
        if let Some(entry) = self.lock().get(&task) {
            for listener in &entry.listeners {
                listener.leave(news.clone());
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
    pub(crate) fn start(&self, claim: &Claim) {
        self.lock().entry(claim.task).or_default().running = Some(Running {
            attempt: Attempt {
                pool: Arc::clone(&claim.pool),
                way: match &claim.work {
                    Work::Call(_) => Way::default(),
                    Work::Event { way, .. } => way.clone(),
                },
            },
            token: claim.token,
            cancelled: claim.cancelled.clone(),
        });
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
            running: Some(attempt),
            ..
        }) = self.lock().get(&task)
        {
            attempt.cancelled.cancel();
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
            listener.leave(News::Ended(of, ending.clone()));
        }
        if let Some(last) = last {
            last.leave(News::Ended(of, ending));
        }
    }

    /// Whether anybody waits for a task.
    pub(crate) fn is_waited_for(&self, task: TaskId) -> bool {
        let entries = self.lock();
        let entry = entries.get(&task);
        entry.is_some_and(|entry| !entry.listeners.is_empty())
    }

    /// The pool whose running attempt this is.
    pub(crate) fn attempt(&self, task: TaskId, token: AttemptToken) -> Option<Attempt> {
        let entries = self.lock();
        let running = entries.get(&task)?.running.as_ref()?;
        (running.token == token).then(|| running.attempt.clone())
    }

    pub(crate) fn progress(&self, task: TaskId, token: AttemptToken, notification: &Bytes) -> bool {
        let entries = self.lock();
        let Some(Entry {
            running: Some(running),
            listeners,
            ..
        }) = entries.get(&task)
        else {
            return false;
        };
        if running.token != token {
            return false;
        }
        for listener in listeners {
            listener.leave(News::Progress(notification.clone()));
        }
        true
    }

    /// Ends all waiting: the broker has stopped.
    pub(crate) fn close(&self) {
        for (_, entry) in self.lock().drain() {
            entry.listeners.iter().for_each(|listener| listener.close());
        }
    }
}
