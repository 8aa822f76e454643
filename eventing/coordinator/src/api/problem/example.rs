//! One problem of each kind, for the OpenAPI document: made by what makes real ones.

use std::time::Duration;

use axum::http::HeaderName;
use dormouse_broker::{Refusal, State, TaskId};
use dormouse_contract::door::{Refused, TooOften};
use dormouse_contract::http_binding::BindingError;
use dormouse_contract::task::{Failed, Outcome, TaskError};
use dormouse_source::{Origin, Unmapped, Unproven, Unreadable};

use super::{Kind, Problem};
use crate::{OutsideError, WrongField};

/// Where GitHub proves itself.
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

/// A problem of this kind.
pub(in crate::api) fn example(kind: Kind) -> Problem {
    let task = crate::api::examples::task_id();
    match kind {
        Kind::NoToken => Problem::Door(Refused::Token),
        Kind::NotAdmitted => Problem::Door(Refused::Host),
        Kind::TooOften => Problem::TooOften(TooOften {
            retry_after: Duration::from_secs(1),
        }),
        Kind::UnknownPath => Problem::UnknownPath,
        Kind::WrongMethod => Problem::WrongMethod,
        Kind::InvalidPath => Problem::Path("Invalid UTF-8 in `id`".to_owned()),
        Kind::TooLarge => Problem::TooLarge,
        Kind::Unreadable => Problem::Unreadable("connection reset".to_owned()),
        Kind::InvalidQuery => Problem::Query(
            "Failed to deserialize query string: unknown field `sate`, expected one of `pool`, \
             `state`"
                .to_owned(),
        ),
        Kind::InvalidBody => Problem::Body("unknown field `because`".to_owned()),
        Kind::InvalidTaskId => Problem::TaskId("42".to_owned()),
        Kind::UnknownTask => Problem::UnknownTask(task),
        Kind::UnknownPool => Problem::UnknownPool("educatonal".to_owned()),
        Kind::UnknownEndpoint => Problem::Outside(OutsideError::UnknownEndpoint {
            pool: "database".to_owned(),
            endpoint: "http://10.0.0.9:9000/".to_owned(),
        }),
        Kind::InvalidRow => Problem::Row(vec![WrongField {
            pointer: "#/endpoint".to_owned(),
            detail: "it is missing".to_owned(),
        }]),
        Kind::DeployedPool => Problem::Outside(OutsideError::Deployed("educational".to_owned())),
        Kind::OnKnative => Problem::Outside(OutsideError::OnKnative("educational".to_owned())),
        Kind::NotKnative => Problem::Outside(OutsideError::NotKnative("educational".to_owned())),
        Kind::NoClient => {
            Problem::Outside(OutsideError::Unreachable("no root certificates".to_owned()))
        }
        Kind::InvalidSeq => Problem::Seq("first".to_owned()),
        Kind::UnknownEvent => Problem::UnknownEvent(crate::api::examples::SEQ),
        Kind::NotDeadLetter => Problem::NotDead(task),
        Kind::EmptyFilter => Problem::EmptyFilter,
        Kind::TooManyListeners => Problem::TooManyListeners(64),
        Kind::NotEnded => Problem::NotEnded {
            task,
            state: State::Running,
        },
        Kind::TaskFailed => Problem::Failed {
            task,
            failure: failed(),
        },
        Kind::TaskCancelled => Problem::Cancelled {
            task,
            reason: "wrong branch".to_owned(),
        },
        Kind::TaskEnded => not_cancelled(task),
        Kind::UnsupportedFormat => Problem::Event(BindingError::Format(
            "application/cloudevents+avro".to_owned(),
        )),
        Kind::InvalidEvent => Problem::Event(BindingError::NotAnEvent),
        Kind::InvalidHandshake => {
            Problem::Handshake("header `webhook-request-rate` is not a positive integer".to_owned())
        }
        Kind::PlatformEvent => Problem::PlatformEvent("dev.dormouse.task.completed.v1".to_owned()),
        Kind::UnprovenEvent => Problem::Unproven,
        Kind::UnknownWebhook => Problem::UnknownWebhook("gitub".to_owned()),
        Kind::WebhookBroken => Problem::WebhookBroken(
            "github".to_owned(),
            "secret `github` has no key `webhook`: write the value into secrets/github/webhook of \
             the data directory"
                .to_owned(),
        ),
        Kind::ProofMissing => Problem::Sender(Unproven::Missing(SIGNATURE)),
        Kind::ProofWrong => Problem::Sender(Unproven::Wrong(SIGNATURE)),
        Kind::InvalidWebhook => Problem::Webhook(Unreadable::NotFromGithub("x-github-event")),
        Kind::Unmapped => Problem::Webhook(Unreadable::Unmapped(Unmapped {
            attribute: "`subject`".to_owned(),
            origin: Origin::Header(SIGNATURE),
        })),
        Kind::StepDiffers => Problem::StepDiffers("charge".to_owned()),
        Kind::StepNotKept => Problem::StepNotKept("charge".to_owned()),
        Kind::NotRunning => Problem::StepNotRunning("charge".to_owned()),
        Kind::Busy => Problem::Refused(Refusal::Busy {
            pool: "educational".into(),
            queued: 1_000,
            retry_after: Duration::from_secs(5),
        }),
        Kind::Backlog => Problem::Refused(Refusal::Backlog {
            waiting: 1_000_000,
            retry_after: Duration::from_secs(5),
        }),
        Kind::DiskFull => Problem::Refused(Refusal::DiskFull {
            free: 100 << 20,
            retry_after: Duration::from_secs(30),
        }),
        Kind::KeyReused => Problem::Refused(Refusal::KeyReused),
        Kind::Stopping => Problem::Broker(dormouse_broker::Error::Stopped),
        Kind::Storage => {
            Problem::Broker(dormouse_broker::Error::Storage("disk I/O error".to_owned()))
        }
        Kind::Unavailable => Problem::Refused(Refusal::Storage("disk I/O error".to_owned())),
    }
}

fn not_cancelled(task: TaskId) -> Problem {
    Problem::NotCancelled {
        task,
        state: State::Completed,
    }
}

/// How a task failed, for examples.
pub(in crate::api) fn failed() -> Failed {
    Failed {
        error: TaskError {
            code: -32_603,
            message: "the function answered with HTTP status 500".to_owned(),
            data: None,
        },
        outcome: Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_an_example_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(example(kind).kind(), kind);
        }
    }
}
