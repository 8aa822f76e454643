//! What the outside hears of a batch, held back until the batch is committed.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Refusal};
use crate::task::{Accepted, Answered, Claim, Ending, Standing, State, Stepped, TaskId};
use crate::waiters::{Hub, News};

/// Where the answer to a command goes.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// One thing to tell.
#[derive(Debug)]
pub(crate) enum Effect {
    Accepted(Reply<Result<Accepted, Refusal>>, Result<Accepted, Refusal>),
    AllAccepted(Reply<Result<(), Refusal>>, Result<(), Refusal>),
    Changed(Reply<Result<Option<State>, Error>>, Option<State>),
    Answered(Reply<Result<Answered, Error>>, Answered),
    Stepped(Reply<Result<Stepped, Error>>, Stepped),
    Stands(
        Reply<Result<Option<Standing>, Error>>,
        Box<Option<Standing>>,
    ),
    Claimed(Box<Claim>),
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
    pub(crate) fn tell(self, hub: &Hub, claims: &mpsc::UnboundedSender<Claim>) {
        // Whoever dropped the other end of a channel does not want to know.
        match self {
            Self::Accepted(reply, answer) => drop(reply.send(answer)),
            Self::AllAccepted(reply, answer) => drop(reply.send(answer)),
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
            Self::AllAccepted(reply, _) => drop(reply.send(Err(Refusal::Storage(why.to_owned())))),
            Self::Changed(reply, _) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Answered(reply, _) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Stepped(reply, _) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Stands(reply, _) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Claimed(_)
            | Self::Joined { .. }
            | Self::Suspended { .. }
            | Self::Paused(_)
            | Self::Aborted(_)
            | Self::Ended { .. } => {}
        }
    }
}
