//! The kinds of problems: a closed list, which the OpenAPI document shows whole.

use axum::http::StatusCode;

/// Why a request was not done, in general: what a problem's `type` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Kind {
    NoToken,
    NotAdmitted,
    TooOften,
    UnknownPath,
    WrongMethod,
    InvalidPath,
    TooLarge,
    Unreadable,
    InvalidQuery,
    InvalidBody,
    InvalidTaskId,
    UnknownTask,
    UnknownPool,
    UnknownEndpoint,
    InvalidRow,
    DeployedPool,
    OnKnative,
    NotKnative,
    NoClient,
    InvalidSeq,
    UnknownEvent,
    NotDeadLetter,
    EmptyFilter,
    TooManyListeners,
    NotEnded,
    TaskFailed,
    TaskCancelled,
    TaskEnded,
    UnsupportedFormat,
    InvalidEvent,
    InvalidHandshake,
    PlatformEvent,
    UnprovenEvent,
    UnknownWebhook,
    WebhookBroken,
    ProofMissing,
    ProofWrong,
    InvalidWebhook,
    Unmapped,
    StepDiffers,
    StepNotKept,
    NotRunning,
    Busy,
    Backlog,
    DiskFull,
    KeyReused,
    Stopping,
    Storage,
    Unavailable,
}

impl Kind {
    pub(in crate::api) const ALL: [Self; 49] = [
        Self::NoToken,
        Self::NotAdmitted,
        Self::TooOften,
        Self::UnknownPath,
        Self::WrongMethod,
        Self::InvalidPath,
        Self::TooLarge,
        Self::Unreadable,
        Self::InvalidQuery,
        Self::InvalidBody,
        Self::InvalidTaskId,
        Self::UnknownTask,
        Self::UnknownPool,
        Self::UnknownEndpoint,
        Self::InvalidRow,
        Self::DeployedPool,
        Self::OnKnative,
        Self::NotKnative,
        Self::NoClient,
        Self::InvalidSeq,
        Self::UnknownEvent,
        Self::NotDeadLetter,
        Self::EmptyFilter,
        Self::TooManyListeners,
        Self::NotEnded,
        Self::TaskFailed,
        Self::TaskCancelled,
        Self::TaskEnded,
        Self::UnsupportedFormat,
        Self::InvalidEvent,
        Self::InvalidHandshake,
        Self::PlatformEvent,
        Self::UnprovenEvent,
        Self::UnknownWebhook,
        Self::WebhookBroken,
        Self::ProofMissing,
        Self::ProofWrong,
        Self::InvalidWebhook,
        Self::Unmapped,
        Self::StepDiffers,
        Self::StepNotKept,
        Self::NotRunning,
        Self::Busy,
        Self::Backlog,
        Self::DiskFull,
        Self::KeyReused,
        Self::Stopping,
        Self::Storage,
        Self::Unavailable,
    ];

    /// Status, the name in the problem's `type`, and title.
    fn facts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::NoToken => (S::UNAUTHORIZED, "not-admitted", "Token missing or wrong"),
            Self::NotAdmitted => (S::FORBIDDEN, "not-admitted", "Host or Origin not admitted"),
            Self::TooOften => (S::TOO_MANY_REQUESTS, "too-often", "Too many requests"),
            Self::UnknownPath => (S::NOT_FOUND, "unknown-path", "Unknown path"),
            Self::WrongMethod => {
                let title = "Method not allowed here";
                (S::METHOD_NOT_ALLOWED, "wrong-method", title)
            }
            Self::InvalidPath => (S::BAD_REQUEST, "invalid-path", "Invalid path"),
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "too-large", "Body too large"),
            Self::Unreadable => (S::BAD_REQUEST, "unreadable", "Body not readable"),
            Self::InvalidQuery => (S::BAD_REQUEST, "invalid-query", "Invalid query"),
            Self::InvalidBody => (S::BAD_REQUEST, "invalid-body", "Invalid body"),
            Self::InvalidTaskId => (S::BAD_REQUEST, "invalid-task-id", "Invalid task id"),
            Self::UnknownTask => (S::NOT_FOUND, "unknown-task", "Unknown task"),
            Self::UnknownPool => (S::NOT_FOUND, "unknown-pool", "Unknown pool"),
            Self::UnknownEndpoint => (S::NOT_FOUND, "unknown-endpoint", "Unknown endpoint"),
            Self::InvalidRow => (S::BAD_REQUEST, "invalid-row", "Registration cannot be used"),
            Self::DeployedPool => (S::CONFLICT, "deployed-pool", "Pool is deployed from a file"),
            Self::OnKnative => (S::CONFLICT, "on-knative", "Pool runs on Knative"),
            Self::NotKnative => (S::CONFLICT, "not-knative", "Pool is not on Knative"),
            Self::NoClient => {
                let title = "No client for the endpoint";
                (S::INTERNAL_SERVER_ERROR, "no-client", title)
            }
            Self::InvalidSeq => (S::BAD_REQUEST, "invalid-seq", "Invalid place in the log"),
            Self::UnknownEvent => (S::NOT_FOUND, "unknown-event", "Unknown event"),
            Self::NotDeadLetter => (S::CONFLICT, "not-dead-letter", "No dead letter"),
            Self::EmptyFilter => (S::BAD_REQUEST, "empty-filter", "Filter is empty"),
            Self::TooManyListeners => {
                let title = "Too many listeners";
                (S::TOO_MANY_REQUESTS, "too-many-listeners", title)
            }
            Self::NotEnded => (S::CONFLICT, "not-ended", "Task has not ended"),
            Self::TaskFailed => (S::CONFLICT, "task-failed", "Task failed"),
            Self::TaskCancelled => (S::CONFLICT, "task-cancelled", "Task was cancelled"),
            Self::TaskEnded => (S::CONFLICT, "task-ended", "Task has ended"),
            Self::UnsupportedFormat => {
                let title = "Unsupported event format";
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-event-format", title)
            }
            Self::InvalidEvent => (S::BAD_REQUEST, "invalid-event", "Invalid event"),
            Self::InvalidHandshake => (S::BAD_REQUEST, "invalid-handshake", "Invalid handshake"),
            Self::PlatformEvent => (S::FORBIDDEN, "platform-event", "Reserved event type"),
            Self::UnprovenEvent => (S::FORBIDDEN, "unproven-event", "Sender not proven"),
            Self::UnknownWebhook => (S::NOT_FOUND, "unknown-webhook", "Unknown webhook"),
            Self::WebhookBroken => {
                let title = "Webhook cannot work";
                (S::SERVICE_UNAVAILABLE, "webhook-broken", title)
            }
            Self::ProofMissing => (S::UNAUTHORIZED, "unproven-sender", "Sender shows no proof"),
            Self::ProofWrong => (S::FORBIDDEN, "unproven-sender", "Sender's proof is wrong"),
            Self::InvalidWebhook => (S::BAD_REQUEST, "invalid-webhook", "Not what senders send"),
            Self::Unmapped => (
                S::UNPROCESSABLE_ENTITY,
                "unmapped",
                "Request makes no event",
            ),
            Self::StepDiffers => (S::CONFLICT, "step-differs", "Step was committed before"),
            Self::StepNotKept => (S::CONFLICT, "step-not-kept", "Step cannot be kept"),
            Self::NotRunning => (S::CONFLICT, "not-running", "Attempt is not running"),
            Self::Busy => (S::TOO_MANY_REQUESTS, "busy", "Too much is waiting"),
            Self::Backlog => (S::TOO_MANY_REQUESTS, "backlog", "Too many events wait"),
            Self::DiskFull => (S::TOO_MANY_REQUESTS, "disk-full", "The disk is nearly full"),
            Self::KeyReused => (S::CONFLICT, "key-reused", "Idempotency key reused"),
            Self::Stopping => (S::SERVICE_UNAVAILABLE, "stopping", "Platform is stopping"),
            Self::Storage => {
                let title = "The platform's storage failed";
                (S::INTERNAL_SERVER_ERROR, "storage", title)
            }
            Self::Unavailable => {
                let title = "The platform's storage failed";
                (S::SERVICE_UNAVAILABLE, "storage", title)
            }
        }
    }

    pub(in crate::api) fn status(self) -> StatusCode {
        self.facts().0
    }

    pub(in crate::api) fn title(self) -> &'static str {
        self.facts().2
    }

    /// The problem's `type`: a URI that names it, and stays.
    pub(in crate::api) fn uri(self) -> String {
        format!("tag:dormouse.dev,2026:{}", self.facts().1)
    }
}
