//! `GET /mcp`: the standing stream of a legacy session, for what the server says of itself; or,
//! with `Last-Event-ID`, any stream of the session, to go on where it broke off.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::unfold;
use http::header::{ACCEPT, HeaderMap};
use http::{Response, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::answer::Reply;
use crate::core::Core;
use crate::dispatch::Presented;
use crate::error::Fault;
use crate::headers;
use crate::http::stream::{EventId, Name, Reader};
use crate::http::{Body, LEGACY, error, is_modern, not_allowed, reply, resume, session_of, sse};
use crate::listening::{Heard, Listening};
use crate::session::Session;
use crate::session::channel::Channel;

/// Opens a stream; an older connection of the same stream ends.
pub(crate) async fn serve(
    core: &Arc<Core>,
    headers: &HeaderMap,
    stop: &CancellationToken,
) -> Response<Body> {
    if is_modern(headers) {
        return not_allowed("POST");
    }
    if !takes_events(headers) {
        return error(
            StatusCode::NOT_ACCEPTABLE,
            &Fault::OutOfPlace("the header Accept must list text/event-stream"),
        );
    }
    let session = match session_of(core, headers).await {
        Presented::Open(session) => session,
        Presented::Unknown => return reply(Reply::error(None, &Fault::UnknownSession, LEGACY)),
        Presented::Nothing => {
            return error(
                StatusCode::BAD_REQUEST,
                &Fault::OutOfPlace("the header Mcp-Session-Id is missing: POST `initialize` first"),
            );
        }
    };
    let from = match last_event(headers) {
        Ok(from) => from,
        Err(fault) => return error(StatusCode::BAD_REQUEST, &fault),
    };
    match from {
        None => standing(core, &session, None, stop),
        Some(from) => match from.stream {
            Name::Standing => standing(core, &session, Some(from), stop),
            Name::Call(task) => match resume::call(core, &session, task, from.number).await {
                Some(reader) => sse::response(reader),
                // Not 404: that would say that the session has ended.
                None => error(StatusCode::BAD_REQUEST, &FOREIGN),
            },
        },
    }
}

const FOREIGN: Fault = Fault::OutOfPlace(
    "the header Last-Event-ID names no stream of this session: send the request again, with an \
     idempotency key if it must not run twice",
);

fn last_event(headers: &HeaderMap) -> Result<Option<EventId>, Fault> {
    let id = headers::single(headers, headers::LAST_EVENT_ID)?;
    // An empty one says the same as none (HTML, "The Last-Event-ID header").
    id.filter(|id| !id.is_empty())
        .map(str::parse)
        .transpose()
        .map_err(|()| FOREIGN)
}

fn takes_events(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| {
            let range = range.trim();
            range.eq_ignore_ascii_case("text/event-stream") || range == "*/*" || range == "text/*"
        })
}

/// The standing stream. A client that comes back is told what it missed, as far as that is
/// remembered.
fn standing(
    core: &Arc<Core>,
    session: &Arc<Session>,
    from: Option<EventId>,
    stop: &CancellationToken,
) -> Response<Body> {
    let Some(standing) = session.standing() else {
        return reply(Reply::error(None, &Fault::UnknownSession, LEGACY));
    };
    let channel = Arc::clone(&standing.channel);
    let mut source = take_source(session).unwrap_or_else(|| Listening::of_session(core, session));
    let last = channel.last();
    let number = match from {
        Some(from) if from.number <= last => from.number,
        // The process before told so many; whether something changed meanwhile nobody knows.
        Some(_) => {
            source.doubt();
            last
        }
        None => last,
    };
    let from = EventId {
        stream: Name::Standing,
        number,
    };
    let until = Box::pin(stop.clone().cancelled_owned());
    let pieces = Pieces {
        reader: Reader::new(core, session, Arc::clone(&channel), from, Some(until)),
        session: Arc::clone(session),
        channel,
        source: Some(source),
        stop: stop.clone(),
    };
    sse::response(unfold(pieces, |mut pieces| async move {
        let piece = pieces.next().await?;
        Some((piece, pieces))
    }))
}

fn take_source(session: &Session) -> Option<Listening> {
    lock(&session.standing()?.source).take()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection's part of the standing stream, and what it tells.
struct Pieces {
    reader: Reader,
    session: Arc<Session>,
    channel: Arc<Channel>,
    source: Option<Listening>,
    stop: CancellationToken,
}

impl Pieces {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                biased;
                piece = self.reader.next() => return piece,
                // Heard only when everything was read, so there is room for it.
                message = heard(self.source.as_mut(), &self.stop) => self.channel.tell(message),
            }
        }
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        if let Some(standing) = self.session.standing() {
            let mut waiting = lock(&standing.source);
            if waiting.is_none() {
                *waiting = self.source.take();
            }
        }
    }
}

async fn heard(source: Option<&mut Listening>, stop: &CancellationToken) -> String {
    if let Some(source) = source
        && let Heard::Message(message) = source.next(stop).await
    {
        return message;
    }
    std::future::pending().await
}
