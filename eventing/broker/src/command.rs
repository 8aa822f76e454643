//! What callers ask of the writer.

use std::sync::Arc;

use bytes::Bytes;

use crate::effect::{Redriven, Reply};
use crate::error::{Error, Refusal};
use crate::event::{Note, Published};
use crate::ledger::{Entry, Given, Selection};
use crate::task::{
    Accepted, Answered, AttemptToken, NewTask, Report, Standing, State, Stepped, TaskId,
};

/// One thing asked, and where its answer goes.
#[derive(Debug)]
pub(crate) enum Command {
    Accept(Box<NewTask>, Reply<Result<Accepted, Refusal>>),
    Publish {
        entries: Vec<Entry>,
        note: Option<Note>,
        reply: Reply<Result<Vec<Published>, Refusal>>,
    },
    Redrive(Selection, Reply<Result<Redriven, Error>>),
    Discard(Selection, String, Reply<Result<Vec<TaskId>, Error>>),
    Note(Note, Reply<Result<(), Error>>),
    Hold {
        pool: Option<Arc<str>>,
        held: bool,
        done: Reply<()>,
    },
    Settle(
        TaskId,
        AttemptToken,
        Report,
        Reply<Result<Option<State>, Error>>,
    ),
    Cancel(
        TaskId,
        Option<String>,
        String,
        Reply<Result<Option<State>, Error>>,
    ),
    Answer {
        task: TaskId,
        principal: Option<String>,
        round: u32,
        given: Given,
        reply: Reply<Result<Answered, Error>>,
    },
    Step {
        task: TaskId,
        token: AttemptToken,
        name: String,
        result: Bytes,
        reply: Reply<Result<Stepped, Error>>,
    },
    /// Where a task stands that may have no row.
    Standing(TaskId, Reply<Result<Option<Standing>, Error>>),
    OpenPool {
        pool: Arc<str>,
        slots: usize,
        queue_limit: usize,
        done: Reply<()>,
    },
    ClosePool(Arc<str>, Reply<()>),
    Stop(Reply<()>),
}

impl Command {
    /// Says that nothing was done because the store failed.
    pub(crate) fn fail(self, why: &str) {
        // Whoever dropped the other end does not want to know.
        match self {
            Self::Accept(_, reply) => drop(reply.send(Err(Refusal::Storage(why.to_owned())))),
            Self::Publish { reply, .. } => {
                drop(reply.send(Err(Refusal::Storage(why.to_owned()))));
            }
            Self::Redrive(_, reply) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Discard(_, _, reply) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Note(_, reply) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Settle(_, _, _, reply) | Self::Cancel(_, _, _, reply) => {
                drop(reply.send(Err(Error::Storage(why.to_owned()))));
            }
            Self::Answer { reply, .. } => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Step { reply, .. } => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::Standing(_, reply) => drop(reply.send(Err(Error::Storage(why.to_owned())))),
            Self::OpenPool { done, .. }
            | Self::ClosePool(_, done)
            | Self::Hold { done, .. }
            | Self::Stop(done) => {
                drop(done);
            }
        }
    }
}
