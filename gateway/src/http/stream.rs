//! Streams of events that a client can come back to: each event says where it stands, so that
//! another connection goes on behind it (2025-11-25, "Resumability and Redelivery").
//!
//! An event's id is `TASK:NUMBER` on the stream of a call and `s:NUMBER` on the standing stream.

use std::fmt::{self, Write as _};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::TaskId;
use futures_util::Stream;
use tokio::time::{Instant, Sleep};

use crate::core::Core;
use crate::era::Revision;
use crate::http::sse;
use crate::regain::Answer;
use crate::session::Session;
use crate::session::channel::{Channel, Place, Read};

/// How long a client waits before it comes back, in milliseconds.
const RETRY: u32 = 1_000;

/// How much is put into one piece.
const PIECE: usize = 64 << 10;

/// Which of a session's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// What the server says of itself.
    Standing,
    /// What a call tells, and its answer.
    Call(TaskId),
}

/// An event's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventId {
    pub stream: Name,
    pub number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stream {
            Name::Standing => write!(out, "s:{}", self.number),
            Name::Call(task) => write!(out, "{task}:{}", self.number),
        }
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (stream, number) = text.split_once(':').ok_or(())?;
        let stream = match stream {
            "s" => Name::Standing,
            task => Name::Call(task.parse().map_err(|_| ())?),
        };
        let number = number.parse().map_err(|_| ())?;
        Ok(Self { stream, number })
    }
}

type Ending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One connection's part of a stream.
pub(crate) struct Reader {
    session: Arc<Session>,
    channel: Arc<Channel>,
    name: Name,
    place: Place,
    /// What lets the client know where it stands before anything is told.
    opening: Option<String>,
    interval: Duration,
    timer: Pin<Box<Sleep>>,
    /// When the connection ends before the stream does.
    until: Option<Ending>,
}

impl Reader {
    /// Takes a stream over behind this number.
    pub fn new(
        core: &Core,
        session: &Arc<Session>,
        channel: Arc<Channel>,
        from: EventId,
        until: Option<Ending>,
    ) -> Self {
        let interval = core.config.keep_alive;
        Self {
            place: channel.read_after(from.number),
            opening: Some(opening(session.revision(), from)),
            session: Arc::clone(session),
            channel,
            name: from.stream,
            interval,
            timer: Box::pin(tokio::time::sleep(interval)),
            until,
        }
    }

    /// The stream of a call. Where the client knows how to come back it is closed after a while.
    pub fn of_call(
        core: &Core,
        session: &Arc<Session>,
        channel: Arc<Channel>,
        task: TaskId,
        number: u64,
    ) -> Self {
        let until = core
            .config
            .poll_after
            .filter(|_| can_poll(session.revision()))
            .map(|after| Box::pin(tokio::time::sleep(after)) as Ending);
        let from = EventId {
            stream: Name::Call(task),
            number,
        };
        Self::new(core, session, channel, from, until)
    }

    fn write(&self, number: u64, message: &str, text: &mut String) {
        let id = EventId {
            stream: self.name,
            number,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "id: {id}");
        sse::write_event(message, text);
    }
}

/// Clients before 2025-11-25 do not expect that a stream ends before its answer, and try to read
/// events without data as messages.
fn can_poll(revision: Revision) -> bool {
    revision >= Revision::V2025_11_25
}

fn opening(revision: Revision, from: EventId) -> String {
    if can_poll(revision) {
        format!("id: {from}\nretry: {RETRY}\ndata: \n\n")
    } else {
        sse::COMMENT.to_owned()
    }
}

impl Stream for Reader {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        let mut text = this.opening.take().unwrap_or_default();
        let mut ended = false;
        while text.len() < PIECE {
            match this.channel.poll_read(cx, &mut this.place) {
                Poll::Ready(Read::Message(number, message)) => {
                    this.write(number, &message, &mut text);
                }
                Poll::Ready(Read::Answer(number, answer)) => {
                    this.write(number, &answer, &mut text);
                    if let Name::Call(task) = this.name {
                        this.session.drop_call_stream(task);
                    }
                }
                Poll::Ready(Read::End | Read::TakenOver) => {
                    ended = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        if text.is_empty() && !ended {
            ended = this
                .until
                .as_mut()
                .is_some_and(|until| until.as_mut().poll(cx).is_ready());
            if !ended && this.timer.as_mut().poll(cx).is_ready() {
                text.push_str(sse::COMMENT);
            }
        }
        if !text.is_empty() {
            let next = Instant::now() + this.interval;
            this.timer.as_mut().reset(next);
            return Poll::Ready(Some(text.into()));
        }
        if ended {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.channel.leave(&self.place);
    }
}

/// Follows a call whether its client is connected or not, so that it can be cancelled, and be
/// found by a client that comes back. What it tells is read from the channel, and so is its answer.
/// When the channel is closed, with its session, nobody can come back, and the call goes on alone.
/// It is closed, too, when the platform stops before the answer is there: the client comes back for
/// that.
pub(crate) fn follow(channel: Arc<Channel>, revision: Revision, mut answer: Answer) {
    tokio::spawn(async move {
        let answer = poll_fn(|cx| {
            if channel.poll_closed(cx).is_ready() {
                return Poll::Ready(None);
            }
            let polled = answer.as_mut().poll(cx);
            channel.wake();
            polled
        });
        let answer = answer.await;
        let comes_back = can_poll(revision) || channel.last() > 0;
        match answer {
            Some(reply) if reply.is_cut && comes_back => channel.close(),
            answer => channel.end(answer.map(|reply| reply.text)),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_events_read_back() {
        let task = TaskId::new();
        for stream in [Name::Standing, Name::Call(task)] {
            let id = EventId { stream, number: 7 };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for foreign in ["", "s", "s:", "s:-1", "x:1", "s:1:2", "0:1"] {
            assert_eq!(foreign.parse::<EventId>(), Err(()), "{foreign}");
        }
    }

    #[test]
    fn events_without_data_are_for_clients_that_know_them() {
        let from = EventId {
            stream: Name::Standing,
            number: 3,
        };
        assert_eq!(
            opening(Revision::V2025_11_25, from),
            "id: s:3\nretry: 1000\ndata: \n\n"
        );
        assert_eq!(opening(Revision::V2025_06_18, from), sse::COMMENT);
    }
}
