//! How a session goes from one connection to the next: by way of the desk, or of the store.

use std::future::{Future, poll_fn};
use std::sync::Arc;

use dormouse_broker::TaskId;
use tokio::sync::{mpsc, oneshot};

use super::{Concern, Desk, Event, Kept};
use crate::answer::Reply;
use crate::error::Fault;
use crate::jsonrpc::RequestId;
use crate::outbox::Outbox;

/// What others want of a session that can be resumed.
pub(crate) enum Wanted {
    /// To go on with it.
    TakeOver(oneshot::Sender<Desk>),
    /// Its end.
    End,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::TakeOver(_) => "TakeOver",
            Self::End => "End",
        })
    }
}

impl Desk {
    pub(super) fn await_wanted(&self, mut wanted: mpsc::UnboundedReceiver<Wanted>) {
        self.do_beside(async move {
            match wanted.recv().await {
                Some(wish) => Event::Wanted(wish, wanted),
                None => std::future::pending().await,
            }
        });
    }

    /// Where what is told to the client waits.
    pub fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox)
    }

    /// Goes on for a client that has this many frames.
    ///
    /// # Errors
    /// When it cannot have so many, or they were forgotten; the session waits on.
    pub async fn resume(mut self, has: u64) -> Result<Self, Fault> {
        let Some(relay) = &mut self.relay else {
            return Err(Fault::UnknownSession);
        };
        match relay.resume(has).await {
            Ok(()) => Ok(self),
            Err(fault) => {
                self.park();
                Err(fault)
            }
        }
    }

    /// Goes on with a call that an earlier process began.
    pub fn take_up(
        &mut self,
        request: RequestId,
        task: Option<TaskId>,
        job: impl Future<Output = Option<Reply>> + Send + 'static,
    ) {
        self.calls += 1;
        self.do_beside(async move {
            let reply = job.await;
            Event::Kept(Box::new(Kept {
                request,
                task,
                reply,
            }))
        });
    }

    /// Goes on without a connection until another one takes over, or the session is left to the
    /// store: what is in flight is stored there, and so is what is to be sent.
    pub fn park(mut self) {
        tokio::spawn(async move {
            let lost = tokio::time::Instant::now();
            loop {
                let event = poll_fn(|cx| self.poll_event(cx)).await;
                let Some(concern) = event.and_then(|event| self.handle(event)) else {
                    continue;
                };
                match concern {
                    Concern::Wanted(Wanted::TakeOver(taker)) => match taker.send(self) {
                        Ok(()) => return,
                        Err(desk) => self = desk,
                    },
                    Concern::Wanted(Wanted::End) => return self.end().await,
                    Concern::Tick if lost.elapsed() < self.core.config.parked => {}
                    Concern::Tick | Concern::Stop | Concern::Fenced => return self.leave(),
                }
            }
        });
    }

    /// Leaves the session to the store.
    pub fn leave(self) {
        if let Some(session) = &self.session {
            self.core.sessions.leave(session);
        }
    }

    /// Ends the session. Modern calls end with it, legacy ones go on: see `abandoned`.
    pub async fn end(self) {
        let Self {
            core,
            session,
            jobs,
            ..
        } = self;
        if let Some(session) = &session {
            core.sessions.end(session).await;
        }
        drop(jobs);
    }

    /// By which id the session can be resumed, and how many messages of its client have come.
    pub fn resumable(&self) -> Option<(Arc<str>, u64)> {
        let relay = self.relay.as_ref()?;
        Some((relay.id().clone(), relay.received()))
    }

    /// Whether the session can go on without this connection.
    pub fn can_be_resumed(&self) -> bool {
        self.session.is_some() && self.relay.as_ref().is_some_and(|relay| relay.is_kept())
    }
}
