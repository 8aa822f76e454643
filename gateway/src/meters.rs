//! What is counted: calls by tool and outcome, other requests to functions by method, pool and
//! outcome, how long they take, open sessions.
//!
//! Handles are taken once a tool, not once a call; a recorder must be installed before the
//! gateway is made.

use std::time::Instant;

use dormouse_contract::task::Outcome;
use metrics::{Counter, Gauge, Histogram};

use crate::feature::Feature;

/// How a call ended, as `outcome` of `dormouse_calls_total` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// With a result.
    Completed,
    /// The function says that it failed.
    Failed,
    /// The function did not run.
    NotRun,
    /// Nobody knows whether it ran.
    Unknown,
    /// Cancelled by the caller or an operator.
    Cancelled,
    /// The arguments break the tool's schema; nothing was stored.
    Invalid,
    /// The broker did not take it; nothing was stored.
    Refused,
    /// The request was answered before the task ended: it asks, or goes on as a task.
    Deferred,
}

impl CallOutcome {
    const ALL: [Self; 8] = [
        Self::Completed,
        Self::Failed,
        Self::NotRun,
        Self::Unknown,
        Self::Cancelled,
        Self::Invalid,
        Self::Refused,
        Self::Deferred,
    ];

    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::NotRun => "not-run",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::Deferred => "deferred",
        }
    }
}

impl From<Outcome> for CallOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::NotRun => Self::NotRun,
            Outcome::Failed => Self::Failed,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

/// One tool's meters, or those of one method at one pool.
#[derive(Clone)]
pub struct Meters {
    outcomes: [Counter; 8],
    seconds: Histogram,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Meters")
    }
}

impl Meters {
    /// The meters of the tool that is offered under this name.
    #[must_use]
    pub fn of_tool(tool: &str) -> Self {
        let tool = tool.to_owned();
        Self {
            outcomes: CallOutcome::ALL.map(|outcome| {
                metrics::counter!(
                    "dormouse_calls_total",
                    "tool" => tool.clone(),
                    "outcome" => outcome.as_str()
                )
            }),
            seconds: metrics::histogram!("dormouse_call_seconds", "tool" => tool.clone()),
        }
    }

    /// The meters of a pool's prompts, resources or completions, all together: URIs are too many
    /// to be told apart.
    #[must_use]
    pub fn of_requests(feature: Feature, pool: &str) -> Self {
        let pool = pool.to_owned();
        let method = feature.method();
        Self {
            outcomes: CallOutcome::ALL.map(|outcome| {
                metrics::counter!(
                    "dormouse_requests_total",
                    "method" => method,
                    "pool" => pool.clone(),
                    "outcome" => outcome.as_str()
                )
            }),
            seconds: metrics::histogram!(
                "dormouse_request_seconds",
                "method" => method,
                "pool" => pool.clone()
            ),
        }
    }

    /// Counts a call that began then and has ended so.
    pub fn count(&self, outcome: CallOutcome, began: Instant) {
        self.outcomes[outcome as usize].increment(1);
        self.seconds.record(began.elapsed().as_secs_f64());
    }
}

/// The gauge of open sessions.
pub fn sessions() -> Gauge {
    metrics::gauge!("dormouse_sessions")
}
