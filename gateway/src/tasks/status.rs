//! Telling of a task what becomes of it, without being asked: `notifications/tasks/status` to a
//! legacy session that made a call a task, `notifications/tasks` to a modern subscription.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use dormouse_broker::{News, TaskId, Waiter};

use super::{View, legacy, modern};
use crate::core::Core;
use crate::ears::Ear;
use crate::hears::Hears;
use crate::jsonrpc::RequestId;

/// In which words a task is told of.
#[derive(Debug)]
pub(crate) enum Words {
    /// To the legacy session that made it; its progress, too, if it gave a token.
    Legacy(Hears),
    /// To the modern subscription of this id.
    Modern(RequestId),
}

/// A task that somebody listens for.
#[derive(Debug)]
pub(crate) struct Watch {
    core: Weak<Core>,
    task: TaskId,
    ear: Weak<Ear>,
    words: Words,
}

impl Watch {
    /// Tells this ear of the task.
    pub fn new(core: &Arc<Core>, task: TaskId, ear: &Arc<Ear>, words: Words) -> Self {
        Self {
            core: Arc::downgrade(core),
            task,
            ear: Arc::downgrade(ear),
            words,
        }
    }

    /// Goes on in the background until the task has ended, or nobody listens any more.
    pub fn start(self, waiter: Waiter) {
        let Some(gone) = self.ear.upgrade().map(|ear| ear.gone()) else {
            return;
        };
        tokio::spawn(async move {
            tokio::select! {
                () = gone.cancelled() => {}
                () = self.follow(waiter) => {}
            }
        });
    }

    async fn follow(self, mut waiter: Waiter) {
        while let Some(news) = waiter.next().await {
            let told = match news {
                News::Progress(notification) => self.progress(&notification),
                News::Suspended { .. } => self.status().await,
                News::Ended(..) => {
                    self.status().await;
                    return;
                }
            };
            if told.is_none() {
                return;
            }
        }
    }

    /// `None`: nobody listens.
    fn progress(&self, notification: &Bytes) -> Option<()> {
        let ear = self.ear.upgrade()?;
        if let Words::Legacy(hears) = &self.words
            && let Some(notice) = hears.notice(notification)
        {
            ear.say(legacy::related_notice(&notice, self.task));
        }
        Some(())
    }

    async fn status(&self) -> Option<()> {
        let core = self.core.upgrade()?;
        // Of a task that is not the caller's nothing is told.
        let standing = core.standing(self.task).await.ok()?;
        let kept = core.task_ttl();
        let notice = match &self.words {
            Words::Legacy(_) => legacy::notice(&legacy::view(self.task, &standing), kept),
            Words::Modern(id) => {
                modern::notice(&View::of(self.task, &standing), &standing, kept, id)
            }
        };
        self.ear.upgrade()?.say(notice);
        Some(())
    }
}
