//! When a pool's endpoint is left alone because deliveries to it fail.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::DurationText;

/// As written in an AgentPool file: what is absent is the platform's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakerSpec {
    /// So many failures in a row open it; 0: it never opens. Default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// So long it stays open before one call may try. Default 15 s.
    #[serde(
        default,
        with = "crate::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<DurationText>")]
    pub pause: Option<Duration>,
}

/// What holds for one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// So many failures in a row open it; 0: it never opens. Default 3.
    pub failures: u32,
    /// So long it stays open before one call may try. Default 15 s.
    pub pause: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 3,
            pause: Duration::from_secs(15),
        }
    }
}

impl BreakerPolicy {
    /// This policy with a written one laid over it.
    #[must_use]
    pub fn with(self, spec: &BreakerSpec) -> Self {
        Self {
            failures: spec.failures.unwrap_or(self.failures),
            pause: spec.pause.unwrap_or(self.pause),
        }
    }
}
