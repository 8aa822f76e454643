//! What the outside hears of a batch, held back until the batch is committed.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Refusal};
use crate::event::{Fact, Published};
use crate::feed::Feed;
use crate::task::{Accepted, Answered, Claim, Ending, Standing, State, Stepped, TaskId};
use crate::waiters::{Hub, News};

/// Where the answer to a command goes.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// Dead letters, and the tasks that run them again; or why none is.
pub(crate) type Redriven = Result<Vec<(TaskId, TaskId)>, Refusal>;

/// One thing to tell.
#[derive(Debug)]
pub(crate) enum Effect {
    Accepted(Reply<Result<Accepted, Refusal>>, Result<Accepted, Refusal>),
    Published(
        Reply<Result<Vec<Published>, Refusal>>,
        Result<Vec<Published>, Refusal>,
    ),
    Redriven(Reply<Result<Redriven, Error>>, Redriven),
    Discarded(Reply<Result<Vec<TaskId>, Error>>, Vec<TaskId>),
    Noted(Reply<Result<(), Error>>),
    Changed(Reply<Result<Option<State>, Error>>, Option<State>),
    Answered(Reply<Result<Answered, Error>>, Answered),
    Stepped(Reply<Result<Stepped, Error>>, Stepped),
    Stands(
        Reply<Result<Option<Standing>, Error>>,
        Box<Option<Standing>>,
    ),
    Claimed(Box<Claim>),
    Moved(Fact),
    /// The waiters of one id wait for another from now on.
    Joined {
        from: TaskId,
        to: TaskId,
        /// The round and the open asks, when the other is suspended.
        asks: Option<(u32, Bytes)>,
    },
    /// The round ended with these open asks.
    Suspended {
        task: TaskId,
        round: u32,
        asks: Bytes,
    },
    /// The attempt is over, the task is not.
    Paused(TaskId),
    /// The attempt's result is no longer wanted.
    Aborted(TaskId),
    Ended {
        task: TaskId,
        of: TaskId,
        ending: Ending,
    },
}

impl Effect {
    /// Tells it: the batch is committed.
    pub(crate) fn tell(self, hub: &Hub, claims: &mpsc::UnboundedSender<Claim>, feed: &Feed) {
        // Whoever dropped the other end of a channel does not want to know.
        match self {
            Self::Accepted(reply, answer) => drop(reply.send(answer)),
            Self::Published(reply, answer) => drop(reply.send(answer)),
            Self::Redriven(reply, redriven) => drop(reply.send(Ok(redriven))),
            Self::Discarded(reply, discarded) => drop(reply.send(Ok(discarded))),
            Self::Noted(reply) => drop(reply.send(Ok(()))),
            Self::Moved(fact) => feed.tell(fact),
            Self::Changed(reply, state) => drop(reply.send(Ok(state))),
            Self::Answered(reply, answered) => drop(reply.send(Ok(answered))),
            Self::Stepped(reply, stepped) => drop(reply.send(Ok(stepped))),
            Self::Stands(reply, standing) => drop(reply.send(Ok(*standing))),
            Self::Claimed(claim) => {
                hub.start(&claim);
                drop(claims.send(*claim));
            }
            Self::Joined { from, to, asks } => {
                if let Some((round, asks)) = asks {
                    let task = to;
                    hub.tell(from, &News::Suspended { task, round, asks });
                }
                hub.join(from, to);
            }
            Self::Suspended { task, round, asks } => {
                hub.tell(task, &News::Suspended { task, round, asks });
                hub.pause(task);
            }
            Self::Paused(task) => hub.pause(task),
            Self::Aborted(task) => hub.abort(task),
            Self::Ended { task, of, ending } => hub.end(task, of, ending),
        }
    }

    /// Tells that nothing of the batch holds.
    pub(crate) fn fail(self, why: &str) {
        match self {
            Self::Accepted(reply, _) => drop(reply.send(Err(Refusal::Storage(why.to_owned())))),
            Self::Published(reply, _) => drop(reply.send(Err(Refusal::Storage(why.to_owned())))),
            Self::Redriven(reply, _) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Discarded(reply, _) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Noted(reply) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Changed(reply, _) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Answered(reply, _) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Stepped(reply, _) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Stands(reply, _) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Claimed(_)
            | Self::Moved(_)
            | Self::Joined { .. }
            | Self::Suspended { .. }
            | Self::Paused(_)
            | Self::Aborted(_)
            | Self::Ended { .. } => {}
        }
    }
}
