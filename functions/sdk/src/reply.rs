//! What is said back: reply events, and refusals in words.

use bytes::Bytes;
use dormouse_contract::Event;
use dormouse_contract::event::SPEC_VERSION;
use dormouse_contract::http_binding;
use dormouse_contract::task::{
    COMPLETED, FAILED, Failed, NOT_RUN_HEADER, Outcome, PROGRESSED, SUSPENDED, TaskError,
};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::delivery::Attempt;
use crate::error::ToolError;
use crate::result::ToolResult;

/// What every door answers with.
pub(crate) type Reply = Response<Full<Bytes>>;

/// JSON-RPC 2.0: the method is not known.
pub(crate) const METHOD_NOT_FOUND: i32 = -32_601;
/// JSON-RPC 2.0, and MCP for an unknown tool: the params are wrong.
pub(crate) const INVALID_PARAMS: i32 = -32_602;
/// JSON-RPC 2.0: it went wrong inside.
pub(crate) const INTERNAL_ERROR: i32 = -32_603;

/// The attributes of an event about an attempt. `what` tells it from the others about it.
pub(crate) fn attributes(
    attempt: &Attempt,
    source: &HeaderValue,
    ty: &'static str,
    what: &str,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert("ce-specversion", HeaderValue::from_static(SPEC_VERSION));
    headers.insert("ce-type", HeaderValue::from_static(ty));
    headers.insert("ce-source", source.clone());
    let id = format!(
        "{}/{}/{}{what}",
        attempt.task, attempt.round, attempt.attempt
    );
    // Ids with letters that no header takes are still unique without them.
    let id = HeaderValue::try_from(id.replace(|letter: char| !letter.is_ascii_graphic(), "-"));
    headers.insert("ce-id", id.unwrap_or(HeaderValue::from_static(ty)));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in &attempt.repeated {
        headers.insert(name, value.clone());
    }
    headers
}

/// The attributes of a `task.progressed` event.
pub(crate) fn progressed(attempt: &Attempt, source: &HeaderValue, seq: u64) -> HeaderMap {
    attributes(attempt, source, PROGRESSED, &format!("/{seq}"))
}

#[derive(Serialize)]
struct Completed<R> {
    result: R,
}

/// The capability answered with this MCP result.
pub(crate) fn completed(attempt: &Attempt, source: &HeaderValue, result: &impl Serialize) -> Reply {
    match serde_json::to_vec(&Completed { result }) {
        Ok(data) => ok(attributes(attempt, source, COMPLETED, ""), data.into()),
        Err(error) => broken(
            attempt,
            source,
            format!("the result cannot be written as JSON: {error}"),
        ),
    }
}

/// The round ended with open asks, which are the data.
pub(crate) fn suspended(attempt: &Attempt, source: &HeaderValue, asks: Vec<u8>) -> Reply {
    ok(attributes(attempt, source, SUSPENDED, ""), asks.into())
}

/// An error without data.
pub(crate) fn error(code: i32, message: impl Into<String>) -> TaskError {
    TaskError {
        code,
        message: message.into(),
        data: None,
    }
}

/// The handler ran, and it went wrong inside.
pub(crate) fn broken(attempt: &Attempt, source: &HeaderValue, message: String) -> Reply {
    let error = error(INTERNAL_ERROR, message);
    failed(attempt, source, error, Outcome::Failed)
}

/// The task has no result and will have none.
pub(crate) fn failed(
    attempt: &Attempt,
    source: &HeaderValue,
    error: TaskError,
    outcome: Outcome,
) -> Reply {
    let failed = Failed { error, outcome };
    match serde_json::to_vec(&failed) {
        Ok(data) => ok(attributes(attempt, source, FAILED, ""), data.into()),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// What a handler's error says to whoever called the tool.
pub(crate) fn tool_error(attempt: &Attempt, source: &HeaderValue, error: ToolError) -> Reply {
    match error {
        ToolError::Caller(message) => completed(attempt, source, &ToolResult::mistake(message)),
        ToolError::Retryable { message, after } => later(message, after),
        ToolError::Internal(message) => broken(attempt, source, message),
        ToolError::Protocol {
            code,
            message,
            data,
        } => {
            let error = TaskError {
                code,
                message,
                data,
            };
            failed(attempt, source, error, Outcome::Failed)
        }
    }
}

/// What a handler's error says to whoever delivered the event.
pub(crate) fn reaction_error(error: ToolError) -> Reply {
    match error {
        ToolError::Caller(message) | ToolError::Protocol { message, .. } => {
            refused(StatusCode::UNPROCESSABLE_ENTITY, message)
        }
        ToolError::Retryable { message, after } => later(message, after),
        ToolError::Internal(message) => refused(StatusCode::INTERNAL_SERVER_ERROR, message),
    }
}

fn later(message: String, after: Option<std::time::Duration>) -> Reply {
    let mut reply = refused(StatusCode::SERVICE_UNAVAILABLE, message);
    if let Some(after) = after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        reply.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    reply
}

/// The event is taken; the reply, when there is one, is an event too.
pub(crate) fn reacted(reply: Option<Event>) -> Reply {
    let Some(event) = reply else {
        let mut empty = Reply::default();
        *empty.status_mut() = StatusCode::NO_CONTENT;
        return empty;
    };
    let (headers, data) = http_binding::write(event);
    ok(headers, data)
}

fn ok(headers: HeaderMap, body: Bytes) -> Reply {
    let mut reply = Reply::new(body.into());
    *reply.headers_mut() = headers;
    reply
}

/// JSON that is no event: the manifest.
pub(crate) fn json(body: Bytes) -> Reply {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ok(headers, body)
}

/// A status in words.
pub(crate) fn refused(status: StatusCode, words: impl Into<String>) -> Reply {
    let mut words: String = words.into();
    words.push('\n');
    let mut reply = Reply::new(Bytes::from(words).into());
    *reply.status_mut() = status;
    let media = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(CONTENT_TYPE, media);
    reply
}

/// The same, when it is sure that no handler started.
pub(crate) fn not_run(status: StatusCode, words: &str) -> Reply {
    let mut reply = refused(status, words);
    reply.headers_mut().insert(
        HeaderName::from_static(NOT_RUN_HEADER),
        HeaderValue::from_static("true"),
    );
    reply
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SOURCE: HeaderValue = HeaderValue::from_static("/pools/p");

    fn attempt() -> Attempt {
        Attempt {
            task: "t 1".into(),
            ..Attempt::nobodys()
        }
    }

    #[test]
    fn replies_are_events_that_the_binding_reads() {
        let reply = completed(&attempt(), &SOURCE, &ToolResult::text("hi"));
        let event = http_binding::read(reply.headers(), Bytes::from_static(b"{}")).unwrap();
        assert_eq!(
            (event.id.as_str(), event.ty.as_str()),
            ("t-1/1/1", COMPLETED)
        );
    }

    #[test]
    fn each_error_has_its_way_back() {
        let status = |error: ToolError| tool_error(&attempt(), &SOURCE, error).status().as_u16();
        assert_eq!(status(ToolError::caller("no")), 200);
        assert_eq!(status(ToolError::internal("broken")), 200);
        assert_eq!(status(ToolError::retryable("later")), 503);
        assert_eq!(reaction_error(ToolError::caller("no")).status(), 422);
        assert_eq!(reaction_error(ToolError::internal("broken")).status(), 500);
        let wait = ToolError::retryable("later").after(Duration::from_millis(1_500));
        assert_eq!(
            tool_error(&attempt(), &SOURCE, wait).headers()[RETRY_AFTER],
            "2"
        );
    }

    #[test]
    fn a_reaction_replies_with_an_event_or_with_nothing() {
        assert_eq!(reacted(None).status(), 204);
        let reply = reacted(Some(Event::new("1", "/p", "t")));
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["ce-type"]),
            (200, &HeaderValue::from_static("t"))
        );
    }
}
