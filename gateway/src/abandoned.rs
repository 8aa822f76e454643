//! Modern calls whose client has gone away.

use std::sync::Arc;

use dormouse_broker::{NewTask, TaskId};

use crate::core::Core;
use crate::era::Era;
use crate::tasks::Status;

/// Cancels a modern call whose client has gone (2026-07-28, "Cancellation": closing the stream
/// is the signal), unless it has a key by which the client can come back for it.
#[derive(Debug)]
pub(crate) struct Abandoned {
    core: Arc<Core>,
    task: TaskId,
    /// The task is this call's alone, and has not ended.
    own: bool,
    /// Whether going away without a word cancels it.
    armed: bool,
    /// Its client can come back for it by an idempotency key.
    keyed: bool,
    /// It goes on with what another request began, and so may a third: each retry that carries
    /// the same state.
    resumed: bool,
}

impl Abandoned {
    /// Watches a task that is about to be accepted.
    pub fn watch(core: &Arc<Core>, task: &NewTask, era: Era) -> Self {
        Self {
            core: core.clone(),
            task: task.id,
            own: true,
            armed: era == Era::Modern && task.idempotency.is_none(),
            keyed: task.idempotency.is_some(),
            resumed: false,
        }
    }

    /// Watches a task that a retry goes on with.
    pub fn resumed(core: &Arc<Core>, task: TaskId, armed: bool) -> Self {
        Self {
            core: core.clone(),
            task,
            own: true,
            armed,
            keyed: !armed,
            resumed: true,
        }
    }

    /// The call has ended, or is another's too: nothing is to be cancelled any more.
    pub fn settle(&mut self) {
        (self.own, self.armed) = (false, false);
    }

    /// Whether the same retry came again, over another connection: it waits for the task, or was
    /// told what the task asks now.
    async fn is_taken_up(&self) -> bool {
        let broker = &self.core.broker;
        if !self.resumed || broker.is_waited_for(self.task) {
            return self.resumed;
        }
        let standing = broker.standing(self.task).await;
        matches!(standing, Ok(Some(standing)) if Status::of(&standing) == Status::InputRequired)
    }

    /// The client cannot go on with it, and could not come back for it: cancels the task now.
    pub async fn give_up(&mut self, reason: &str) {
        if self.keyed {
            self.settle();
        } else {
            self.cancel(reason).await;
        }
    }

    /// Cancels the task now.
    pub async fn cancel(&mut self, reason: &str) {
        self.armed = false;
        if !std::mem::take(&mut self.own) {
            return;
        }
        let Core {
            broker, principal, ..
        } = &*self.core;
        let cancelled = broker.cancel(self.task, Some(principal), reason).await;
        if let Err(error) = cancelled {
            tracing::warn!(task = %self.task, %error, "could not cancel a task");
        }
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // Outside a runtime the platform is going down, and the broker settles what is left.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let mut late = Self {
            core: self.core.clone(),
            task: self.task,
            own: true,
            armed: false,
            keyed: self.keyed,
            resumed: self.resumed,
        };
        runtime.spawn(async move {
            tokio::time::sleep(late.core.config.cancel_grace).await;
            if late.is_taken_up().await {
                return;
            }
            late.cancel("the client closed the stream").await;
        });
    }
}
