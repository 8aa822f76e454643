//! What goes on for one client, whichever connection carries it: its session, its calls, what it
//! listens for.
//!
//! Calls and timers are small futures beside each other, polled only when they were woken, so that
//! an idle connection costs little. A session that can be resumed leaves its desk behind when its
//! connection is lost, and the next connection takes it over: there is one desk, so nothing is
//! sent twice.

mod parting;
mod receiving;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dormouse_broker::TaskId;
use futures_util::Stream as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::relay::Relay;
use crate::answer::Reply;
use crate::core::Core;
use crate::era::{Era, Revision};
use crate::flights::Flights;
use crate::jsonrpc::RequestId;
use crate::listening::{Heard, Listening};
use crate::outbox::Outbox;
use crate::search::ToolsMode;
use crate::session::Session;
use crate::store::frames::Owner;
pub(crate) use parting::Wanted;
use receiving::Waiting;

/// How many bytes of answers may wait for a client before nothing more is read from it, and of
/// requests for calls to end.
const UNREAD_LIMIT: usize = 1 << 20;

pub(super) type Job = Pin<Box<dyn Future<Output = Event> + Send>>;

/// What happens beside reading and writing.
pub(super) enum Event {
    /// So many calls have ended; `None` wants no answer.
    Answered(usize, Option<String>),
    /// A call of a session that can be resumed has ended.
    Kept(Box<Kept>),
    /// There is something to tell of what the client listens for.
    Heard(Box<Listening>, Heard),
    /// A session that can be resumed is stored, or is not: this is the answer that opens it.
    Opened(Box<Opening>),
    /// Another connection wants the session.
    Wanted(Wanted, mpsc::UnboundedReceiver<Wanted>),
    /// Another connection has the session.
    Fenced,
    /// Time to show that this end lives, and to see whether the other does.
    Tick,
    /// The gateway stops.
    Stop,
}

/// The end of a call of a session that can be resumed.
pub(super) struct Kept {
    request: RequestId,
    /// What it became, where the broker knows it.
    task: Option<TaskId>,
    /// `None` wants no answer.
    reply: Option<Reply>,
}

/// The beginning of such a session.
pub(super) struct Opening {
    request: RequestId,
    text: String,
    owner: Option<Owner>,
}

/// What goes on for one client.
pub(crate) struct Desk {
    pub(super) core: Arc<Core>,
    pub(super) session: Option<Arc<Session>>,
    /// What the connection said of the tools to be offered.
    pub tools: Option<ToolsMode>,
    flights: Arc<Flights>,
    outbox: Arc<Outbox>,
    /// Of a session that can be resumed.
    pub(super) relay: Option<Box<Relay>>,
    /// Listeners that are heard again once the client has read what waits.
    patient: Vec<Listening>,
    stop: CancellationToken,
    jobs: FuturesUnordered<Job>,
    /// How many calls there are among the jobs.
    calls: usize,
    /// Those that wait for calls to end, each with the length of its message.
    waiting: VecDeque<(usize, Waiting)>,
    waiting_bytes: usize,
    /// How many listeners there are.
    listeners: usize,
    stopping: bool,
}

impl Desk {
    /// A desk for a new connection; with an id, for a session that can be resumed by it.
    pub fn new(core: Arc<Core>, stop: CancellationToken, id: Option<Arc<str>>) -> Self {
        let era = Era::Legacy(Revision::LATEST);
        let relay = id.map(|id| Box::new(Relay::new(Arc::clone(&core), id, era)));
        let desk = Self {
            core,
            session: None,
            tools: None,
            flights: Arc::default(),
            outbox: Arc::default(),
            relay,
            patient: Vec::new(),
            stop: stop.clone(),
            jobs: FuturesUnordered::new(),
            calls: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            listeners: 0,
            stopping: false,
        };
        desk.do_beside(async move {
            stop.cancelled_owned().await;
            Event::Stop
        });
        desk.tick();
        desk
    }

    /// A desk for a session that was in the store alone.
    pub(super) fn restored(
        core: Arc<Core>,
        stop: CancellationToken,
        session: Arc<Session>,
        relay: Relay,
    ) -> Self {
        let mut desk = Self::new(core, stop, None);
        desk.flights = Arc::clone(session.flights());
        desk.relay = Some(Box::new(relay));
        desk.begin_session(session);
        desk
    }

    fn do_beside(&self, job: impl Future<Output = Event> + Send + 'static) {
        self.jobs.push(Box::pin(job));
    }

    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        Pin::new(&mut self.jobs).poll_next(cx)
    }

    /// The next message to be sent over a plain connection.
    pub fn pop(&self) -> Option<String> {
        self.outbox.pop()
    }

    /// The frames of a session that can be resumed, with all that waits among them.
    pub(super) fn frames(&mut self) -> Option<&mut Relay> {
        let relay = self.relay.as_mut()?;
        relay.collect(&self.outbox);
        Some(relay)
    }

    /// Whether messages may be taken from the client.
    pub fn may_read(&self) -> bool {
        !self.stopping && self.outbox.bytes() < UNREAD_LIMIT
    }

    /// Whether messages wait to be sent.
    pub fn is_behind(&self) -> bool {
        !self.outbox.is_empty() || self.relay.as_ref().is_some_and(|relay| relay.is_behind())
    }

    /// Stopping, and nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.stopping && self.calls + self.listeners == 0 && !self.is_behind()
    }

    /// Nothing goes on but waiting for the client.
    pub fn is_at_rest(&self) -> bool {
        self.calls == 0 && self.may_read() && !self.is_behind()
    }

    fn begin_session(&mut self, session: Arc<Session>) {
        let listening = Listening::of_session(&self.core, &session);
        if self.relay.is_some() {
            self.await_wanted(session.own());
        }
        self.session = Some(session);
        self.listen(Box::new(listening));
    }

    /// Does what an event asks for, as far as it is not the connection's business: that is
    /// returned.
    pub(super) fn handle(&mut self, event: Event) -> Option<Concern> {
        match event {
            Event::Answered(calls, answer) => {
                self.calls -= calls;
                if let Some(text) = answer {
                    self.outbox.answer(text);
                }
                self.start_waiting();
            }
            Event::Kept(kept) => {
                self.calls -= 1;
                self.keep(*kept);
                self.start_waiting();
            }
            Event::Opened(opening) => {
                let Opening {
                    request,
                    text,
                    owner,
                } = *opening;
                if let (Some(relay), Some(session)) = (&mut self.relay, &self.session) {
                    relay.open(owner, Era::Legacy(session.revision()));
                }
                self.reply(Some(request), text);
            }
            Event::Heard(listening, Heard::Message(message)) => {
                self.outbox.tell(message);
                self.patient.push(*listening);
            }
            Event::Heard(_, Heard::Ended(answer)) => {
                self.listeners -= 1;
                if let Some(text) = answer {
                    self.outbox.answer(text);
                }
            }
            Event::Heard(_, Heard::Unwanted) => self.listeners -= 1,
            Event::Wanted(wanted, others) => {
                self.await_wanted(others);
                return Some(Concern::Wanted(wanted));
            }
            Event::Fenced => return Some(Concern::Fenced),
            Event::Tick => {
                self.tick();
                return Some(Concern::Tick);
            }
            Event::Stop => {
                self.stopping = true;
                return Some(Concern::Stop);
            }
        }
        None
    }

    fn keep(&mut self, kept: Kept) {
        let Some(relay) = &mut self.relay else { return };
        // What it told goes before its answer.
        relay.collect(&self.outbox);
        match kept.reply {
            // The next process goes on with it.
            Some(reply) if reply.is_cut && relay.is_kept() => {}
            Some(reply) => relay.answer(kept.request, kept.task, reply.text),
            None => relay.forget(&kept.request),
        }
    }

    fn tick(&self) {
        let interval = self.core.config.keep_alive;
        self.do_beside(async move {
            tokio::time::sleep(interval).await;
            Event::Tick
        });
    }

    fn listen(&mut self, listening: Box<Listening>) {
        self.listeners += 1;
        self.hear(listening);
    }

    fn hear(&self, mut listening: Box<Listening>) {
        let stop = self.stop.clone();
        self.do_beside(async move {
            let heard = listening.next(&stop).await;
            Event::Heard(listening, heard)
        });
    }

    /// Lets listeners that waited for the client go on; `false` when there is none.
    pub fn listen_again(&mut self) -> bool {
        if self.patient.is_empty() || self.is_behind() {
            return false;
        }
        for listening in std::mem::take(&mut self.patient) {
            self.hear(Box::new(listening));
        }
        true
    }
}

/// What an event means for the connection.
pub(super) enum Concern {
    Wanted(Wanted),
    Fenced,
    Tick,
    Stop,
}
