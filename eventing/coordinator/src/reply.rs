//! From a function's answer to a report: what is known of the attempt, and whether a retry may
//! follow. The rules are those of the function contract, version 1.

use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::Report;
use dormouse_contract::Event;
use dormouse_contract::http_binding;
use dormouse_contract::registration::CallError;
use dormouse_contract::task::{
    ATTEMPT_TOKEN, COMPLETED, Completed, FAILED, Failed, Outcome, POOL_TOKEN, SUSPENDED, TaskError,
};
use http::header::{HeaderMap, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::asks;
use crate::breaker::did_not_run;

/// JSON-RPC "internal error": the platform's own word for a delivery that failed.
const INTERNAL: i32 = -32603;

/// Whether someone waits for the answer, or an event is being delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Call,
    Event,
}

/// What a function answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The attempt is over.
    Report(Report),
    /// It replied to an event with another.
    Reply {
        /// The reply.
        event: Event,
        /// The same as structured JSON.
        reply: Bytes,
    },
}

impl From<Report> for Answer {
    fn from(report: Report) -> Self {
        Self::Report(report)
    }
}

/// Reads a function's answer.
pub(crate) fn read(kind: Kind, pool: &str, response: Response<Bytes>) -> Answer {
    let (head, body) = response.into_parts();
    let retry_after = retry_after(&head.headers);
    if did_not_run(&head.headers) {
        let said = excerpt(&body);
        let message = format!(
            "pool `{pool}` did not start the call ({}){said}",
            head.status
        );
        return failed(message, Outcome::NotRun, false, retry_after).into();
    }
    match head.status {
        StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT
            if body.is_empty() && !has_attributes(&head.headers) =>
        {
            empty(kind, pool).into()
        }
        StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => {
            event(kind, pool, &head.headers, body)
        }
        status => refused(kind, pool, status, &body, retry_after).into(),
    }
}

/// An event without data, in binary mode, has no body.
fn has_attributes(headers: &HeaderMap) -> bool {
    headers.contains_key("ce-specversion")
}

/// The report of an attempt that got no answer at all.
pub(crate) fn no_answer(error: CallError) -> Report {
    match error {
        CallError::NotRun(why) => failed(why, Outcome::NotRun, false, None),
        CallError::Unknown(why) => failed(why, Outcome::Unknown, false, None),
        CallError::Held { why, retry_after } => Report::Held { why, retry_after },
    }
}

/// The report of an attempt that took too long.
pub(crate) fn timed_out(pool: &str, after: Duration) -> Report {
    let after = dormouse_contract::duration::format(after);
    let message = format!(
        "pool `{pool}` gave no answer within {after}; whether the call took effect is not known"
    );
    failed(message, Outcome::Unknown, false, None)
}

/// The report of an attempt whose time was over before anything of it was sent.
pub(crate) fn not_woken(pool: &str, after: Duration) -> Report {
    let after = dormouse_contract::duration::format(after);
    let message =
        format!("no instance of pool `{pool}` was ready within {after}; the call did not run");
    failed(message, Outcome::NotRun, false, None)
}

/// The report of a task whose pool is no longer there.
pub(crate) fn pool_gone(pool: &str) -> Report {
    failed(
        format!("pool `{pool}` is no longer deployed"),
        Outcome::NotRun,
        true,
        None,
    )
}

/// The report of a stored event that can no longer be read; another attempt would not help.
pub(crate) fn unreadable(error: &dormouse_contract::http_binding::BindingError) -> Report {
    failed(
        format!("the stored event cannot be delivered: {error}"),
        Outcome::NotRun,
        true,
        None,
    )
}

fn empty(kind: Kind, pool: &str) -> Report {
    match kind {
        Kind::Event => Report::Completed(Bytes::new()),
        Kind::Call => {
            let message = format!(
                "pool `{pool}` answered a call with nothing: a function replies with one \
                 `{COMPLETED}` event"
            );
            failed(message, Outcome::Failed, true, None)
        }
    }
}

fn event(kind: Kind, pool: &str, headers: &HeaderMap, body: Bytes) -> Answer {
    let rubbish = |why: String| {
        let message = format!("pool `{pool}` answered with something that is no reply: {why}");
        failed(message, Outcome::Unknown, false, None)
    };
    let event = match http_binding::read(headers, body) {
        Ok(event) => event,
        Err(error) => return rubbish(error.to_string()).into(),
    };
    if kind == Kind::Event && !event.is_platform() {
        return reply(event);
    }
    let data = event.data.clone().unwrap_or_default();
    let report = match event.ty.as_str() {
        COMPLETED => match serde_json::from_slice::<Completed<'_>>(&data) {
            Ok(completed) => Report::Completed(sub_slice(&data, completed.result.get())),
            Err(error) => rubbish(format!("its data is not `{{\"result\": …}}`: {error}")),
        },
        FAILED => match serde_json::from_slice::<Failed>(&data) {
            Ok(failure) => {
                let last = failure.outcome == Outcome::Failed || is_misfit(failure.error.code);
                Report::Failed {
                    failure,
                    last,
                    retry_after: retry_after(headers),
                }
            }
            Err(error) => rubbish(format!("its data is not a failure: {error}")),
        },
        SUSPENDED => match asks::read(&data) {
            Ok(asks) => Report::Suspended(asks),
            Err(why) => {
                let message = format!("pool `{pool}` asked for something unusable: {why}");
                failed(message, Outcome::Failed, true, None)
            }
        },
        other => rubbish(match kind {
            Kind::Call => format!("event type `{other}` answers no call"),
            Kind::Event => format!("event type `{other}` is the platform's own"),
        }),
    };
    report.into()
}

fn reply(mut event: Event) -> Answer {
    for token in [ATTEMPT_TOKEN, POOL_TOKEN] {
        event.extensions.remove(token);
    }
    let (_, reply) = http_binding::write_structured(&event);
    Answer::Reply { event, reply }
}

/// JSON-RPC's words for a request that does not fit: asking again changes nothing.
fn is_misfit(code: i32) -> bool {
    matches!(code, -32602..=-32600)
}

/// The bytes of `part`, which lies within `whole`, without a copy.
fn sub_slice(whole: &Bytes, part: &str) -> Bytes {
    whole.slice_ref(part.as_bytes())
}

fn refused(
    kind: Kind,
    pool: &str,
    status: StatusCode,
    body: &[u8],
    retry_after: Option<Duration>,
) -> Report {
    let said = excerpt(body);
    let report = if status.is_server_error() || is_unknown(kind, status) {
        let message = format!(
            "pool `{pool}` failed with {status}{said}; whether the call took effect is not known"
        );
        failed(message, Outcome::Unknown, false, retry_after)
    } else {
        let message = format!("pool `{pool}` refused with {status}{said}");
        failed(message, Outcome::Failed, true, None)
    };
    match kind {
        Kind::Call => report,
        Kind::Event => with_answer(report, status, body),
    }
}

/// What the destination of an event said, for its dead letter.
fn with_answer(mut report: Report, status: StatusCode, body: &[u8]) -> Report {
    const MOST: usize = 1_024;
    if let Report::Failed { failure, .. } = &mut report {
        let body = String::from_utf8_lossy(&body[..body.len().min(MOST)]);
        failure.error.data = Some(serde_json::json!({"status": status.as_u16(), "body": body}));
    }
    report
}

/// 408 and 429 say nothing about the handler; for events Knative also retries 404 and 409.
fn is_unknown(kind: Kind, status: StatusCode) -> bool {
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::NOT_FOUND | StatusCode::CONFLICT => kind == Kind::Event,
        _ => false,
    }
}

/// `Retry-After` in seconds; dates are for proxies and not understood.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(3_600)))
}

/// What a function said, short enough for an error's text.
fn excerpt(body: &[u8]) -> String {
    const MOST: usize = 300;
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * MOST)]);
    let text: String = text.trim().chars().take(MOST).collect();
    if text.is_empty() {
        text
    } else {
        format!(": {text}")
    }
}

fn failed(message: String, outcome: Outcome, last: bool, retry_after: Option<Duration>) -> Report {
    let error = TaskError {
        code: INTERNAL,
        message,
        data: None,
    };
    Report::Failed {
        failure: Failed { error, outcome },
        last,
        retry_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(kind: Kind, pool: &str, response: Response<Bytes>) -> Report {
        match read(kind, pool, response) {
            Answer::Report(report) => report,
            Answer::Reply { reply, .. } => Report::Completed(reply),
        }
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
        let mut builder = Response::builder().status(status);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap()
    }

    fn reply(ty: &str, data: &'static str) -> Response<Bytes> {
        let (headers, body) = http_binding::write_binary(Event::new("1", "/p", ty).with_json(data));
        let mut response = Response::new(body);
        *response.headers_mut() = headers;
        response
    }

    fn outcome(report: &Report) -> Option<(Outcome, bool)> {
        match report {
            Report::Completed(_)
            | Report::Replied { .. }
            | Report::Suspended(_)
            | Report::Held { .. } => None,
            Report::Failed { failure, last, .. } => Some((failure.outcome, *last)),
        }
    }

    #[test]
    fn a_result_passes_to_the_letter() {
        let response = reply(COMPLETED, r#"{"result": {"b" : 1.0, "a":[ ]} }"#);
        let expected = Report::Completed(Bytes::from_static(br#"{"b" : 1.0, "a":[ ]}"#));
        assert_eq!(report(Kind::Call, "p", response), expected);
    }

    #[test]
    fn questions_pass_to_the_letter() {
        let response = reply(
            SUSPENDED,
            r#"{"asks":{ "g":{"method":"roots/list"} },"revision":"r1"}"#,
        );
        let Report::Suspended(asks) = report(Kind::Call, "p", response) else {
            panic!("it suspends");
        };
        assert_eq!(asks.asks, r#"{ "g":{"method":"roots/list"} }"#);
        assert_eq!(asks.revision.as_deref(), Some("r1"));
    }

    #[test]
    fn each_answer_is_classified_as_the_contract_says() {
        use Outcome::{Failed, NotRun, Unknown};
        let not_run = [("dormouse-not-run", "true"), ("retry-after", "2")];
        for (kind, response, expected) in [
            (
                Kind::Call,
                answer(503, &not_run, "busy"),
                Some((NotRun, false)),
            ),
            (Kind::Call, answer(500, &[], ""), Some((Unknown, false))),
            (Kind::Call, answer(429, &[], ""), Some((Unknown, false))),
            (Kind::Call, answer(400, &[], "no"), Some((Failed, true))),
            (Kind::Call, answer(404, &[], ""), Some((Failed, true))),
            (Kind::Event, answer(404, &[], ""), Some((Unknown, false))),
            (Kind::Call, answer(301, &[], ""), Some((Failed, true))),
            (
                Kind::Call,
                answer(200, &[], "rubbish"),
                Some((Unknown, false)),
            ),
            (Kind::Call, answer(204, &[], ""), Some((Failed, true))),
            (Kind::Event, answer(204, &[], ""), None),
            (Kind::Event, reply("org.example.done", "{}"), None),
            (
                Kind::Call,
                reply("org.example.done", "{}"),
                Some((Unknown, false)),
            ),
            (Kind::Call, reply(COMPLETED, "[]"), Some((Unknown, false))),
            (
                Kind::Call,
                reply(SUSPENDED, r#"{"asks":{}}"#),
                Some((Failed, true)),
            ),
        ] {
            let shown = format!("{kind:?} {response:?}");
            assert_eq!(outcome(&report(kind, "p", response)), expected, "{shown}");
        }
    }

    #[test]
    fn an_event_without_data_is_a_reply() {
        let (headers, body) = http_binding::write_binary(Event::new("1", "/p", "org.example.done"));
        for status in [StatusCode::OK, StatusCode::ACCEPTED, StatusCode::NO_CONTENT] {
            let mut response = Response::new(body.clone());
            *response.status_mut() = status;
            *response.headers_mut() = headers.clone();
            let Answer::Reply { event, .. } = read(Kind::Event, "p", response) else {
                panic!("{status} with attributes is a reply");
            };
            assert_eq!(event, Event::new("1", "/p", "org.example.done"));
        }
    }

    #[test]
    fn a_functions_own_failure_is_final_unless_it_did_not_run() {
        for (word, last) in [("failed", true), ("not-run", false), ("unknown", false)] {
            let data = format!(r#"{{"error":{{"code":1,"message":"m"}},"outcome":"{word}"}}"#);
            let response = reply(FAILED, Box::leak(data.into_boxed_str()));
            assert_eq!(
                outcome(&report(Kind::Call, "p", response)).map(|seen| seen.1),
                Some(last)
            );
        }
    }
}
