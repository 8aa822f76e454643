//! What has to be run before a message is answered.

use std::sync::{Arc, OnceLock};

use dormouse_broker::TaskId;

use crate::answer::Reply;
use crate::call::{Call, Retry};
use crate::core::Core;
use crate::jsonrpc::RequestId;
use crate::outbox::Outbox;
use crate::own;
use crate::response::Answering;
use crate::tasks;

/// What a message comes to that cannot be answered at once.
#[derive(Debug)]
pub(crate) enum Run {
    /// A call, from its acceptance on.
    Call(Box<Call>),
    /// A call that was asked something.
    Retry(Box<Retry>),
    /// A request about tasks.
    Task(Box<tasks::request::Request>),
    /// A request that the gateway serves itself.
    Own(Box<own::Request>),
    /// A legacy client's response to what a task asks.
    Answer(Box<Answering>),
}

impl Run {
    /// The task by which a client of the legacy era finds the stream again that this is answered
    /// on.
    pub fn resumable(&self) -> Option<TaskId> {
        match self {
            Self::Call(call) => call.legacy_task(),
            Self::Retry(_) | Self::Task(_) | Self::Own(_) | Self::Answer(_) => None,
        }
    }

    /// The request's id.
    pub fn id(&self) -> Option<&RequestId> {
        match self {
            Self::Call(call) => Some(call.id()),
            Self::Retry(retry) => Some(retry.id()),
            Self::Task(request) => Some(&request.id),
            Self::Own(request) => Some(&request.id),
            Self::Answer(_) => None,
        }
    }

    /// Whether it answers a request.
    pub fn wants_answer(&self) -> bool {
        match self {
            Self::Call(_) | Self::Retry(_) | Self::Task(_) | Self::Own(_) => true,
            Self::Answer(_) => false,
        }
    }

    /// Lets it be known of which task the answer will be, once the broker has that.
    pub fn tracked(self, accepted: Arc<OnceLock<TaskId>>) -> Self {
        match self {
            Self::Call(call) => Self::Call(call.tracked(accepted)),
            Self::Retry(_) | Self::Task(_) | Self::Own(_) | Self::Answer(_) => self,
        }
    }

    /// Runs it. `None`: there is nothing to send.
    pub async fn run(self, core: Arc<Core>, outbox: Arc<Outbox>) -> Option<Reply> {
        match self {
            Self::Call(call) => call.run(core, outbox).await,
            // Boxed: calls are many, and their future shall not have the size of these.
            Self::Retry(retry) => Box::pin(retry.run(core, outbox)).await,
            Self::Task(request) => Box::pin(request.run(core, outbox)).await,
            Self::Own(request) => Some(Box::pin(request.run(&core)).await),
            Self::Answer(answering) => {
                Box::pin(answering.run(core)).await;
                None
            }
        }
    }
}
