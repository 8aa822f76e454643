//! One WebSocket connection: reads messages, runs their calls beside each other, writes answers
//! in the order in which they come.
//!
//! Everything is one future, so that an idle connection costs little: calls and timers are small
//! futures beside each other in it, polled only when they were woken.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use crate::answer::Reply;
use crate::batch::Batch;
use crate::core::Core;
use crate::dispatch::{Line, Outcome};
use crate::era::{Era, Revision};
use crate::flights::Flights;
use crate::jsonrpc;
use crate::listening::{Heard, Listening};
use crate::outbox::Outbox;
use crate::session::Session;
use crate::websocket::Upgraded;
use crate::websocket::socket::Socket;

/// How many bytes of answers may wait for a client before nothing more is read from it.
const UNREAD_LIMIT: usize = 1 << 20;

/// How many things are done before what waits is written, so that one busy side starves no other.
const STEPS: usize = 64;

/// How many intervals a client may be silent.
const SILENT_LIMIT: u8 = 4;

/// How long a closing handshake may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

type Job = Pin<Box<dyn Future<Output = Event> + Send>>;

/// What happens beside reading and writing.
enum Event {
    /// A call has ended; `None` wants no answer.
    Answered(Option<String>),
    /// There is something to tell of what the client listens for.
    Heard(Box<Listening>, Heard),
    /// Time to show that this end lives, and to see whether the other does.
    Tick,
    /// The gateway stops.
    Stop,
}

enum Step {
    Message(Result<Message, Error>),
    Event(Event),
    Written,
    Ended,
}

struct Connection<S> {
    core: Arc<Core>,
    socket: Socket<S>,
    session: Option<Arc<Session>>,
    flights: Arc<Flights>,
    outbox: Arc<Outbox>,
    /// Listeners that are heard again once the client has read what waits.
    patient: Vec<Listening>,
    stop: CancellationToken,
    jobs: FuturesUnordered<Job>,
    /// How many of the jobs are calls.
    calls: usize,
    /// How many listeners there are.
    listeners: usize,
    steps: usize,
    stopping: bool,
    ping: bool,
    sent: bool,
    silent: u8,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(core: Arc<Core>, upgraded: Upgraded, stop: CancellationToken) {
    let Upgraded { io, early } = upgraded;
    let mut connection = Connection::new(core.clone(), io, early, stop.clone());
    connection.jobs.push(Box::pin(async move {
        stop.cancelled_owned().await;
        Event::Stop
    }));
    connection.tick();
    let farewell = connection.run().await;
    if let Some(session) = &connection.session {
        core.sessions.end(session).await;
    }
    let Connection { socket, jobs, .. } = connection;
    // Modern calls end with their connection, legacy ones go on: see `abandoned`.
    drop(jobs);
    if let Some(frame) = farewell {
        close(socket, frame).await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(core: Arc<Core>, io: S, early: Bytes, stop: CancellationToken) -> Self {
        Self {
            socket: Socket::new(io, early, core.config.max_message),
            core,
            session: None,
            flights: Arc::default(),
            outbox: Arc::default(),
            patient: Vec::new(),
            stop,
            jobs: FuturesUnordered::new(),
            calls: 0,
            listeners: 0,
            steps: 0,
            stopping: false,
            ping: false,
            sent: false,
            silent: 0,
        }
    }

    /// Goes on until the connection ends; returns how to close it, if it still has to be.
    async fn run(&mut self) -> Option<CloseFrame> {
        loop {
            match poll_fn(|cx| self.poll_step(cx)).await {
                Step::Message(Ok(message)) => {
                    match message {
                        Message::Text(text) => self.receive(&text),
                        Message::Binary(_) => {
                            let why = "one JSON-RPC message a text frame, no binary frames";
                            return Some(closing(CloseCode::Unsupported, why));
                        }
                        // Pongs and closing handshakes are the library's.
                        Message::Ping(_)
                        | Message::Pong(_)
                        | Message::Close(_)
                        | Message::Frame(_) => {}
                    }
                }
                Step::Message(Err(error)) => return farewell(&error),
                Step::Event(event) => {
                    if !self.handle(event) {
                        return Some(closing(CloseCode::Away, "no sign of life"));
                    }
                }
                Step::Written => {}
                Step::Ended => return None,
            }
            if self.is_done() {
                let flushed = poll_fn(|cx| self.socket.poll_flush(cx)).await;
                return flushed
                    .is_ok()
                    .then(|| closing(CloseCode::Away, "the server is stopping"));
            }
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let could_read = self.may_read();
        if self.steps < STEPS {
            self.steps += 1;
            if let Poll::Ready(Some(event)) = Pin::new(&mut self.jobs).poll_next(cx) {
                return Poll::Ready(Step::Event(event));
            }
            if self.may_read()
                && let Poll::Ready(next) = self.socket.poll_next(cx, false)
            {
                return Poll::Ready(next.map_or(Step::Ended, Step::Message));
            }
        }
        let more_to_do = std::mem::take(&mut self.steps) >= STEPS;
        match self.poll_write(cx) {
            Poll::Ready(Err(_)) => return Poll::Ready(Step::Ended),
            Poll::Ready(Ok(())) if self.is_done() => return Poll::Ready(Step::Written),
            Poll::Ready(Ok(())) if self.is_at_rest() && self.socket.has_grown() => {
                if let Poll::Ready(next) = self.socket.poll_next(cx, true) {
                    return Poll::Ready(next.map_or(Step::Ended, Step::Message));
                }
            }
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        let listening = self.outbox.is_empty() && self.listen_again();
        // Nobody has asked the socket for more since reading was held back.
        if more_to_do || listening || (!could_read && self.may_read()) {
            return Poll::Ready(Step::Written);
        }
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            std::task::ready!(self.socket.poll_ready(cx))?;
            if let Some(text) = self.outbox.pop() {
                self.socket.send(Message::text(text))?;
            } else if std::mem::take(&mut self.ping) {
                self.socket.send(Message::Ping(Bytes::new()))?;
            } else {
                return self.socket.poll_flush(cx);
            }
            self.sent = true;
        }
    }

    fn may_read(&self) -> bool {
        !self.stopping
            && self.calls < self.core.config.max_in_flight
            && self.outbox.bytes() < UNREAD_LIMIT
    }

    /// Stopping, and nothing is left to do.
    fn is_done(&self) -> bool {
        self.stopping && self.calls + self.listeners == 0 && self.outbox.is_empty()
    }

    fn is_at_rest(&self) -> bool {
        self.calls == 0 && self.may_read() && self.outbox.is_empty()
    }

    fn receive(&mut self, text: &str) {
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
        let line = Line::Socket {
            session: self.session.as_ref(),
            flights: &self.flights,
        };
        match self.core.take(&line, incoming) {
            Outcome::Reply(reply) => self.outbox.answer(reply.text),
            Outcome::Opened(session, reply) => {
                let listening = Listening::of_session(&self.core, &session);
                self.session = Some(session);
                self.outbox.answer(reply.text);
                self.listen(Box::new(listening));
            }
            Outcome::Listen(listening) => self.listen(listening),
            Outcome::Run(run) => {
                let answer = run.run(self.core.clone(), Arc::clone(&self.outbox));
                self.calls += 1;
                self.jobs.push(Box::pin(async move {
                    Event::Answered(answer.await.map(|reply| reply.text))
                }));
            }
            // What was refused was a notification: there is no way to say so.
            Outcome::Taken | Outcome::Refused(_) => {}
        }
    }

    fn receive_batch(&mut self, text: &str) {
        let line = Line::Socket {
            session: self.session.as_ref(),
            flights: &self.flights,
        };
        let revision = self.session.as_ref().map(|session| session.revision());
        match Batch::take(&self.core, &line, revision, text) {
            Err(reply) => self.outbox.answer(reply.text),
            Ok(batch) => {
                let (core, outbox) = (self.core.clone(), Arc::clone(&self.outbox));
                self.calls += 1;
                self.jobs.push(Box::pin(async move {
                    Event::Answered(batch.run(core, &outbox).await)
                }));
            }
        }
    }

    /// Whether the connection goes on.
    fn handle(&mut self, event: Event) -> bool {
        match event {
            Event::Answered(answer) => {
                self.calls -= 1;
                if let Some(text) = answer {
                    self.outbox.answer(text);
                }
            }
            Event::Heard(listening, Heard::Message(message)) => {
                self.outbox.answer(message);
                self.patient.push(*listening);
            }
            Event::Heard(_, Heard::Ended(answer)) => {
                self.listeners -= 1;
                if let Some(text) = answer {
                    self.outbox.answer(text);
                }
            }
            Event::Heard(_, Heard::Unwanted) => self.listeners -= 1,
            Event::Tick => {
                let unheard = !self.socket.take_heard() && self.may_read();
                let unread = !self.outbox.is_empty() && !self.sent;
                self.silent = if unheard || unread {
                    self.silent + 1
                } else {
                    0
                };
                (self.sent, self.ping) = (false, true);
                self.tick();
                return self.silent < SILENT_LIMIT;
            }
            Event::Stop => self.stopping = true,
        }
        true
    }

    fn tick(&self) {
        let interval = self.core.config.keep_alive;
        self.jobs.push(Box::pin(async move {
            tokio::time::sleep(interval).await;
            Event::Tick
        }));
    }

    fn listen(&mut self, listening: Box<Listening>) {
        self.listeners += 1;
        self.hear(listening);
    }

    fn hear(&self, mut listening: Box<Listening>) {
        let stop = self.stop.clone();
        self.jobs.push(Box::pin(async move {
            let heard = listening.next(&stop).await;
            Event::Heard(listening, heard)
        }));
    }

    /// Lets listeners that waited for the client go on; `false` when there is none.
    fn listen_again(&mut self) -> bool {
        let any = !self.patient.is_empty();
        for listening in std::mem::take(&mut self.patient) {
            self.hear(Box::new(listening));
        }
        any
    }
}

fn closing(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame {
        code,
        reason: reason.into(),
    }
}

/// How to close after a failure to read; `None` when there is nobody to tell.
fn farewell(error: &Error) -> Option<CloseFrame> {
    match error {
        Error::Capacity(_) => Some(closing(CloseCode::Size, "the message is too large")),
        Error::Utf8(_) => Some(closing(CloseCode::Invalid, "text frames are UTF-8")),
        Error::Protocol(_) => Some(closing(CloseCode::Protocol, "not as RFC 6455 has it")),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => None,
    }
}

/// Says farewell and reads on for a moment: closing while the client still sends would let its
/// network stack drop the close frame.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut socket: Socket<S>, frame: CloseFrame) {
    let said = async {
        poll_fn(|cx| socket.poll_ready(cx)).await?;
        socket.send(Message::Close(Some(frame)))?;
        poll_fn(|cx| socket.poll_flush(cx)).await
    };
    let said = tokio::time::timeout(CLOSE_PATIENCE, said).await;
    if !matches!(said, Ok(Ok(()))) {
        return;
    }
    let Some(mut io) = socket.into_io() else {
        return;
    };
    let mut rest = vec![0; 16 << 10];
    let drained = async { while matches!(io.read(&mut rest).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(CLOSE_PATIENCE, drained).await;
}
