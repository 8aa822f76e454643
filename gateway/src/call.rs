//! A request that was admitted: stored as a task, waited for, answered.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use dormouse_broker::{Accepted, NewTask, TaskId};
use dormouse_contract::policy::Stored;
use tracing::Instrument as _;

use crate::abandoned::Abandoned;
use crate::answer::Reply;
use crate::catalogue::Target;
use crate::clock::now;
use crate::core::Core;
use crate::ears::Ear;
use crate::era::Era;
use crate::error::Fault;
use crate::flights::Flight;
use crate::follow::{Asking, Follow};
use crate::hears::Hears;
use crate::jsonrpc::RequestId;
use crate::meters::CallOutcome;
use crate::outbox::Outbox;
use crate::tasks::status::{Watch, Words};
use crate::tasks::{self, View};

/// A request that was [admitted](crate::admission::admit).
#[derive(Debug)]
pub struct Call {
    /// Its id.
    pub(crate) id: RequestId,
    /// In which era it is answered.
    pub(crate) era: Era,
    /// What it asks for.
    pub(crate) target: Arc<Target>,
    /// What is stored.
    pub(crate) task: NewTask,
    /// What the client hears meanwhile.
    pub(crate) hears: Hears,
    /// By which the client cancels it.
    pub(crate) flight: Option<Flight>,
    /// How the client is asked what it asks.
    pub(crate) asking: Asking,
    /// The client follows it as a task: it is answered as soon as it is stored.
    pub(crate) detached: bool,
    /// Told the task of whose end the answer will be.
    pub(crate) accepted: Option<Arc<OnceLock<TaskId>>>,
    /// Who hears of it while it is followed as a task.
    pub(crate) ear: Option<Arc<Ear>>,
    /// When it came.
    pub(crate) began: Instant,
}

impl Call {
    /// Lets the client's session hear of it, if it follows it as a task.
    #[must_use]
    pub(crate) fn heard_by(mut self: Box<Self>, ear: impl FnOnce() -> Arc<Ear>) -> Box<Self> {
        self.ear = self.detached.then(ear);
        self
    }

    /// The request's id.
    pub(crate) fn id(&self) -> &RequestId {
        &self.id
    }

    /// The task of whose end it will be answered, for calls of the legacy era.
    pub(crate) fn legacy_task(&self) -> Option<TaskId> {
        match self.era {
            Era::Legacy(_) => (!self.detached).then_some(self.task.id),
            Era::Modern => None,
        }
    }

    /// Lets it be known of which task's end the answer will be, once the broker has that.
    #[must_use]
    pub(crate) fn tracked(mut self: Box<Self>, accepted: Arc<OnceLock<TaskId>>) -> Box<Self> {
        self.accepted = matches!(self.era, Era::Legacy(_)).then_some(accepted);
        self
    }

    /// Lets the client cancel the call by its id.
    #[must_use]
    pub fn cancelled_by(mut self: Box<Self>, flight: Flight) -> Box<Self> {
        self.flight = Some(flight);
        self
    }

    /// Stores the task, leaves what it tells meanwhile in the outbox, and returns the answer; `None`
    /// when the client cancelled the call and wants none. A modern call that is dropped before
    /// it ends, and has no idempotency key, is cancelled after a grace.
    pub async fn run(self: Box<Self>, core: Arc<Core>, outbox: Arc<Outbox>) -> Option<Reply> {
        let span = tracing::debug_span!(
            "call",
            trace = %self.task.trace.trace_id(),
            era = self.era.as_str(),
            method = self.target.feature.method(),
            name = &*self.target.name,
            task = %self.task.id,
            principal = &*self.task.principal,
        );
        self.serve(core, outbox).instrument(span).await
    }

    async fn serve(self: Box<Self>, core: Arc<Core>, outbox: Arc<Outbox>) -> Option<Reply> {
        let Self {
            id,
            era,
            target,
            task: new_task,
            hears,
            flight,
            asking,
            detached,
            accepted,
            ear,
            began,
        } = *self;
        let task = new_task.id;
        let mut new_task = new_task;
        // Who follows a call as a task comes back for it, so it has a row from the start.
        if detached || asking.may_defer() {
            Arc::make_mut(&mut new_task.delivery).stored = Stored::Always;
        }
        let mut waiter = core.broker.wait(new_task.id);
        let mut abandoned = Abandoned::watch(&core, &new_task, era);
        let task = match core.broker.accept(new_task).await {
            Ok(Accepted::New) => task,
            // It is somebody else's too: who goes away only stops waiting.
            Ok(Accepted::Joined(other) | Accepted::Repeated(other)) => {
                abandoned.settle();
                other
            }
            Err(refusal) => {
                abandoned.settle();
                tracing::debug!(%refusal, "call refused");
                target.meters.count(CallOutcome::Refused, began);
                return Some(Reply::error(Some(&id), &Fault::Refused(refusal), era));
            }
        };
        if detached {
            abandoned.settle();
            target.meters.count(CallOutcome::Deferred, began);
            if let Some(ear) = ear {
                Watch::new(&core, task, &ear, Words::Legacy(hears)).start(waiter);
            }
            let created = tasks::legacy::created(&View::begun(task, now()), core.task_ttl());
            return Some(Reply::result(&id, &created));
        }
        if let Some(accepted) = accepted {
            let _ = accepted.set(task);
        }
        let follow = Follow {
            id,
            era,
            feature: target.feature,
            hears,
            outbox,
            flight,
            asking,
            asked: Vec::new(),
        };
        let (reply, outcome) = follow.run(&core, task, &mut waiter, abandoned, 0).await;
        target.meters.count(outcome, began);
        tracing::debug!(outcome = outcome.as_str(), "call answered");
        reply
    }
}

/// A request that was asked something and comes back with the responses.
#[derive(Debug)]
pub struct Retry {
    /// Its id, another than before.
    pub(crate) id: RequestId,
    /// In which era it is answered.
    pub(crate) era: Era,
    /// What it asks for.
    pub(crate) target: Arc<Target>,
    /// What goes on.
    pub(crate) task: TaskId,
    /// The client can come back for it by an idempotency key.
    pub(crate) has_key: bool,
    /// What the client hears meanwhile.
    pub(crate) hears: Hears,
    /// By which the client cancels it.
    pub(crate) flight: Option<Flight>,
    /// How the client is asked what it asks.
    pub(crate) asking: Asking,
}

impl Retry {
    /// The request's id.
    pub(crate) fn id(&self) -> &RequestId {
        &self.id
    }

    /// Lets the client cancel the call by its id.
    #[must_use]
    pub fn cancelled_by(mut self: Box<Self>, flight: Flight) -> Box<Self> {
        self.flight = Some(flight);
        self
    }

    /// Goes on with the task; like [`Call::run`].
    pub async fn run(self: Box<Self>, core: Arc<Core>, outbox: Arc<Outbox>) -> Option<Reply> {
        let began = Instant::now();
        let abandoned = Abandoned::resumed(&core, self.task, !self.has_key);
        let follow = Follow {
            id: self.id,
            era: self.era,
            feature: self.target.feature,
            hears: self.hears,
            outbox,
            flight: self.flight,
            asking: self.asking,
            asked: Vec::new(),
        };
        let (reply, outcome) = follow.resume(&core, self.task, abandoned).await;
        self.target.meters.count(outcome, began);
        reply
    }
}
