//! Arrays of messages, which revision 2025-03-26 had and no other.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::answer::Reply;
use crate::core::Core;
use crate::dispatch::{Line, Outcome};
use crate::era::{Era, Revision};
use crate::error::Fault;
use crate::jsonrpc;
use crate::outbox::Outbox;
use crate::run::Run;

/// The most messages of a batch.
const LONGEST: usize = 100;

/// A batch: what is answered already, and what has to run.
#[derive(Debug)]
pub(crate) struct Batch {
    replies: Vec<String>,
    runs: Vec<Run>,
}

impl Batch {
    /// Does what can be done at once about each message, where the session may send batches.
    pub fn take(
        core: &Arc<Core>,
        line: &Line<'_>,
        revision: Option<Revision>,
        text: &str,
    ) -> Result<Self, Reply> {
        let refuse = |fault| Reply::error(None, &fault, Era::Legacy(Revision::LATEST));
        if !revision.is_some_and(Revision::has_batches) {
            // An array that is no JSON is no batch either.
            return Err(refuse(match jsonrpc::split(text) {
                Err(fault @ Fault::NotJson(_)) => fault,
                Ok(_) | Err(_) => Fault::Batch,
            }));
        }
        let messages = jsonrpc::split(text).map_err(refuse)?;
        if messages.len() > LONGEST {
            return Err(refuse(Fault::OutOfPlace(
                "a batch holds at most 100 messages: send the rest in another one",
            )));
        }
        let mut batch = Self {
            replies: Vec::new(),
            runs: Vec::new(),
        };
        for message in messages {
            batch.add(core, line, message.get());
        }
        Ok(batch)
    }

    fn add(&mut self, core: &Arc<Core>, line: &Line<'_>, message: &str) {
        let era = Era::Legacy(Revision::V2025_03_26);
        let incoming = match jsonrpc::parse(message) {
            Ok(incoming) => incoming,
            Err(rejected) => {
                let reply = Reply::error(rejected.id.as_ref(), &rejected.fault, era);
                self.replies.push(reply.text);
                return;
            }
        };
        if let jsonrpc::Incoming::Request { id, method, .. } = &incoming
            && matches!(&**method, "initialize" | "subscriptions/listen")
        {
            let fault = Fault::OutOfPlace("this request must not be part of a batch");
            self.replies.push(Reply::error(Some(id), &fault, era).text);
            return;
        }
        match core.take(line, incoming) {
            Outcome::Reply(reply) | Outcome::Opened(_, reply) => self.replies.push(reply.text),
            Outcome::Run(run) => self.runs.push(run),
            Outcome::Taken | Outcome::Refused(_) | Outcome::Listen(_) => {}
        }
    }

    /// How many requests there are to run.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Answers what was to be run with this fault, and returns all answers as one array.
    pub fn refuse(self, fault: &Fault) -> Option<String> {
        let Self { mut replies, runs } = self;
        let era = Era::Legacy(Revision::V2025_03_26);
        replies.extend(runs.iter().filter_map(|run| {
            let id = run.id()?;
            Some(Reply::error(Some(id), fault, era).text)
        }));
        (!replies.is_empty()).then(|| format!("[{}]", replies.join(",")))
    }

    /// Runs the calls and returns all answers as one array; `None` when nothing wants one.
    pub async fn run(self, core: Arc<Core>, outbox: &Arc<Outbox>) -> Option<String> {
        let Self { mut replies, runs } = self;
        let runs = runs
            .into_iter()
            .map(|run| run.run(core.clone(), Arc::clone(outbox)));
        let answers = join_all(runs).await;
        replies.extend(answers.into_iter().flatten().map(|reply| reply.text));
        (!replies.is_empty()).then(|| format!("[{}]", replies.join(",")))
    }
}
