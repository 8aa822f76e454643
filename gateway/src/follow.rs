//! Waiting for a task on behalf of one request: what it tells meanwhile goes to the client, what
//! it asks is asked, and how it ends is the answer.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::{Answered, Ending, News, Standing, TaskId, Waiter};
use serde_json::value::RawValue;
use tokio::time::Sleep;

use crate::abandoned::Abandoned;
use crate::answer::Reply;
use crate::clock::now;
use crate::core::Core;
use crate::ending::answer;
use crate::era::Era;
use crate::error::Fault;
use crate::feature::Feature;
use crate::flights::Flight;
use crate::hears::Hears;
use crate::jsonrpc::RequestId;
use crate::meters::CallOutcome;
use crate::outbox::Outbox;
use crate::pulse::{Pulse, beat_of};
use crate::suspension::asks::{self, Asked};
use crate::suspension::responses;
use crate::suspension::state::{Owner, Round};
use crate::tasks::{self, View};

/// A request that waits for a task.
#[derive(Debug)]
pub(crate) struct Follow {
    /// The request's id.
    pub id: RequestId,
    /// In which era it is answered.
    pub era: Era,
    /// What was asked for.
    pub feature: Feature,
    /// What the client hears meanwhile.
    pub hears: Hears,
    /// Where that goes.
    pub outbox: Arc<Outbox>,
    /// By which the client cancels.
    pub flight: Option<Flight>,
    /// How the client is asked what the task asks.
    pub asking: Asking,
    /// What it was asked by requests and may not have answered; empty at first.
    pub asked: Vec<Asked>,
}

/// How a client is asked what a suspended task asks.
#[derive(Debug)]
pub(crate) enum Asking {
    /// Modern: by the result of its request, which it repeats with the responses.
    Result {
        /// The `inputResponses` that the request brought.
        offered: Option<Box<RawValue>>,
        /// Whether the call may become a task of the client's when it takes long.
        may_defer: bool,
    },
    /// Legacy: by requests on its stream or socket.
    Requests {
        /// The client follows the call as a task, and requests say so.
        as_task: bool,
    },
}

impl Asking {
    /// Whether the call may become a task of the client's when it takes long.
    pub fn may_defer(&self) -> bool {
        match self {
            Self::Result { may_defer, .. } => *may_defer,
            Self::Requests { .. } => false,
        }
    }
}

/// What came of following: the answer, `None` when the client wants none, and how the call counts.
pub(crate) type Followed = (Option<Reply>, CallOutcome);

impl Follow {
    /// Waits until the task has ended, asks something that ends the request, or the client wants
    /// no answer any more. What rounds up to `told` ask is not news.
    pub async fn run(
        mut self,
        core: &Core,
        task: TaskId,
        waiter: &mut Waiter,
        mut abandoned: Abandoned,
        told: u32,
    ) -> Followed {
        let mut pulse =
            (self.hears.progress_token.is_some()).then(|| Pulse::new(core.config.progress_every));
        let mut patience = self.patience(core.config.task_after);
        loop {
            tokio::select! {
                biased;
                () = asked_to_stop(self.flight.as_ref()) => {
                    abandoned.cancel("the client cancelled the request").await;
                    self.take_back();
                    return (None, CallOutcome::Cancelled);
                }
                news = waiter.next() => match news {
                    Some(News::Progress(notification)) => {
                        if let Some(notice) = self.hears.notice(&notification) {
                            self.outbox.notice(notice);
                        }
                        if let Some(pulse) = &mut pulse {
                            pulse.saw(&notification);
                        }
                    }
                    Some(News::Suspended { round, .. }) if round <= told => {}
                    Some(News::Suspended { task, round, asks }) => {
                        let round = Round { task, round };
                        if let Some(followed) = self.suspended(core, round, asks, &mut abandoned).await {
                            return followed;
                        }
                    }
                    Some(News::Ended(task, ending)) => {
                        abandoned.settle();
                        match ending {
                            Ending::Completed(_) => {}
                            Ending::Failed(_) | Ending::Cancelled(_) => self.take_back(),
                        }
                        let (reply, outcome) = answer(&self.id, self.era, self.feature, task, ending);
                        return (Some(reply), outcome);
                    }
                    None => {
                        abandoned.settle();
                        return self.cut();
                    }
                },
                () = out_of_patience(patience.as_mut()) => {
                    abandoned.settle();
                    let view = View::begun(task, now());
                    let created = tasks::modern::created(&view, core.task_ttl());
                    return (Some(Reply::result(&self.id, &created)), CallOutcome::Deferred);
                }
                beat = beat_of(pulse.as_mut()) => {
                    if let Some(notice) = self.hears.notice(beat.as_bytes()) {
                        self.outbox.notice(notice);
                    }
                }
            }
        }
    }

    /// Goes on with a task that another request began: for a retry, a resumed stream, or who asks
    /// for a result.
    pub async fn resume(mut self, core: &Core, task: TaskId, abandoned: Abandoned) -> Followed {
        // First the place in the queue of news, then the look: nothing falls between the two. What
        // was seen may be in the news, too.
        let mut waiter = core.broker.wait(task);
        let mut abandoned = abandoned;
        let told = match core.broker.standing(task).await {
            Err(error) => {
                abandoned.settle();
                tracing::error!(%task, %error, "the store cannot be read");
                return self.refuse(&Fault::Stopped);
            }
            Ok(None) => {
                abandoned.settle();
                return self.refuse(&Fault::UnknownTask(task.to_string()));
            }
            Ok(Some(Standing {
                ending: Some(ending),
                ..
            })) => {
                abandoned.settle();
                let (reply, outcome) = answer(&self.id, self.era, self.feature, task, ending);
                return (Some(reply), outcome);
            }
            Ok(Some(Standing {
                asks: Some(asks),
                round,
                ..
            })) => {
                let round = Round { task, round };
                if let Some(followed) = self.suspended(core, round, asks, &mut abandoned).await {
                    return followed;
                }
                round.round
            }
            Ok(Some(standing)) => standing.round.saturating_sub(1),
        };
        self.run(core, task, &mut waiter, abandoned, told).await
    }

    /// Asks what the task asks. `None`: the request goes on waiting.
    async fn suspended(
        &mut self,
        core: &Core,
        round: Round,
        asks: Bytes,
        abandoned: &mut Abandoned,
    ) -> Option<Followed> {
        let asks = asks::of_client(&asks)?;
        let Asking::Result { offered, .. } = &self.asking else {
            if self.outbox.carries_requests() {
                self.ask_by_requests(round, &asks);
                return None;
            }
            abandoned.give_up("its client cannot be asked").await;
            return Some(self.refuse(&Fault::CannotAsk(round.task)));
        };
        let open = match self.answer_by(core, round, &asks, offered.as_deref()).await {
            Ok(None) => return None,
            Ok(Some(open)) => open,
            Err(fault) => {
                abandoned.settle();
                return Some(self.refuse(&fault));
            }
        };
        abandoned.settle();
        let state = match sealed(core, round).await {
            Ok(state) => state,
            Err(fault) => return Some(self.refuse(&fault)),
        };
        let asks = String::from_utf8_lossy(&open);
        let result = format!(
            r#"{{"resultType":"input_required","inputRequests":{asks},"requestState":"{state}"}}"#
        );
        Some((
            Some(Reply::result(&self.id, &result)),
            CallOutcome::Deferred,
        ))
    }

    /// Answers from what the request brought. Returns what the client is still asked; `None` when
    /// the task goes on without it.
    async fn answer_by(
        &self,
        core: &Core,
        round: Round,
        asks: &Bytes,
        offered: Option<&RawValue>,
    ) -> Result<Option<Bytes>, Fault> {
        let Some(offered) = offered else {
            return Ok(Some(asks.clone()));
        };
        let answers = responses::answers(&asks::read(asks), &responses::read(offered)?)?;
        let Some(answers) = answers else {
            return Ok(Some(asks.clone()));
        };
        match core.answer(round, answers).await? {
            Answered::Open(open) => Ok(asks::of_client(&open)),
            // News of the next round follow, or of the ending.
            Answered::Continued | Answered::Before | Answered::TooLate(_) => Ok(None),
            Answered::Unknown => Err(Fault::ForeignState),
        }
    }

    fn ask_by_requests(&mut self, round: Round, open: &[u8]) {
        let as_task = matches!(self.asking, Asking::Requests { as_task: true });
        self.asked.clear();
        for (name, ask) in asks::read(open) {
            let asked = Asked {
                round,
                name: name.into_owned(),
            };
            self.outbox.request(asked.request(&ask, as_task));
            self.asked.push(asked);
        }
    }

    /// Nobody waits for the client's responses any more; to those that were given this is no news.
    fn take_back(&mut self) {
        for asked in self.asked.drain(..) {
            self.outbox.notice(asked.cancelled());
        }
    }

    fn cut(&self) -> Followed {
        let reply = Reply {
            is_cut: true,
            ..Reply::error(Some(&self.id), &Fault::Stopped, self.era)
        };
        (Some(reply), CallOutcome::Unknown)
    }

    fn refuse(&self, fault: &Fault) -> Followed {
        (
            Some(Reply::error(Some(&self.id), fault, self.era)),
            CallOutcome::Unknown,
        )
    }

    fn patience(&self, task_after: Duration) -> Option<Pin<Box<Sleep>>> {
        let may_defer = self.asking.may_defer();
        may_defer.then(|| Box::pin(tokio::time::sleep(task_after)))
    }
}

/// What the client carries to its retry.
async fn sealed(core: &Core, round: Round) -> Result<String, Fault> {
    let standing = core.standing(round.task).await?;
    let (method, digest) = asks::digest_of(&standing.work);
    let owner = Owner {
        principal: &standing.principal,
        method: &method,
        capability: &standing.capability,
        digest: &digest,
    };
    Ok(core.keys().seal(round, owner))
}

async fn asked_to_stop(flight: Option<&Flight>) {
    match flight {
        Some(flight) => flight.cancelled.cancelled().await,
        None => std::future::pending().await,
    }
}

async fn out_of_patience(patience: Option<&mut Pin<Box<Sleep>>>) {
    match patience {
        Some(patience) => patience.as_mut().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
