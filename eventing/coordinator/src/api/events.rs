//! The doors for events, as operations: [`ingress`](super::ingress) for any producer, the
//! [`sink`](super::sink) of each pool, and that of [Brokers](super::brokers).

use axum::http::StatusCode;
use dormouse_contract::http_binding;
use serde_json::{Map, Value};

use super::ingress::Receipts;
use super::operation::{Content, Header, Operation, Tag, options, post, schema_of};
use super::problem::Kind;
use super::{brokers, examples, handshake, ingress, sink};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        with_event(post("/events", ingress::accept))
            .at_any_rate()
            .named(
                Tag::Events,
                "sendEvent",
                "Send an event",
                "A CloudEvent in binary or structured mode, or up to 1,000 in batched mode \
                 (CloudEvents 1.0.2, HTTP binding). Each becomes one task for each trigger that \
                 takes it, all stored in one commit before the answer; one invalid event refuses \
                 its batch. Types that start with `dev.dormouse.` are the platform's own and \
                 are refused. The attributes `attempt`, `attempttoken`, `deadline`, \
                 `dormousehops`, `pool`, `pooltoken`, `principal`, `round`, `taskid` and \
                 `traceparent` are its own, too: what they say at a function is said of the delivery, \
                 whatever was sent.",
            )
            .answers(
                StatusCode::ACCEPTED,
                "The event is stored; for a batch, one receipt for each of its events.",
                Content::json(Receipts::One(examples::receipt())),
            )
            .problems(&[
                Kind::InvalidEvent,
                Kind::UnsupportedFormat,
                Kind::PlatformEvent,
                Kind::Backlog,
                Kind::DiskFull,
                Kind::Stopping,
                Kind::Unavailable,
            ]),
        options("/events", handshake::answer)
            .at_any_rate()
            .named(
                Tag::Events,
                "askToSendEvents",
                "Ask whether events may be sent",
                "The validation request of HTTP 1.1 Web Hooks for Event Delivery 1.0.2. Whoever is \
                 let in may send, at any rate; a callback is not called.",
            )
            .header(Header {
                name: "webhook-request-origin",
                description: "Who wants to send: a DNS name. Without it no permission is given.",
                is_required: false,
                example: "eventemitter.example.com",
            })
            .header(Header {
                name: "webhook-request-rate",
                description: "So many requests a minute.",
                is_required: false,
                example: "120",
            })
            .answers_empty(
                StatusCode::OK,
                "`Allow` lists the methods; `WebHook-Allowed-Origin` and `WebHook-Allowed-Rate` \
                 give permission.",
            )
            .problems(&[Kind::InvalidHandshake]),
        with_event(post("/pools/{pool}/events", sink::accept))
            .open()
            .named(
                Tag::Events,
                "sendFromFunction",
                "Send an event from a function",
                "A pool's sink (its `K_SINK`): progress, committed steps, announcements and \
                 events of the function's own, only these in batches. Each event proves who sends it, by the extension \
                 attributes `taskid` and `attempttoken` of the running attempt, or outside of one \
                 by `pooltoken`; no bearer token is asked for.",
            )
            .answers(
                StatusCode::ACCEPTED,
                "The event is taken. Progress, steps and announcements have no body.",
                Content::json(Receipts::One(examples::receipt())),
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
                Kind::Backlog,
                Kind::DiskFull,
                Kind::Stopping,
                Kind::Unavailable,
            ]),
        with_event(post("/brokers/{token}/events", brokers::accept))
            .open()
            .named(
                Tag::Events,
                "sendFromBroker",
                "Send an event from a Broker",
                "For Brokers and other senders that can be told an address and no header: the \
                 token in the path admits them, and to nothing else. What is taken and refused is \
                 as at `/events`; the answer is empty, because a Broker would take a body for a \
                 reply.",
            )
            .answers_empty(StatusCode::ACCEPTED, "The event is stored.")
            .problems(&[
                Kind::UnknownPath,
                Kind::InvalidEvent,
                Kind::UnsupportedFormat,
                Kind::PlatformEvent,
                Kind::Backlog,
                Kind::DiskFull,
                Kind::Stopping,
                Kind::Unavailable,
            ]),
    ]
}

/// What all these doors take.
pub(super) fn with_event(operation: Operation) -> Operation {
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
        "In structured mode the whole event, in batched mode several; in binary mode its data, of \
         any media type, with the attributes in `ce-` headers.",
        vec![
            Content {
                media: http_binding::STRUCTURED,
                schema: Some(schema_of::<Map<String, Value>>),
                example: Some(examples::event()),
            },
            Content {
                media: http_binding::BATCH,
                schema: Some(schema_of::<Vec<Map<String, Value>>>),
                example: Some(vec![examples::event()].into()),
            },
            Content::opaque("*/*", None),
        ],
    )
}
