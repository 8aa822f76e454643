//! `POST /mcp`: one message, answered as JSON or as a stream of events.
//!
//! A call that ends soon and tells nothing is answered as JSON. One that tells of its progress,
//! or takes longer, becomes a stream if the client takes one.

use std::future::{Future as _, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use dormouse_broker::Refusal;
use http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName, HeaderValue,
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::answer::Reply;
use crate::batch::Batch;
use crate::core::Core;
use crate::dispatch::{Line, Outcome, Presented};
use crate::error::Fault;
use crate::headers;
use crate::http::stream::{self, Reader};
use crate::http::{Body, LEGACY, empty, error, json, listen, reply, session_of, sse};
use crate::jsonrpc;
use crate::outbox::Outbox;
use crate::regain::Answer;
use crate::run::Run;
use crate::session::Session;
use crate::session::channel::Channel;

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// How many times the limit of a body that is too large are read and dropped.
const OVERSIZE_READ: usize = 32;

/// In which forms a client takes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Accepts {
    json: bool,
    events: bool,
}

/// Serves a POST.
pub(crate) async fn serve(
    core: &Arc<Core>,
    request: Request<Incoming>,
    stop: &CancellationToken,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let headers = head.headers;
    if !is_json(&headers) {
        return error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &Fault::OutOfPlace("the header Content-Type must be application/json"),
        );
    }
    let accepts = accepts(&headers);
    if !accepts.json && !accepts.events {
        return error(
            StatusCode::NOT_ACCEPTABLE,
            &Fault::OutOfPlace(
                "the header Accept must list application/json and text/event-stream",
            ),
        );
    }
    let reading = read(body, &headers, core.config.max_message);
    let text = tokio::select! {
        biased;
        read = reading => match read {
            Ok(text) => text,
            Err(refusal) => return refusal,
        },
        () = stop.cancelled() => {
            let fault = Fault::Refused(Refusal::Stopping);
            return error(StatusCode::SERVICE_UNAVAILABLE, &fault);
        }
    };
    let session = session_of(core, &headers).await;
    let open = match &session {
        Presented::Open(session) => Some(Arc::clone(session)),
        Presented::Nothing | Presented::Unknown => None,
    };
    let line = Line::Http {
        headers: &headers,
        session,
    };
    if jsonrpc::is_batch(&text) {
        return match Batch::take(core, &line, open.map(|session| session.revision()), &text) {
            Ok(batch) => serve_batch(core, batch).await,
            Err(refusal) => reply(refusal),
        };
    }
    let incoming = match jsonrpc::parse(&text) {
        Ok(incoming) => incoming,
        Err(rejected) => {
            return reply(Reply::error(rejected.id.as_ref(), &rejected.fault, LEGACY));
        }
    };
    let outcome = core.take(&line, incoming);
    drop(text);
    match outcome {
        Outcome::Reply(answer) => in_form(answer, accepts),
        Outcome::Refused(refusal) => reply(refusal),
        Outcome::Taken => empty(StatusCode::ACCEPTED),
        Outcome::Opened(session, answer) => {
            // Before its client hears of it, so that it can rely on it.
            core.sessions.store(&session).await;
            let mut response = in_form(answer, accepts);
            if let Ok(id) = HeaderValue::from_str(session.id()) {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static(headers::SESSION_ID), id);
            }
            response
        }
        Outcome::Run(run) => serve_run(core, run, open, accepts).await,
        Outcome::Listen(_) if !accepts.events => error(
            StatusCode::NOT_ACCEPTABLE,
            &Fault::OutOfPlace("the header Accept must list text/event-stream"),
        ),
        Outcome::Listen(listening) => {
            listen::response(*listening, stop.clone(), core.config.keep_alive)
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

fn accepts(headers: &HeaderMap) -> Accepts {
    let mut values = headers.get_all(ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return Accepts {
            json: true,
            events: false,
        };
    }
    let mut accepts = Accepts {
        json: false,
        events: false,
    };
    let ranges = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next());
    for range in ranges {
        match range.trim().to_ascii_lowercase().as_str() {
            "application/json" | "application/*" | "*/*" => accepts.json = true,
            "text/event-stream" | "text/*" => accepts.events = true,
            _ => {}
        }
    }
    accepts
}

/// Reads a body. One that is too large is read to its end without being kept, within reason: a
/// client that is still sending would not see the answer.
async fn read(body: Incoming, headers: &HeaderMap, limit: usize) -> Result<String, Response<Body>> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    let too_large = || {
        error(
            StatusCode::PAYLOAD_TOO_LARGE,
            &Fault::OutOfPlace("the body is larger than this server takes: send less at once"),
        )
    };
    // Who asks before sending is answered before it sends.
    if headers.contains_key(EXPECT) && announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let reading = collect(body, announced.unwrap_or(0).min(limit), limit);
    let bytes = match tokio::time::timeout(BODY_PATIENCE, reading).await {
        Ok(Ok(Some(bytes))) => bytes,
        Ok(Ok(None)) => return Err(too_large()),
        Ok(Err(failure)) => {
            tracing::debug!(error = %failure, "a body broke off");
            return Err(empty(StatusCode::BAD_REQUEST));
        }
        Err(_) => return Err(empty(StatusCode::REQUEST_TIMEOUT)),
    };
    String::from_utf8(bytes).map_err(|_| {
        let fault = Fault::NotJson("it is not UTF-8".to_owned());
        reply(Reply::error(None, &fault, LEGACY))
    })
}

/// All of a body; `None` when it is larger than `limit`.
async fn collect(
    mut body: Incoming,
    announced: usize,
    limit: usize,
) -> Result<Option<Vec<u8>>, hyper::Error> {
    let mut kept = Vec::with_capacity(announced);
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        seen += data.len();
        if seen <= limit {
            kept.extend_from_slice(&data);
        } else if seen > limit.saturating_mul(OVERSIZE_READ) {
            break;
        } else {
            kept = Vec::new();
        }
    }
    Ok((seen <= limit).then_some(kept))
}

/// An answer that is there already. Errors stay JSON with their status, whatever is accepted.
fn in_form(answer: Reply, accepts: Accepts) -> Response<Body> {
    if accepts.json || answer.status != StatusCode::OK {
        return reply(answer);
    }
    let mut text = String::new();
    sse::write_event(&answer.text, &mut text);
    sse::response(futures_util::stream::iter([text.into()]))
}

async fn serve_batch(core: &Arc<Core>, batch: Batch) -> Response<Body> {
    // Notifications of a batch's calls have no stream to go to.
    let unread = Arc::new(Outbox::deaf());
    match batch.run(core.clone(), &unread).await {
        Some(text) => json(StatusCode::OK, text),
        None => empty(StatusCode::ACCEPTED),
    }
}

/// What a call does first.
enum First {
    Ends(Option<Reply>),
    Tells(String),
    TakesLong,
}

async fn serve_run(
    core: &Arc<Core>,
    run: Run,
    session: Option<Arc<Session>>,
    accepts: Accepts,
) -> Response<Body> {
    let resumable = session.zip(run.resumable());
    let outbox = Arc::new(if accepts.events {
        Outbox::default()
    } else {
        Outbox::deaf()
    });
    let mut answer: Answer = Box::pin(run.run(core.clone(), Arc::clone(&outbox)));
    if !accepts.events {
        return answered(answer.await, accepts);
    }
    let mut patience = std::pin::pin!(tokio::time::sleep(core.config.stream_after));
    let first = poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(First::Ends(answer));
        }
        if let Some(notice) = outbox.pop() {
            return Poll::Ready(First::Tells(notice));
        }
        patience.as_mut().poll(cx).map(|()| First::TakesLong)
    })
    .await;
    let told = match first {
        First::Ends(reply) if outbox.is_empty() => return answered(reply, accepts),
        First::Ends(reply) => {
            answer = Box::pin(std::future::ready(reply));
            None
        }
        First::Tells(notice) => Some(notice),
        First::TakesLong => None,
    };
    match resumable {
        Some((session, task)) => {
            let channel = Arc::new(Channel::begun(outbox, told));
            session.keep_call_stream(task, Arc::clone(&channel));
            stream::follow(Arc::clone(&channel), session.revision(), answer);
            sse::response(Reader::of_call(core, &session, channel, task, 0))
        }
        None => {
            let answer = Box::pin(async move { answer.await.map(|reply| reply.text) });
            let interval = core.config.keep_alive;
            sse::response(sse::Events::new(Some(answer), outbox, told, interval))
        }
    }
}

fn answered(answer: Option<Reply>, accepts: Accepts) -> Response<Body> {
    match answer {
        Some(answer) => in_form(answer, accepts),
        // Cancelled by its client, who wants no answer.
        None => empty(StatusCode::ACCEPTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_a_client_takes_is_read_from_accept() {
        let cases: [(&[&str], bool, bool); 7] = [
            (&[], true, false),
            (&["application/json, text/event-stream"], true, true),
            (&["application/json", "text/event-stream;q=0.5"], true, true),
            (&["*/*"], true, false),
            (&["Text/Event-Stream"], false, true),
            (&["text/html"], false, false),
            (&[""], false, false),
        ];
        for (values, json, events) in cases {
            let read = accepts(&headers(ACCEPT, values));
            assert_eq!(read, Accepts { json, events }, "{values:?}");
        }
    }

    #[test]
    fn bodies_are_json() {
        for (value, good) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/jsonp", false),
        ] {
            assert_eq!(is_json(&headers(CONTENT_TYPE, &[value])), good, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
