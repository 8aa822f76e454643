//! The doors for events, as operations: [`ingress`](super::ingress) for any producer and the
//! [`sink`](super::sink) of each pool.

use axum::http::StatusCode;
use axum::http::header::ALLOW;
use axum::response::IntoResponse;
use serde_json::{Map, Value};

use super::operation::{Content, Header, Operation, Tag, options, post, schema_of};
use super::problem::Kind;
use super::{examples, ingress, sink};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        with_event(post("/events", ingress::accept))
            .named(
                Tag::Events,
                "sendEvent",
                "Send an event",
                "A CloudEvent in binary or structured mode (CloudEvents 1.0.2, HTTP binding). It \
                 becomes one task for each trigger that takes it, all stored in one commit before \
                 the answer. Types that start with `dev.dormouse.` are the platform's own and \
                 are refused.",
            )
            .answers(
                StatusCode::ACCEPTED,
                "The event is stored.",
                Content::json(examples::receipt()),
            )
            .problems(&[
                Kind::InvalidEvent,
                Kind::UnsupportedFormat,
                Kind::PlatformEvent,
                Kind::UnknownPool,
                Kind::Busy,
                Kind::Stopping,
                Kind::Unavailable,
            ]),
        options("/events", ingress_methods)
            .named(
                Tag::Events,
                "askToSendEvents",
                "Ask whether events may be sent",
                "The methods that `/events` takes.",
            )
            .answers_empty(StatusCode::NO_CONTENT, "The `Allow` header lists them."),
        with_event(post("/pools/{pool}/events", sink::accept))
            .open()
            .named(
                Tag::Events,
                "sendFromFunction",
                "Send an event from a function",
                "A pool's sink (its `K_SINK`): progress, committed steps, announcements and \
                 events of the function's own. The event proves who sends it, by the extension \
                 attributes `taskid` and `attempttoken` of the running attempt, or outside of one \
                 by `pooltoken`; no bearer token is asked for.",
            )
            .answers(
                StatusCode::ACCEPTED,
                "The event is taken. Progress, steps and announcements have no body.",
                Content::json(examples::receipt()),
            )
            .problems(&[
                Kind::InvalidEvent,
                Kind::UnsupportedFormat,
                Kind::PlatformEvent,
                Kind::UnprovenEvent,
                Kind::StepDiffers,
                Kind::StepNotKept,
                Kind::NotRunning,
                Kind::UnknownPool,
                Kind::Busy,
                Kind::Stopping,
                Kind::Unavailable,
            ]),
    ]
}

/// What both doors take.
fn with_event(operation: Operation) -> Operation {
    let headers = [
        ("ce-specversion", "Binary mode: `1.0`.", "1.0"),
        ("ce-id", "Binary mode: unique for its source.", "e-1"),
        (
            "ce-source",
            "Binary mode: who sends it, a URI reference.",
            "/repos/dormouse",
        ),
        ("ce-type", "Binary mode: what happened.", "com.github.push"),
        (
            "ce-subject",
            "Binary mode, and optional, as every other attribute.",
            "main",
        ),
    ];
    let operation =
        headers
            .into_iter()
            .fold(operation, |operation, (name, description, example)| {
                operation.header(Header {
                    name,
                    description,
                    is_required: false,
                    example,
                })
            });
    operation.takes(
        "In structured mode the whole event; in binary mode its data, of any media type, with \
         the attributes in `ce-` headers.",
        vec![
            Content {
                media: "application/cloudevents+json",
                schema: Some(schema_of::<Map<String, Value>>),
                example: Some(examples::event()),
            },
            Content::opaque("*/*", None),
        ],
    )
}

async fn ingress_methods() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(ALLOW, "OPTIONS, POST")])
}
