//! Waiting for a task on behalf of one request: what it tells meanwhile goes to the client.

use std::sync::Arc;

use dormouse_broker::{News, Waiter};

use crate::abandoned::Abandoned;
use crate::answer::{Hears, Reply};
use crate::ending::answer;
use crate::era::Era;
use crate::error::Fault;
use crate::flights::Flight;
use crate::jsonrpc::RequestId;
use crate::meters::CallOutcome;
use crate::outbox::Outbox;

/// A request that waits for a task.
#[derive(Debug)]
pub(crate) struct Follow {
    /// The request's id.
    pub id: RequestId,
    /// In which era it is answered.
    pub era: Era,
    /// What the client hears meanwhile.
    pub hears: Hears,
    /// Where that goes.
    pub outbox: Arc<Outbox>,
    /// By which the client cancels.
    pub flight: Option<Flight>,
}

impl Follow {
    /// Waits until the task has ended, or the client wants no answer any more.
    pub async fn run(
        self,
        waiter: &mut Waiter,
        mut abandoned: Abandoned,
    ) -> (Option<Reply>, CallOutcome) {
        loop {
            tokio::select! {
                biased;
                () = asked_to_stop(self.flight.as_ref()) => {
                    abandoned.cancel("the client cancelled the request").await;
                    return (None, CallOutcome::Cancelled);
                }
                news = waiter.next() => match news {
                    Some(News::Progress(notification)) => {
                        if let Some(notice) = self.hears.notice(&notification) {
                            self.outbox.notice(notice);
                        }
                    }
                    // The client is not asked yet: the call waits until someone else answers.
                    Some(News::Suspended { .. }) => {}
                    Some(News::Ended(task, ending)) => {
                        abandoned.settle();
                        let (reply, outcome) = answer(&self.id, self.era, task, ending);
                        return (Some(reply), outcome);
                    }
                    None => {
                        abandoned.settle();
                        let reply = Reply::error(Some(&self.id), &Fault::Stopped, self.era);
                        return (Some(reply), CallOutcome::Unknown);
                    }
                },
            }
        }
    }
}

async fn asked_to_stop(flight: Option<&Flight>) {
    match flight {
        Some(flight) => flight.cancelled.cancelled().await,
        None => std::future::pending().await,
    }
}
