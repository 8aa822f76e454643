//! Delivery policies: how often, how long, and whether a second try is safe.
//!
//! [`DeliverySpec`] is what people write (in an AgentPool file, or in a tool's
//! `_meta["dev.dormouse/policy"]`), every field optional, in Knative's names. [`Delivery`] is what
//! holds for one task, after defaults, the pool and the tool have been [laid over](Delivery::with)
//! each other.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attribute;
use crate::duration::DurationText;

/// How the delay before the next attempt grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackoffPolicy {
    /// `backoffDelay * n`
    Linear,
    /// `backoffDelay * 2^(n - 1)`, the default
    Exponential,
}

/// How often an attempt is repeated, and whether it may be when nobody knows if it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a number of retries, or one of always, never, is expected"
)]
pub enum Retry {
    /// So many attempts after the first, and only where a second run is safe.
    Times(u32),
    /// `always` or `never`.
    Rule(RetryRule),
}

/// The words that `retry` takes besides a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RetryRule {
    /// The function copes with being run twice: repeat even when the outcome is unknown.
    Always,
    /// Never repeat.
    Never,
}

/// A delivery policy as written: what is absent is inherited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeliverySpec {
    /// How long one attempt may take. Default 300 s.
    #[serde(
        default,
        with = "crate::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<DurationText>")]
    pub timeout: Option<Duration>,
    /// How often an attempt is repeated: a number, which holds where a second run is safe, `always`
    /// or `never`. Default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The delay that the backoff grows from. Default 5 s.
    #[serde(
        default,
        with = "crate::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<DurationText>")]
    pub backoff_delay: Option<Duration>,
    /// How the delay grows. Default: exponentially.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_policy: Option<BackoffPolicy>,
    /// How long a task may wait in the queue before its first attempt. Default 10 minutes.
    #[serde(
        default,
        with = "crate::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<DurationText>")]
    pub queue_expiry: Option<Duration>,
    /// How long all attempts and the delays between them may take together. Default: as long as
    /// they would with the longest attempts.
    #[serde(
        default,
        with = "crate::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<DurationText>")]
    pub total_budget: Option<Duration>,
    /// How long a suspended task waits for its answers. Default 7 days.
    #[serde(
        default,
        with = "crate::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<DurationText>")]
    pub suspension_expiry: Option<Duration>,
    /// The longest `Retry-After` of a function that is heeded; `0s`: none is. Default an hour.
    #[serde(
        default,
        with = "crate::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<DurationText>")]
    pub retry_after_max: Option<Duration>,
    /// Where an event goes that could not be delivered. Default: it stays a dead letter here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_sink: Option<DeadLetterSink>,
    /// Whether the task is written down when it is accepted. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
}

/// Where dead letters of events go (Knative's `Destination`): exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeadLetterSink {
    /// A pool of this platform.
    Ref(PoolRef),
    /// An address that takes CloudEvents by HTTP POST: an absolute `http` or `https` URL.
    Uri(String),
}

impl DeadLetterSink {
    /// Whether an event can be sent there, as far as it can be told from how it is written.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        match self {
            Self::Ref(_) => true,
            Self::Uri(uri) => is_http(uri) && attribute::is_absolute_uri(uri),
        }
    }
}

fn is_http(uri: &str) -> bool {
    let (scheme, rest) = uri.split_once("://").unwrap_or_default();
    ["http", "https"]
        .iter()
        .any(|it| scheme.eq_ignore_ascii_case(it))
        && !rest.is_empty()
}

/// A pool by name, as Kubernetes refers to objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolRef {
    /// `dormouse.dev/v1alpha1`, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The kind.
    pub kind: PoolKind,
    /// `metadata.name`.
    pub name: String,
}

/// The kind that a [`PoolRef`] can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PoolKind {
    /// A pool.
    AgentPool,
}

/// When a task becomes a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stored {
    /// When it is accepted: it survives the platform's death.
    #[default]
    Always,
    /// When it first steps or suspends: for calls that are cheap to ask again.
    Lazily,
}

/// The policy of one task, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// How long one attempt may take. Default 300 s.
    #[serde(with = "crate::duration")]
    #[schemars(with = "DurationText")]
    pub timeout: Duration,
    /// How many attempts may follow the first. Default 3.
    pub retries: u32,
    /// Whether a second run is safe although the first may have run: the tool is
    /// `readOnlyHint` or `idempotentHint`, or its policy says `retry: always`. Default false.
    pub repeatable: bool,
    /// The delay that the backoff grows from. Default 5 s.
    #[serde(with = "crate::duration")]
    #[schemars(with = "DurationText")]
    pub backoff_delay: Duration,
    /// How the delay grows. Default exponential.
    pub backoff_policy: BackoffPolicy,
    /// How long the task may wait for its first attempt. Default 10 minutes.
    #[serde(with = "crate::duration")]
    #[schemars(with = "DurationText")]
    pub queue_expiry: Duration,
    /// How long all attempts may take together; `None` means
    /// `(retries + 1) * timeout` plus the delays.
    #[serde(
        default,
        with = "crate::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<DurationText>")]
    pub total_budget: Option<Duration>,
    /// How long the task, when it is suspended, waits for its answers. Default 7 days.
    #[serde(with = "crate::duration", default = "week")]
    #[schemars(with = "DurationText")]
    pub suspension_expiry: Duration,
    /// The longest `Retry-After` that is heeded. Default an hour.
    #[serde(with = "crate::duration", default = "hour")]
    #[schemars(with = "DurationText")]
    pub retry_after_max: Duration,
    /// Where an event goes that could not be delivered. Default: it stays a dead letter here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_sink: Option<DeadLetterSink>,
    /// When the task becomes a row.
    #[serde(default)]
    pub stored: Stored,
}

fn hour() -> Duration {
    LONGEST_DELAY
}

fn week() -> Duration {
    Duration::from_secs(7 * 24 * 3_600)
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            retries: 3,
            repeatable: false,
            backoff_delay: Duration::from_secs(5),
            backoff_policy: BackoffPolicy::Exponential,
            queue_expiry: Duration::from_secs(600),
            total_budget: None,
            suspension_expiry: week(),
            retry_after_max: hour(),
            dead_letter_sink: None,
            stored: Stored::Always,
        }
    }
}

/// No delay between two attempts grows beyond this.
const LONGEST_DELAY: Duration = Duration::from_secs(3_600);

impl Delivery {
    /// This policy with a written one laid over it.
    #[must_use]
    pub fn with(mut self, spec: &DeliverySpec) -> Self {
        if let Some(timeout) = spec.timeout {
            self.timeout = timeout;
        }
        match spec.retry {
            Some(Retry::Times(times)) => self.retries = times,
            Some(Retry::Rule(RetryRule::Always)) => self.repeatable = true,
            Some(Retry::Rule(RetryRule::Never)) => self.retries = 0,
            None => {}
        }
        if let Some(delay) = spec.backoff_delay {
            self.backoff_delay = delay;
        }
        if let Some(policy) = spec.backoff_policy {
            self.backoff_policy = policy;
        }
        if let Some(expiry) = spec.queue_expiry {
            self.queue_expiry = expiry;
        }
        if let Some(budget) = spec.total_budget {
            self.total_budget = Some(budget);
        }
        if let Some(expiry) = spec.suspension_expiry {
            self.suspension_expiry = expiry;
        }
        if let Some(longest) = spec.retry_after_max {
            self.retry_after_max = longest;
        }
        if let Some(sink) = &spec.dead_letter_sink {
            self.dead_letter_sink = Some(sink.clone());
        }
        if let Some(stored) = spec.stored {
            self.stored = stored;
        }
        self
    }

    /// The delay before retry `n` (1 is the first retry), without jitter, at most an hour.
    #[must_use]
    pub fn backoff(&self, n: u32) -> Duration {
        let factor = match self.backoff_policy {
            BackoffPolicy::Linear => n,
            BackoffPolicy::Exponential => 2_u32.saturating_pow(n.saturating_sub(1)),
        };
        self.backoff_delay.saturating_mul(factor).min(LONGEST_DELAY)
    }

    /// How long all attempts may take together.
    #[must_use]
    pub fn budget(&self) -> Duration {
        self.total_budget.unwrap_or_else(|| {
            let delays: Duration = (1..=self.retries.min(64)).map(|n| self.backoff(n)).sum();
            self.timeout
                .saturating_mul(self.retries.saturating_add(1))
                .saturating_add(delays)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_addresses_of_http_take_dead_letters() {
        let usable = |uri: &str| DeadLetterSink::Uri(uri.to_owned()).is_usable();
        for uri in [
            "http://grave",
            "https://grave.example:8080/dead?x=1",
            "HTTP://g/",
        ] {
            assert!(usable(uri), "{uri}");
        }
        for uri in [
            "",
            "grave.example",
            "/dead",
            "mailto:a@b",
            "http://",
            "http://g/#x",
            "ftp://g",
        ] {
            assert!(!usable(uri), "{uri}");
        }
    }

    #[test]
    fn a_tools_policy_is_laid_over_the_pools() {
        let pool: DeliverySpec =
            serde_json::from_str(r#"{"timeout":"PT10S","retry":1,"backoffPolicy":"linear"}"#)
                .unwrap();
        let tool: DeliverySpec =
            serde_json::from_str(r#"{"timeout":"120s","retry":"always"}"#).unwrap();
        let merged = Delivery::default().with(&pool).with(&tool);
        assert_eq!(merged.timeout, Duration::from_secs(120));
        assert_eq!((merged.retries, merged.repeatable), (1, true));
        assert_eq!(merged.backoff_policy, BackoffPolicy::Linear);
    }

    #[test]
    fn backoff_grows_as_knative_says_and_ends_at_an_hour() {
        let delivery = Delivery::default();
        let secs: Vec<_> = (1..=4).map(|n| delivery.backoff(n).as_secs()).collect();
        assert_eq!(secs, [5, 10, 20, 40]);
        assert_eq!(delivery.backoff(60), LONGEST_DELAY);
        assert_eq!(delivery.budget().as_secs(), 4 * 300 + 5 + 10 + 20);
    }

    #[test]
    fn unknown_fields_are_refused_by_name() {
        let error = serde_json::from_str::<DeliverySpec>(r#"{"timeOut":"5s"}"#).unwrap_err();
        assert!(error.to_string().contains("timeOut"));
    }
}
