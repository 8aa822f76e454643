//! Why a request is not served, as its JSON-RPC error and HTTP status.
//!
//! Codes -32700 … -32600 are JSON-RPC's, -32020 … -32099 are MCP's ("Error Codes", revision
//! 2026-07-28). MCP asks that codes of one's own lie outside JSON-RPC's reserved range: ours are
//! -31000 minus the HTTP status that means the same.

use http::StatusCode;
use serde_json::{Value, json};

use dormouse_broker::{Refusal, TaskId};
use dormouse_contract::door::{Refused, TooOften};

use crate::era::{self, Era};

/// JSON-RPC: the message is no JSON.
pub const PARSE_ERROR: i32 = -32_700;
/// JSON-RPC: the message is no request.
pub const INVALID_REQUEST: i32 = -32_600;
/// JSON-RPC: no such method, or not in this era.
pub const METHOD_NOT_FOUND: i32 = -32_601;
/// JSON-RPC: the params are not what the method takes.
pub const INVALID_PARAMS: i32 = -32_602;
/// JSON-RPC: the platform's fault.
pub const INTERNAL_ERROR: i32 = -32_603;
/// MCP, legacy: no such resource; the modern era says -32602 ("Resources", "Error Handling").
pub const RESOURCE_NOT_FOUND: i32 = -32_002;
/// MCP: HTTP headers and body differ, or a header is missing.
pub const HEADER_MISMATCH: i32 = -32_020;
/// MCP: the client lacks a capability that the call needs.
pub const MISSING_CAPABILITY: i32 = -32_021;
/// MCP: the revision is not spoken here.
pub const UNSUPPORTED_VERSION: i32 = -32_022;
/// Ours: the pool's queue is full; `data.retryAfterMs` says when to come back.
pub const BUSY: i32 = -31_429;
/// Ours: the platform is stopping or its store failed; the call may be repeated.
pub const UNAVAILABLE: i32 = -31_503;

/// Ours: the door is closed, for want of a token.
pub const UNAUTHORIZED: i32 = -31_401;
/// Ours: the door is closed to this Host or Origin.
pub const FORBIDDEN: i32 = -31_403;

/// Why a message or request is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The text is no JSON.
    #[error("the message is not valid JSON: {0}")]
    NotJson(String),
    /// JSON, but no JSON-RPC message.
    #[error("the message is not valid JSON-RPC 2.0: {0}")]
    NotJsonRpc(&'static str),
    /// An array of messages where there must be one.
    #[error(
        "a batch is not accepted here: only sessions of revision 2025-03-26 may send arrays, \
         send each message by itself"
    )]
    Batch,
    /// An id that is still in use.
    #[error("request id {0} is still in use: wait for its answer or choose another id")]
    IdInUse(String),
    /// The message makes sense only at another time.
    #[error("{0}")]
    OutOfPlace(&'static str),
    /// No session of this id is open for this caller.
    #[error("no such session: it has ended, or was never opened; initialize again")]
    UnknownSession,
    /// As many sessions are open as there may be, and none of them rests.
    #[error(
        "too many sessions are open and in use: end those that are not needed, or try again later"
    )]
    TooManySessions,
    /// More calls at a time than a connection may have.
    #[error(
        "too many calls are in flight on this connection: wait for answers before sending more"
    )]
    TooManyInFlight,
    /// More calls than a principal may make.
    #[error(transparent)]
    TooOften(TooOften),
    /// The process before ended before it had taken the request.
    #[error("the platform was restarted before it had taken this request: send it again")]
    Interrupted,
    /// No such method here.
    #[error("method `{0}` is not offered here")]
    UnknownMethod(String),
    /// The params do not fit the method.
    #[error("{0}")]
    InvalidParams(String),
    /// No such tool.
    #[error("Unknown tool: {0}")]
    UnknownTool(String),
    /// No such prompt.
    #[error("Unknown prompt: {0}")]
    UnknownPrompt(String),
    /// No such resource.
    #[error("Resource not found")]
    UnknownResource {
        /// What was asked for.
        uri: String,
        /// In which era.
        era: Era,
    },
    /// A request of the modern era lacks a member that each request must have.
    #[error("params._meta must carry `{0}`, as every request of revision 2026-07-28 does")]
    MissingMeta(&'static str),
    /// An HTTP header is missing or says otherwise than the body.
    #[error("Header mismatch: {0}")]
    HeaderMismatch(String),
    /// The revision is not spoken here.
    #[error("Unsupported protocol version: {0}")]
    UnsupportedVersion(String),
    /// The client lacks a capability that the request needs; as `ClientCapabilities`.
    #[error("the client lacks a capability that this needs: {0}")]
    MissingCapability(Value),
    /// A `requestState` that was not made here for this caller and request.
    #[error(
        "params.requestState was not made for this request, was altered, or belongs to somebody \
         else: make the request again without it"
    )]
    ForeignState,
    /// The task asks its client something, and nothing can be sent to it.
    #[error(
        "task {0} asks its client something, but this request takes nothing but its answer: make \
         it with `Accept: application/json, text/event-stream`, and in no batch"
    )]
    CannotAsk(TaskId),
    /// The tool's calls are followed as tasks, always.
    #[error("tool `{0}` must be called as a task: give params.task")]
    TaskRequired(String),
    /// The tool's calls are never followed as tasks.
    #[error("tool `{0}` cannot be called as a task: leave params.task out")]
    TaskForbidden(String),
    /// No task of this caller has this id.
    #[error("no such task: {0}; it was never here, is kept no longer, or is not yours")]
    UnknownTask(String),
    /// The door is closed to this caller.
    #[error("{0}")]
    Door(Refused),
    /// The broker did not take the call.
    #[error("{0}")]
    Refused(Refusal),
    /// The broker stopped before the task ended.
    #[error(
        "the platform stopped before the call ended: the call is stored; call again with the \
         same idempotency key to get its answer"
    )]
    Stopped,
    /// The function answered something that is no MCP result.
    #[error("the function answered something that is no MCP result: {0}")]
    BadResult(&'static str),
    /// What the function itself says, to the letter.
    #[error("{message}")]
    Function {
        /// A JSON-RPC error code.
        code: i32,
        /// The function's words.
        message: String,
        /// The function's data.
        data: Option<Value>,
    },
}

impl Fault {
    /// The JSON-RPC error code.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::NotJson(_) => PARSE_ERROR,
            Self::NotJsonRpc(_)
            | Self::Batch
            | Self::IdInUse(_)
            | Self::OutOfPlace(_)
            | Self::CannotAsk(_)
            | Self::UnknownSession => INVALID_REQUEST,
            Self::UnknownMethod(_) | Self::TaskRequired(_) | Self::TaskForbidden(_) => {
                METHOD_NOT_FOUND
            }
            Self::Door(Refused::Token) => UNAUTHORIZED,
            Self::Door(Refused::Origin | Refused::Host) => FORBIDDEN,
            Self::InvalidParams(_)
            | Self::UnknownTool(_)
            | Self::UnknownPrompt(_)
            | Self::UnknownTask(_)
            | Self::ForeignState
            | Self::MissingMeta(_)
            | Self::Refused(Refusal::KeyReused) => INVALID_PARAMS,
            Self::UnknownResource { era, .. } => Self::resource_not_found(*era),
            Self::MissingCapability(_) => MISSING_CAPABILITY,
            Self::HeaderMismatch(_) => HEADER_MISMATCH,
            Self::UnsupportedVersion(_) => UNSUPPORTED_VERSION,
            Self::Refused(
                Refusal::Busy { .. } | Refusal::Backlog { .. } | Refusal::DiskFull { .. },
            )
            | Self::TooManyInFlight
            | Self::TooOften(_) => BUSY,
            Self::Refused(Refusal::UnknownPool(_) | Refusal::Stopping | Refusal::Storage(_))
            | Self::TooManySessions
            | Self::Interrupted
            | Self::Stopped => UNAVAILABLE,
            Self::BadResult(_) => INTERNAL_ERROR,
            Self::Function { code, .. } => *code,
        }
    }

    /// The code by which an era says that there is no such resource.
    #[must_use]
    pub fn resource_not_found(era: Era) -> i32 {
        match era {
            Era::Legacy(_) => RESOURCE_NOT_FOUND,
            Era::Modern => INVALID_PARAMS,
        }
    }

    /// What a program should know beyond the message.
    #[must_use]
    pub fn data(&self) -> Option<Value> {
        match self {
            Self::UnsupportedVersion(requested) => Some(json!({
                "supported": era::supported_versions(),
                "requested": requested,
            })),
            Self::Refused(
                Refusal::Busy { retry_after, .. }
                | Refusal::Backlog { retry_after, .. }
                | Refusal::DiskFull { retry_after, .. },
            )
            | Self::TooOften(TooOften { retry_after }) => {
                let millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                Some(json!({ "retryAfterMs": millis, "retryable": true }))
            }
            Self::Refused(refusal) if refusal.is_retryable() => Some(json!({ "retryable": true })),
            Self::TooManyInFlight | Self::Interrupted | Self::TooManySessions => {
                Some(json!({ "retryable": true }))
            }
            Self::UnknownResource { uri, .. } => Some(json!({ "uri": uri })),
            Self::Function { data, .. } => data.clone(),
            Self::MissingCapability(required) => Some(json!({ "requiredCapabilities": required })),
            Self::NotJson(_)
            | Self::NotJsonRpc(_)
            | Self::Batch
            | Self::IdInUse(_)
            | Self::OutOfPlace(_)
            | Self::CannotAsk(_)
            | Self::TaskRequired(_)
            | Self::TaskForbidden(_)
            | Self::UnknownSession
            | Self::UnknownMethod(_)
            | Self::InvalidParams(_)
            | Self::UnknownTool(_)
            | Self::UnknownPrompt(_)
            | Self::UnknownTask(_)
            | Self::ForeignState
            | Self::MissingMeta(_)
            | Self::HeaderMismatch(_)
            | Self::Door(_)
            | Self::Refused(_)
            | Self::Stopped
            | Self::BadResult(_) => None,
        }
    }

    /// The HTTP status of an answer that is this error and nothing else.
    #[must_use]
    pub fn status(&self, era: Era) -> StatusCode {
        if matches!(self, Self::UnknownSession) {
            return StatusCode::NOT_FOUND;
        }
        if matches!(self, Self::TooManySessions) {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        match (self.code(), era) {
            (METHOD_NOT_FOUND, Era::Modern) => StatusCode::NOT_FOUND,
            (
                PARSE_ERROR | INVALID_REQUEST | HEADER_MISMATCH | MISSING_CAPABILITY
                | UNSUPPORTED_VERSION,
                _,
            ) => StatusCode::BAD_REQUEST,
            _ if matches!(self, Self::MissingMeta(_)) => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_busy_pool_says_when_to_come_back() {
        let fault = Fault::Refused(Refusal::Busy {
            pool: "p".into(),
            queued: 3,
            retry_after: Duration::from_secs(2),
        });
        assert_eq!(fault.code(), BUSY);
        assert_eq!(
            fault.data(),
            Some(json!({"retryAfterMs": 2000, "retryable": true}))
        );
        assert_eq!(fault.status(Era::Modern), StatusCode::OK);
    }

    #[test]
    fn an_unknown_method_is_404_in_the_modern_era_only() {
        let fault = Fault::UnknownMethod("x".into());
        assert_eq!(fault.status(Era::Modern), StatusCode::NOT_FOUND);
        assert_eq!(
            fault.status(Era::Legacy(era::Revision::LATEST)),
            StatusCode::OK
        );
    }

    #[test]
    fn an_unsupported_version_names_what_is_spoken() {
        let data = Fault::UnsupportedVersion("1900-01-01".into())
            .data()
            .unwrap();
        assert_eq!(data["requested"], "1900-01-01");
        assert_eq!(data["supported"][0], "2026-07-28");
    }
}
