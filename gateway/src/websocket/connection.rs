//! One WebSocket connection: reads messages, lets its desk serve them, writes answers in the order
//! in which they come.
//!
//! Everything is one future, so that an idle connection costs little.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::desk::{Concern, Desk, Event, Wanted};
use crate::websocket::Upgraded;
use crate::websocket::socket::Socket;

/// How many things are done before what waits is written, so that one busy side starves no other.
const STEPS: usize = 64;

/// How many intervals a client may be silent.
const SILENT_LIMIT: u8 = 4;

/// How long a closing handshake may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// With which code a connection is closed whose session another one has taken over.
const TAKEN_OVER: u16 = 4_001;

enum Step {
    Message(Result<Message, Error>),
    Event(Event),
    Written,
    Ended,
}

/// How a connection ends.
enum End {
    /// It is lost: nobody can be told.
    Lost,
    /// The client has closed it, and means to end its session.
    Left,
    /// It is closed by this end.
    Closed(CloseFrame),
    /// Others want the session.
    Wanted(Wanted),
    /// Another connection has the session.
    Fenced,
}

struct Connection<S> {
    desk: Desk,
    socket: Socket<S>,
    steps: usize,
    ping: bool,
    sent: bool,
    silent: u8,
    /// Nothing has come or gone for an interval.
    quiet: bool,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(desk: Desk, upgraded: Upgraded) {
    let Upgraded { io, early } = upgraded;
    let limit = desk.core.config.max_message;
    let mut connection = Connection {
        desk,
        socket: Socket::new(io, early, limit),
        steps: 0,
        ping: false,
        sent: false,
        silent: 0,
        quiet: false,
    };
    let end = connection.run().await;
    let Connection { desk, socket, .. } = connection;
    let farewell = Box::pin(clear(desk, end)).await;
    if let Some(frame) = farewell {
        close(socket, frame).await;
    }
}

/// Does with a desk what the end of its connection asks for; returns how to close that, if it
/// still has to be.
async fn clear(desk: Desk, end: End) -> Option<CloseFrame> {
    let taken_over = || closing(CloseCode::from(TAKEN_OVER), "resumed by another connection");
    match end {
        End::Wanted(Wanted::TakeOver(taker)) => {
            // Who wanted it may have gone meanwhile.
            if let Err(desk) = taker.send(desk) {
                desk.park();
            }
            Some(taken_over())
        }
        End::Wanted(Wanted::End) => {
            desk.end().await;
            Some(closing(CloseCode::Normal, "the session has ended"))
        }
        End::Fenced => Some(taken_over()),
        End::Left => {
            desk.end().await;
            None
        }
        End::Closed(frame) => {
            leave(desk).await;
            Some(frame)
        }
        End::Lost => {
            leave(desk).await;
            None
        }
    }
}

async fn leave(desk: Desk) {
    if desk.can_be_resumed() {
        desk.park();
    } else {
        desk.end().await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Goes on until the connection ends.
    async fn run(&mut self) -> End {
        loop {
            let ended = match poll_fn(|cx| self.poll_step(cx)).await {
                Step::Message(Ok(message)) => self.receive(message),
                Step::Message(Err(error)) => Some(farewell(&error)),
                Step::Event(event) => self.handle(event),
                Step::Written => None,
                Step::Ended => Some(End::Lost),
            };
            if let Some(end) = ended {
                return end;
            }
            if self.desk.is_done() {
                let flushed = poll_fn(|cx| self.socket.poll_flush(cx)).await;
                return match flushed {
                    Ok(()) => End::Closed(closing(CloseCode::Away, "the server is stopping")),
                    Err(_) => End::Lost,
                };
            }
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let could_read = self.desk.may_read();
        if self.steps < STEPS {
            self.steps += 1;
            if let Poll::Ready(Some(event)) = self.desk.poll_event(cx) {
                return Poll::Ready(Step::Event(event));
            }
            if self.desk.may_read()
                && let Poll::Ready(next) = self.socket.poll_next(cx, false)
            {
                return Poll::Ready(next.map_or(Step::Ended, Step::Message));
            }
        }
        let more_to_do = std::mem::take(&mut self.steps) >= STEPS;
        match self.poll_write(cx) {
            Poll::Ready(Err(end)) => return Poll::Ready(end),
            Poll::Ready(Ok(())) if self.desk.is_done() => return Poll::Ready(Step::Written),
            Poll::Ready(Ok(()))
                if self.desk.is_at_rest() && self.socket.is_to_shrink(self.quiet) =>
            {
                if let Poll::Ready(next) = self.socket.poll_next(cx, true) {
                    return Poll::Ready(next.map_or(Step::Ended, Step::Message));
                }
            }
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        let listening = self.desk.listen_again();
        // Nobody has asked the socket for more since reading was held back.
        if more_to_do || listening || (!could_read && self.desk.may_read()) {
            return Poll::Ready(Step::Written);
        }
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Step>> {
        let lost = |_: Error| Step::Ended;
        loop {
            std::task::ready!(self.socket.poll_ready(cx)).map_err(lost)?;
            let message = match self.desk.frames() {
                None => self.desk.pop().map(Message::text),
                Some(relay) => match relay.poll_frame(cx) {
                    Ok(Some(text)) => Some(Message::Text(text)),
                    Ok(None) => relay
                        .question(std::mem::take(&mut self.ping))
                        .map(|question| Message::Ping(Bytes::copy_from_slice(&question))),
                    Err(_) => return Poll::Ready(Err(Step::Event(Event::Fenced))),
                },
            };
            if let Some(message) = message {
                self.socket.send(message).map_err(lost)?;
            } else if std::mem::take(&mut self.ping) {
                self.socket
                    .send(Message::Ping(Bytes::new()))
                    .map_err(lost)?;
            } else {
                return self.socket.poll_flush(cx).map_err(lost);
            }
            self.sent = true;
        }
    }

    fn receive(&mut self, message: Message) -> Option<End> {
        self.quiet = false;
        match message {
            Message::Text(text) => self.desk.receive(&text),
            Message::Binary(_) => {
                let why = "one JSON-RPC message a text frame, no binary frames";
                return Some(End::Closed(closing(CloseCode::Unsupported, why)));
            }
            Message::Pong(payload) => {
                if let Some(relay) = &mut self.desk.relay {
                    relay.confirm(&payload);
                }
            }
            // The library answers it. A client that says so, or nothing, means to leave.
            Message::Close(frame) => {
                let means_it = frame.is_none_or(|frame| {
                    matches!(frame.code, CloseCode::Normal | CloseCode::Status)
                });
                return means_it.then_some(End::Left);
            }
            // Pings are the library's.
            Message::Ping(_) | Message::Frame(_) => {}
        }
        None
    }

    fn handle(&mut self, event: Event) -> Option<End> {
        match self.desk.handle(event)? {
            Concern::Wanted(wanted) => Some(End::Wanted(wanted)),
            Concern::Fenced => Some(End::Fenced),
            Concern::Stop => None,
            Concern::Tick => {
                let unheard = !self.socket.take_heard() && self.desk.may_read();
                let unread = self.desk.is_behind() && !self.sent;
                self.silent = if unheard || unread {
                    self.silent + 1
                } else {
                    0
                };
                (self.sent, self.ping, self.quiet) = (false, true, true);
                (self.silent >= SILENT_LIMIT)
                    .then(|| End::Closed(closing(CloseCode::Away, "no sign of life")))
            }
        }
    }
}

fn closing(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame {
        code,
        reason: reason.into(),
    }
}

/// How to end after a failure to read.
fn farewell(error: &Error) -> End {
    let frame = match error {
        Error::Capacity(_) => closing(CloseCode::Size, "the message is too large"),
        Error::Utf8(_) => closing(CloseCode::Invalid, "text frames are UTF-8"),
        Error::Protocol(_) => closing(CloseCode::Protocol, "not as RFC 6455 has it"),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => return End::Lost,
    };
    End::Closed(frame)
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
