//! A problem as it is answered.

use dormouse_contract::task::Failed;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::WrongField;

/// What the API answers when it cannot do as asked: problem details (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemView {
    /// What kind of problem it is; a program goes by this.
    #[serde(rename = "type")]
    pub ty: String,
    /// The same for people; does not change from case to case.
    pub title: String,
    /// The answer's HTTP status.
    pub status: u16,
    /// What happened this time, why, and what to do next.
    pub detail: String,
    /// How the task failed that was asked for its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failed>,
    /// Each member of the body that cannot be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<WrongField>,
}

impl ProblemView {
    pub(in crate::api) fn of(kind: Kind, detail: String) -> Self {
        Self {
            ty: kind.uri(),
            title: kind.title().to_owned(),
            status: kind.status().as_u16(),
            detail,
            failure: None,
            errors: Vec::new(),
        }
    }
}
