//! What the client's messages come to: answered at once, run beside others, or made to wait.

use std::sync::{Arc, OnceLock};

use dormouse_broker::TaskId;

use super::{Desk, Event, Kept, Opening, UNREAD_LIMIT};
use crate::answer::Reply;
use crate::batch::Batch;
use crate::dispatch::{Line, Outcome};
use crate::era::{Era, Revision};
use crate::error::Fault;
use crate::jsonrpc::{self, Incoming, RequestId};
use crate::run::Run;
use crate::session::Session;

/// How many requests may wait for calls to end.
const WAITING_LIMIT: usize = 1_024;

/// What waits for calls to end.
pub(super) enum Waiting {
    Run(Run, Option<RequestId>),
    Batch(Batch),
}

impl Desk {
    /// Takes a message of the client.
    pub fn receive(&mut self, text: &str) {
        if let Some(relay) = &mut self.relay {
            relay.receive();
        }
        if jsonrpc::is_batch(text) {
            return self.receive_batch(text);
        }
        let incoming = match jsonrpc::parse(text) {
            Ok(incoming) => incoming,
            Err(rejected) => {
                let era = Era::Legacy(Revision::LATEST);
                let reply = Reply::error(rejected.id.as_ref(), &rejected.fault, era);
                return self.outbox.answer(reply.text);
            }
        };
        let id = match &incoming {
            Incoming::Request { id, .. } if self.relay.is_some() || self.is_full(1) => {
                Some(id.clone())
            }
            Incoming::Request { .. } | Incoming::Notification { .. } | Incoming::Response(_) => {
                None
            }
        };
        let line = Line::Socket {
            session: self.session.as_ref(),
            flights: &self.flights,
            tools: self.tools,
            id: self.relay.as_ref().map(|relay| relay.id()),
        };
        match self.core.take(&line, incoming) {
            Outcome::Reply(reply) => self.reply(id, reply.text),
            Outcome::Opened(session, reply) => self.open(session, id, reply.text),
            Outcome::Listen(listening) => self.listen(listening),
            Outcome::Run(run) => {
                // Responses to our requests are taken even by a connection that is full.
                if run.wants_answer() && self.is_full(1) {
                    self.wait(text.len(), Waiting::Run(run, id));
                } else {
                    self.start(run, id);
                }
            }
            // What was refused was a notification: there is no way to say so.
            Outcome::Taken | Outcome::Refused(_) => {}
        }
    }

    fn receive_batch(&mut self, text: &str) {
        let line = Line::Socket {
            session: self.session.as_ref(),
            flights: &self.flights,
            tools: self.tools,
            id: None,
        };
        let revision = self.session.as_ref().map(|session| session.revision());
        match Batch::take(&self.core, &line, revision, text) {
            Err(reply) => self.outbox.answer(reply.text),
            Ok(batch) if self.is_full(batch.len()) => {
                self.wait(text.len(), Waiting::Batch(batch));
            }
            Ok(batch) => self.start_batch(batch),
        }
    }

    pub(super) fn reply(&mut self, id: Option<RequestId>, text: String) {
        match (&mut self.relay, id) {
            (Some(relay), Some(id)) => {
                relay.collect(&self.outbox);
                relay.answer(id, None, text);
            }
            (Some(_) | None, _) => self.outbox.answer(text),
        }
    }

    /// Whether so many further calls must wait. A batch that is larger than all room runs alone.
    fn is_full(&self, more: usize) -> bool {
        self.calls > 0 && self.calls + more > self.core.config.max_in_flight
    }

    fn wait(&mut self, length: usize, waiting: Waiting) {
        let is_too_much = self.waiting.len() >= WAITING_LIMIT
            || (self.waiting_bytes + length > UNREAD_LIMIT && !self.waiting.is_empty());
        if !is_too_much {
            if let (Some(relay), Waiting::Run(run, Some(id))) = (&self.relay, &waiting) {
                // What has come is known after a restart, be it served yet or not.
                let began = relay.begin(id.clone(), run.resumable());
                self.do_beside(async move {
                    match began.await {
                        Ok(()) => Event::Answered(0, None),
                        Err(_) => Event::Fenced,
                    }
                });
            }
            self.waiting_bytes += length;
            self.waiting.push_back((length, waiting));
            return;
        }
        let era = Era::Legacy(Revision::LATEST);
        match waiting {
            Waiting::Run(run, id) => {
                drop(run);
                let reply = Reply::error(id.as_ref(), &Fault::TooManyInFlight, era);
                self.reply(id, reply.text);
            }
            Waiting::Batch(batch) => {
                if let Some(text) = batch.refuse(&Fault::TooManyInFlight) {
                    self.outbox.answer(text);
                }
            }
        }
    }

    pub(super) fn start_waiting(&mut self) {
        while let Some((_, next)) = self.waiting.front() {
            let more = match next {
                Waiting::Run(..) => 1,
                Waiting::Batch(batch) => batch.len(),
            };
            if self.is_full(more) {
                return;
            }
            if let Some((length, next)) = self.waiting.pop_front() {
                self.waiting_bytes -= length;
                match next {
                    Waiting::Run(run, id) => self.start(run, id),
                    Waiting::Batch(batch) => self.start_batch(batch),
                }
            }
        }
        self.waiting.shrink_to(0);
    }

    fn start(&mut self, run: Run, id: Option<RequestId>) {
        self.calls += 1;
        let (core, outbox) = (self.core.clone(), Arc::clone(&self.outbox));
        let (Some(relay), Some(request), true) = (&self.relay, id, run.wants_answer()) else {
            let answer = run.run(core, outbox);
            return self.do_beside(async move {
                Event::Answered(1, answer.await.map(|reply| reply.text))
            });
        };
        let began = relay.begin(request.clone(), run.resumable());
        let accepted = Arc::<OnceLock<TaskId>>::default();
        let run = run.tracked(Arc::clone(&accepted));
        self.do_beside(async move {
            if began.await.is_err() {
                return Event::Fenced;
            }
            let reply = run.run(core, outbox).await;
            Event::Kept(Box::new(Kept {
                request,
                task: accepted.get().copied(),
                reply,
            }))
        });
    }

    fn start_batch(&mut self, batch: Batch) {
        let (core, outbox, calls) = (self.core.clone(), Arc::clone(&self.outbox), batch.len());
        self.calls += calls;
        self.do_beside(async move { Event::Answered(calls, batch.run(core, &outbox).await) });
    }

    fn open(&mut self, session: Arc<Session>, id: Option<RequestId>, text: String) {
        self.begin_session(session.clone());
        let (Some(_), Some(request)) = (&self.relay, id) else {
            return self.outbox.answer(text);
        };
        let core = self.core.clone();
        self.do_beside(async move {
            let owner = core.sessions.store_socket(&session).await;
            Event::Opened(Box::new(Opening {
                request,
                text,
                owner,
            }))
        });
    }
}
