//! The broker's handle.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::task::{
    Accepted, AttemptToken, Claim, Ending, NewTask, Report, State, TaskFilter, TaskId, TaskRecord,
};
use crate::waiters::Waiter;

/// A handle on the broker; clones share it.
#[derive(Debug, Clone)]
pub struct Broker {}

/// The stream of claims for one dispatcher. Each is already committed as running.
pub type Claims = mpsc::UnboundedReceiver<Claim>;

#[expect(clippy::unused_async, clippy::todo, missing_docs, reason = "skeleton")]
impl Broker {
    /// Opens the store, migrates it, and settles what the process before left running.
    pub fn open(config: Config) -> Result<Self, Error> {
        let _ = config;
        todo!()
    }

    /// Registers for news of a task that is about to be accepted.
    #[must_use]
    pub fn wait(&self, task: TaskId) -> Waiter {
        let _ = task;
        todo!()
    }

    /// Accepts a task: when this returns `Ok`, it is stored and promised.
    pub async fn accept(&self, task: NewTask) -> Result<Accepted, Refusal> {
        let _ = task;
        todo!()
    }

    /// Opens a pool for tasks, or changes its bounds: claims flow to the dispatcher's channel.
    pub async fn open_pool(
        &self,
        pool: Arc<str>,
        slots: usize,
        queue_limit: usize,
    ) -> Result<(), Error> {
        let _ = (pool, slots, queue_limit);
        todo!()
    }

    /// Closes a pool: its waiting tasks stay stored until `queue_expiry` and run if it comes back.
    pub async fn close_pool(&self, pool: Arc<str>) -> Result<(), Error> {
        let _ = pool;
        todo!()
    }

    /// The claims of all open pools; one dispatcher takes them. Called once.
    #[must_use]
    pub fn claims(&self) -> Claims {
        todo!()
    }

    /// Settles an attempt. Returns the state that holds afterwards; `None` when the report came
    /// too late or from nobody and was ignored.
    pub async fn settle(
        &self,
        task: TaskId,
        token: AttemptToken,
        report: Report,
    ) -> Result<Option<State>, Error> {
        let _ = (task, token, report);
        todo!()
    }

    /// Cancels a task of this principal (`None`: an operator, who may cancel any). Returns the
    /// state that holds afterwards; `None` when there is no such task.
    pub async fn cancel(
        &self,
        task: TaskId,
        principal: Option<&str>,
        reason: &str,
    ) -> Result<Option<State>, Error> {
        let _ = (task, principal, reason);
        todo!()
    }

    /// Passes a notification of a running attempt to whoever waits. `false`: no such attempt.
    #[must_use]
    pub fn progress(&self, task: TaskId, token: AttemptToken, notification: Bytes) -> bool {
        let _ = (task, token, notification);
        todo!()
    }

    /// Whether this is the secret of a running attempt of the task.
    #[must_use]
    pub fn is_running(&self, task: TaskId, token: AttemptToken) -> bool {
        let _ = (task, token);
        todo!()
    }

    /// Lists tasks, the newest first.
    pub async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskRecord>, Error> {
        let _ = filter;
        todo!()
    }

    /// One task with its whole history.
    pub async fn task(&self, task: TaskId) -> Result<Option<TaskRecord>, Error> {
        let _ = task;
        todo!()
    }

    /// How a task ended; `None` while it has not, or when there is no such task.
    pub async fn ending(&self, task: TaskId) -> Result<Option<Ending>, Error> {
        let _ = task;
        todo!()
    }

    /// Tasks waiting and running of each pool.
    #[must_use]
    pub fn depths(&self) -> Vec<(Arc<str>, usize, usize)> {
        todo!()
    }

    /// Accepts nothing more and returns when no task is running, then closes the store.
    pub async fn stop(&self) {
        todo!()
    }
}
