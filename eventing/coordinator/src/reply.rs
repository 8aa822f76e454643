//! From a function's answer to a report: what is known of the attempt, and whether a retry may
//! follow. The rules are those of the function contract, version 1.

use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::{MOST_SAID, Report};
use dormouse_contract::Event;
use dormouse_contract::http_binding;
use dormouse_contract::registration::CallError;
use dormouse_contract::task::{
    ATTEMPT_TOKEN, COMPLETED, Completed, FAILED, Failed, Outcome, POOL_TOKEN, SUSPENDED, TaskError,
};
use http::header::{HeaderMap, RETRY_AFTER};
use http::{Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

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

/// Reads the answer of `whom`, which is how errors name it: such as pool `p`.
pub(crate) fn read(kind: Kind, whom: &str, response: Response<Bytes>) -> Answer {
    let (head, body) = response.into_parts();
    let retry_after = retry_after(&head.headers, Timestamp::now());
    if did_not_run(&head.headers) {
        let said = excerpt(&body);
        let message = format!("{whom} did not start the call ({}){said}", head.status);
        return failed(message, Outcome::NotRun, false, retry_after).into();
    }
    match head.status {
        StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT
            if body.is_empty() && !has_attributes(&head.headers) =>
        {
            empty(kind, whom).into()
        }
        StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => {
            event(kind, whom, &head.headers, body)
        }
        status => refused(kind, whom, status, &body, retry_after).into(),
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
pub(crate) fn timed_out(whom: &str, after: Duration) -> Report {
    let after = dormouse_contract::duration::format(after);
    let message =
        format!("{whom} gave no answer within {after}; whether the call took effect is not known");
    failed(message, Outcome::Unknown, false, None)
}

/// The report of an attempt whose time was over before anything of it was sent.
pub(crate) fn not_woken(whom: &str, after: Duration) -> Report {
    let after = dormouse_contract::duration::format(after);
    let message = format!("nothing of {whom} was ready within {after}; the call did not run");
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

fn empty(kind: Kind, whom: &str) -> Report {
    match kind {
        Kind::Event => Report::Completed(Bytes::new()),
        Kind::Call => {
            let message = format!(
                "{whom} answered a call with nothing: a function replies with one \
                 `{COMPLETED}` event"
            );
            failed(message, Outcome::Failed, true, None)
        }
    }
}

fn event(kind: Kind, whom: &str, headers: &HeaderMap, body: Bytes) -> Answer {
    let rubbish = |why: String| {
        let message = format!("{whom} answered with something that is no reply: {why}");
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
                    retry_after: retry_after(headers, Timestamp::now()),
                }
            }
            Err(error) => rubbish(format!("its data is not a failure: {error}")),
        },
        SUSPENDED => match asks::read(&data) {
            Ok(asks) => Report::Suspended(asks),
            Err(why) => {
                let message = format!("{whom} asked for something unusable: {why}");
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
    whom: &str,
    status: StatusCode,
    body: &[u8],
    retry_after: Option<Duration>,
) -> Report {
    let said = excerpt(body);
    let report = if status.is_server_error() || is_unknown(kind, status) {
        let message =
            format!("{whom} failed with {status}{said}; whether the call took effect is not known");
        failed(message, Outcome::Unknown, false, retry_after)
    } else {
        let message = format!("{whom} refused with {status}{said}");
        failed(message, Outcome::Failed, true, None)
    };
    match kind {
        Kind::Call => report,
        Kind::Event => with_answer(report, status, body),
    }
}

/// What the destination of an event said, for its dead letter.
fn with_answer(mut report: Report, status: StatusCode, body: &[u8]) -> Report {
    if let Report::Failed { failure, .. } = &mut report {
        let body = String::from_utf8_lossy(&body[..body.len().min(MOST_SAID)]);
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

/// `Retry-After` (RFC 9110, section 10.2.3): seconds or a date. The task's policy bounds it.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(text).ok()?.timestamp();
    // What is past may be asked again at once.
    Some(at.duration_since(now).try_into().unwrap_or_default())
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
mod tests;
