//! A pool as the rest of the platform knows it: what the coordinator registers, the gateway
//! offers and people see.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::filter::Trigger;
use crate::manifest::Manifest;
use crate::policy::{Delivery, DeliverySpec};

/// The default bound of a pool's queue, in tasks.
pub const QUEUE_LIMIT: usize = 1_000;

/// Whether a pool may be called so: a DNS label (RFC 1123), 1 to 63 lower-case letters, digits and
/// `-`, with a letter or digit at both ends.
#[must_use]
pub fn is_pool_name(name: &str) -> bool {
    let letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(letter)
        && bytes.last().is_some_and(letter)
        && bytes.iter().all(|byte| letter(byte) || *byte == b'-')
}

/// One registered pool.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The AgentPool's `metadata.name`.
    pub pool: Arc<str>,
    /// The mission's agent type.
    pub agent_type: String,
    /// Which version of the pool is deployed.
    pub revision: String,
    /// What it offers.
    pub manifest: Arc<Manifest>,
    /// The pool's delivery policy.
    pub delivery: Delivery,
    /// The operator's policies for single tools, by declared name.
    pub tools: BTreeMap<String, DeliverySpec>,
    /// Which events are routed to it; `None`: those that its manifest asks for.
    pub triggers: Option<Vec<Trigger>>,
    /// How many tasks may run at the same time: instances times concurrency.
    pub slots: usize,
    /// How many tasks may wait; beyond it the pool is busy.
    pub queue_limit: usize,
}

impl Registration {
    /// Which events are routed to it.
    #[must_use]
    pub fn triggers(&self) -> Cow<'_, [Trigger]> {
        match &self.triggers {
            Some(declared) => Cow::Borrowed(declared),
            // A manifest is refused at the door for a trigger that is none.
            None => Cow::Owned(self.manifest.parsed_triggers().unwrap_or_default()),
        }
    }
}

/// All registered pools, in the order of registration; replaced whole when one changes.
pub type Registrations = Arc<Vec<Arc<Registration>>>;

/// How many processes of a pool there are, and what is wrong if anything is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Instances {
    /// Started and taking requests.
    pub ready: usize,
    /// Started, not yet answering.
    pub waking: usize,
    /// Taken out of rotation, finishing.
    pub stopping: usize,
    /// Why the last start failed, until one succeeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl Instances {
    /// The state in one word.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self {
                failure: Some(_),
                ready: 0,
                ..
            } => "failing",
            Self {
                ready: 0,
                waking: 0,
                ..
            } => "asleep",
            Self { ready: 0, .. } => "waking",
            Self { .. } => "awake",
        }
    }
}

/// In the extensions of a delivery: whether nothing of it has left the platform, for who stops
/// waiting for it. A service that cannot tell leaves it alone.
#[derive(Debug, Clone, Default)]
pub struct Unwritten(Arc<AtomicBool>);

impl Unwritten {
    /// Said by the service: `true` while the delivery waits for its instance.
    pub fn set(&self, unwritten: bool) {
        self.0.store(unwritten, Ordering::Relaxed);
    }

    /// Whether the delivery surely reached nobody.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a function could not be reached. The difference decides whether a retry is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request surely reached no handler: connection refused, provably unwritten, or the
    /// process died before it was ready.
    #[error("{0}")]
    NotRun(String),
    /// The request was not sent: whoever would take it is left alone for a while.
    #[error("{why}")]
    Held {
        /// Why, and for how long, in words.
        why: String,
        /// After so long it may be tried again.
        retry_after: Duration,
    },
    /// The request was on its way and no answer came: it may have run.
    #[error("{0}")]
    Unknown(String),
}
