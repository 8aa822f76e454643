//! What the API answers when it cannot do as asked: RFC 9457 problem details.

mod example;
mod kind;
mod view;

use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use dormouse_broker::{Refusal, Seq, State, TaskId};
use dormouse_contract::door::{Refused, TooOften};
use dormouse_contract::http_binding::BindingError;
use dormouse_contract::manifest::InvalidManifest;
use dormouse_contract::task::Failed;
use dormouse_source::{Unproven, Unreadable};

use crate::{OutsideError, WrongField};
pub(super) use example::{example, failed};
pub(super) use kind::Kind;
pub use view::ProblemView;

/// The media type of problems (RFC 9457, section 3).
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not done; the text becomes the problem's `detail`.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error(transparent)]
    Door(Refused),
    #[error(transparent)]
    TooOften(TooOften),
    #[error("too much is being received at the moment: try again in a second")]
    Crowded,
    #[error("nothing is served at this path: `GET /openapi.json` describes all that is")]
    UnknownPath,
    #[error(
        "nothing is served at this path: the token in it is not the one by which Brokers may send \
         events here, or that has been replaced"
    )]
    UnknownBroker,
    #[error("this path does not take this method: the Allow header lists those it takes")]
    WrongMethod,
    #[error("the path cannot be read: {0}")]
    Path(String),
    #[error("the body is larger than 4 MiB: send less, or send a reference to the data")]
    TooLarge,
    #[error("the body could not be read to its end: {0}")]
    Unreadable(String),
    #[error("{0}")]
    Query(String),
    #[error("the body is not what this path takes: {0}")]
    Body(String),
    #[error("`{0}` is no task id: ids are UUIDs, as `GET /tasks` lists them")]
    TaskId(String),
    #[error(
        "there is no task {0}: it never existed here, or it ended so long ago that it is no longer kept"
    )]
    UnknownTask(TaskId),
    #[error("there is no pool `{0}`: `GET /pools` lists those that are registered")]
    UnknownPool(String),
    #[error("task {task} is {}: ask again when it has ended", state.name())]
    NotEnded { task: TaskId, state: State },
    #[error("task {task} failed and has no result: {}", failure.error.message)]
    Failed { task: TaskId, failure: Failed },
    #[error("task {task} was cancelled and has no result: {reason}")]
    Cancelled { task: TaskId, reason: String },
    #[error("task {task} is {} already: nothing is left to cancel", state.name())]
    NotCancelled { task: TaskId, state: State },
    #[error("`{0}` is no place in the log: places are numbers from 1, as `GET /events` lists them")]
    Seq(String),
    #[error("there is no event {0}: the log has not come so far, or it is no longer kept")]
    UnknownEvent(Seq),
    #[error("it cannot be shown: {0}")]
    Unshowable(String),
    #[error(
        "task {0} is no dead letter: it has not failed, or whoever called has heard the answer; `GET /dead-letters` lists those that are"
    )]
    NotDead(TaskId),
    #[error("dead letter {0} was {1} already: nothing is left to do")]
    Disposed(TaskId, &'static str),
    #[error(
        "the filter is empty, which would choose every dead letter: narrow it by pool, capability, principal, source or event, or say `{{\"all\": true}}`"
    )]
    EmptyFilter,
    #[error("{0} listen to changes already: close some, then try again")]
    TooManyListeners(usize),
    #[error(transparent)]
    Event(#[from] BindingError),
    #[error(
        "events of type `{0}` are the platform's own and are not taken here: choose a type that does not start with `dev.dormouse.`"
    )]
    PlatformEvent(String),
    #[error("events of type `{0}` are taken one at a time: send it outside of a batch")]
    NotInBatch(String),
    #[error("{0}: no permission to send is given")]
    Handshake(String),
    #[error(
        "the event does not prove who sent it: in a task, set `taskid` and `attempttoken` as they were received; outside of one, set `pooltoken` from K_CE_OVERRIDES"
    )]
    Unproven,
    #[error(
        "`taskid` and `attempttoken` name no running attempt: the attempt has ended, or the token is wrong"
    )]
    NotRunning,
    #[error(
        "the event's data is not what its type asks for: {0}; send {{\"seq\": 1, \"notification\": {{\"method\": \"notifications/progress\", \"params\": {{}}}}}}"
    )]
    Progress(String),
    #[error(
        "the event's data is not what its type asks for: {0}; send {{\"step\": \"NAME\", \"result\": …}}"
    )]
    Step(String),
    #[error(
        "step `{0}` was committed before with another result, which holds: go on with that one, or give this step another name"
    )]
    StepDiffers(String),
    #[error(
        "step `{0}` is not committed: a task of an event keeps no steps, because nothing would bring them to the next attempt; hand the task's id on as an idempotency key instead"
    )]
    StepNotKept(String),
    #[error(
        "step `{0}` is not committed: a task keeps 1,000 steps, and 4 MiB in all of them; return less from its steps, such as a reference to where the rest lies"
    )]
    TooManySteps(String),
    #[error(
        "step `{0}` is not committed: `taskid` and `attempttoken` name no running attempt, so it has ended or the token is wrong; stop working on it"
    )]
    StepNotRunning(String),
    #[error("the event's data is not what its type asks for: {0}; send {{\"uri\": \"…\"}}")]
    Resource(String),
    #[error("{0}; what the pool offered before stays")]
    Manifest(#[from] InvalidManifest),
    #[error("there is no webhook `{0}`: `GET /sources` lists the event sources")]
    UnknownWebhook(String),
    #[error("webhook `{0}` cannot work: {1}")]
    WebhookBroken(String, String),
    #[error(transparent)]
    Sender(#[from] Unproven),
    #[error(transparent)]
    Webhook(#[from] Unreadable),
    #[error("the row cannot be used: {}", row(.0))]
    Row(Vec<WrongField>),
    #[error(transparent)]
    Outside(OutsideError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the broker could not answer: {0}")]
    Broker(#[from] dormouse_broker::Error),
}

impl Problem {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Door(Refused::Token) => Kind::NoToken,
            Self::Door(Refused::Host | Refused::Origin) => Kind::NotAdmitted,
            Self::TooOften(_) | Self::Crowded => Kind::TooOften,
            Self::UnknownPath | Self::UnknownBroker => Kind::UnknownPath,
            Self::WrongMethod => Kind::WrongMethod,
            Self::Path(_) => Kind::InvalidPath,
            Self::TooLarge | Self::TooManySteps(_) => Kind::TooLarge,
            Self::Unreadable(_) => Kind::Unreadable,
            Self::Query(_) => Kind::InvalidQuery,
            Self::Body(_) => Kind::InvalidBody,
            Self::TaskId(_) => Kind::InvalidTaskId,
            Self::UnknownTask(_) => Kind::UnknownTask,
            Self::UnknownPool(_) => Kind::UnknownPool,
            Self::Seq(_) => Kind::InvalidSeq,
            Self::UnknownEvent(_) => Kind::UnknownEvent,
            Self::Unshowable(_) => Kind::Storage,
            Self::NotDead(_) | Self::Disposed(..) => Kind::NotDeadLetter,
            Self::EmptyFilter => Kind::EmptyFilter,
            Self::TooManyListeners(_) => Kind::TooManyListeners,
            Self::NotEnded { .. } => Kind::NotEnded,
            Self::Failed { .. } => Kind::TaskFailed,
            Self::Cancelled { .. } => Kind::TaskCancelled,
            Self::NotCancelled { .. } => Kind::TaskEnded,
            Self::Event(
                BindingError::Batch | BindingError::Format(_) | BindingError::Charset(_),
            ) => Kind::UnsupportedFormat,
            Self::Event(BindingError::LargeBatch) => Kind::TooLarge,
            Self::Event(
                BindingError::NotAnEvent
                | BindingError::InBatch { .. }
                | BindingError::Json(_)
                | BindingError::Header(_)
                | BindingError::Invalid(_),
            )
            | Self::NotInBatch(_)
            | Self::Progress(_)
            | Self::Step(_)
            | Self::Resource(_)
            | Self::Manifest(_) => Kind::InvalidEvent,
            Self::Handshake(_) => Kind::InvalidHandshake,
            Self::PlatformEvent(_) => Kind::PlatformEvent,
            Self::Unproven | Self::NotRunning => Kind::UnprovenEvent,
            Self::StepDiffers(_) => Kind::StepDiffers,
            Self::StepNotKept(_) => Kind::StepNotKept,
            Self::StepNotRunning(_) => Kind::NotRunning,
            Self::UnknownWebhook(_) => Kind::UnknownWebhook,
            Self::WebhookBroken(..) => Kind::WebhookBroken,
            Self::Sender(Unproven::Missing(_)) => Kind::ProofMissing,
            Self::Sender(Unproven::Wrong(_)) => Kind::ProofWrong,
            Self::Webhook(unreadable) => match unreadable {
                Unreadable::NotFromGithub(_) | Unreadable::NotJson(_) | Unreadable::Form => {
                    Kind::InvalidWebhook
                }
                Unreadable::Unmapped(_) | Unreadable::Invalid(_) | Unreadable::Platform(_) => {
                    Kind::Unmapped
                }
            },
            Self::Row(_) => Kind::InvalidRow,
            Self::Outside(OutsideError::Deployed(_)) => Kind::DeployedPool,
            Self::Outside(OutsideError::OnKnative(_)) => Kind::OnKnative,
            Self::Outside(OutsideError::NotKnative(_)) => Kind::NotKnative,
            Self::Outside(OutsideError::UnknownPool(_)) => Kind::UnknownPool,
            Self::Outside(OutsideError::UnknownEndpoint { .. }) => Kind::UnknownEndpoint,
            Self::Outside(OutsideError::Unreachable(_)) => Kind::NoClient,
            Self::Outside(OutsideError::Broker(error)) | Self::Broker(error) => broker_kind(error),
            Self::Refused(refusal) => refusal_kind(refusal),
        }
    }

    /// What a program can go by, besides the kind.
    fn into_particulars(self) -> (Option<Failed>, Vec<WrongField>) {
        if let Self::Failed { failure, .. } = self {
            (Some(failure), Vec::new())
        } else if let Self::Row(errors) = self {
            (None, errors)
        } else {
            (None, Vec::new())
        }
    }

    /// How whoever is not admitted can prove itself.
    fn challenge(&self) -> HeaderValue {
        let Self::Sender(Unproven::Missing(header)) = self else {
            return HeaderValue::from_static("Bearer");
        };
        if *header == AUTHORIZATION {
            return HeaderValue::from_static("Basic, Bearer");
        }
        let challenge = format!("Secret header=\"{header}\"");
        HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Secret"))
    }

    /// Seconds after which the same request may succeed.
    pub(super) fn retry_after(&self) -> Option<u64> {
        if let Self::TooOften(too_often) = self {
            return Some(too_often.retry_after.as_secs());
        }
        let (Self::Refused(refusal) | Self::Broker(dormouse_broker::Error::Refused(refusal))) =
            self
        else {
            return matches!(
                self,
                Self::Crowded
                    | Self::TooManyListeners(_)
                    | Self::Broker(dormouse_broker::Error::Stopped)
            )
            .then_some(1);
        };
        match refusal {
            Refusal::Busy { retry_after, .. }
            | Refusal::Backlog { retry_after, .. }
            | Refusal::DiskFull { retry_after, .. } => Some(retry_after.as_secs().max(1)),
            Refusal::Stopping | Refusal::Storage(_) => Some(1),
            Refusal::UnknownPool(_) | Refusal::KeyReused => None,
        }
    }
}

fn broker_kind(error: &dormouse_broker::Error) -> Kind {
    use dormouse_broker::Error;
    match error {
        Error::Refused(refusal) => refusal_kind(refusal),
        Error::Stopped => Kind::Stopping,
        Error::Locked(_)
        | Error::NoRuntime
        | Error::Schema { .. }
        | Error::Io(_)
        | Error::Answers(_)
        | Error::Sqlite(_)
        | Error::Storage(_) => Kind::Storage,
    }
}

/// Every wrong member with its reason, in one line.
fn row(wrong: &[WrongField]) -> String {
    let named = wrong
        .iter()
        .map(|field| format!("{}: {}", field.pointer, field.detail));
    named.collect::<Vec<_>>().join("; ")
}

impl From<OutsideError> for Problem {
    fn from(error: OutsideError) -> Self {
        match error {
            OutsideError::Broker(error) => Self::Broker(error),
            other => Self::Outside(other),
        }
    }
}

fn refusal_kind(refusal: &Refusal) -> Kind {
    match refusal {
        Refusal::Busy { .. } => Kind::Busy,
        Refusal::Backlog { .. } => Kind::Backlog,
        Refusal::DiskFull { .. } => Kind::DiskFull,
        Refusal::UnknownPool(_) => Kind::UnknownPool,
        Refusal::KeyReused => Kind::KeyReused,
        Refusal::Stopping => Kind::Stopping,
        Refusal::Storage(_) => Kind::Unavailable,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = self.kind();
        let status = kind.status();
        if status.is_server_error() {
            tracing::error!(status = status.as_u16(), error = %self, "a request failed");
        }
        let detail = self.to_string();
        let (retry_after, challenge) = (self.retry_after(), self.challenge());
        let (failure, errors) = self.into_particulars();
        let view = ProblemView {
            failure,
            errors,
            ..ProblemView::of(kind, detail)
        };
        // A problem is plain data: writing it down does not fail.
        let body = serde_json::to_vec(&view).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_busy_pool_says_when_to_come_back() {
        let busy = Problem::Refused(Refusal::Busy {
            pool: "p".into(),
            queued: 7,
            retry_after: Duration::from_millis(200),
        });
        let response = busy.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn event_formats_that_are_not_spoken_are_415_and_invalid_ones_400() {
        for (error, status) in [
            (BindingError::Batch, 415),
            (
                BindingError::Format("application/cloudevents+avro".into()),
                415,
            ),
            (BindingError::NotAnEvent, 400),
            (BindingError::Json("eof".into()), 400),
        ] {
            let name = error.to_string();
            assert_eq!(
                Problem::Event(error).kind().status().as_u16(),
                status,
                "{name}"
            );
        }
    }

    #[test]
    fn the_detail_of_a_missing_token_names_the_setting_and_the_scheme() {
        let response = Problem::Door(Refused::Token).into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
    }
}
