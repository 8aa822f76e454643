//! A pool, checked.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use dormouse_contract::balance::Balance;
use dormouse_contract::breaker::BreakerSpec;
use dormouse_contract::filter::Trigger;
use dormouse_contract::policy::DeliverySpec;
use dormouse_contract::registration::{QUEUE_LIMIT, is_pool_name};

use crate::document::{Document, ScalingSpec, Spec};
use crate::env::{self, EnvVar, MissingSecret, SecretRef};
use crate::field::{Field, Invalid};
use crate::run::{self, Run};
use crate::{API_VERSION, KIND};

/// No instance is asked to do more than this at a time (Knative's bound of
/// `containerConcurrency`).
const MOST_CONCURRENCY: u32 = 1_000;

/// One pool of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// `metadata.name`.
    pub name: PoolName,
    /// `spec.agentType`, where the file says one.
    pub agent_type: Option<String>,
    /// What runs here.
    pub run: Run,
    /// The function's environment.
    pub env: Vec<EnvVar>,
    /// How far it scales.
    pub scaling: Scaling,
    /// The pool's delivery policy, as written.
    pub delivery: DeliverySpec,
    /// Which instance takes a call.
    pub balance: Balance,
    /// When it is left alone because deliveries to it fail, as written.
    pub breaker: BreakerSpec,
    /// Policies of single tools, by declared name.
    pub tools: BTreeMap<String, DeliverySpec>,
    /// Which events it takes; none: those that the function's manifest lists.
    pub triggers: Vec<Trigger>,
    /// How many calls may wait.
    pub queue_limit: usize,
    not_honoured: Vec<String>,
}

/// A pool's name: a DNS label (RFC 1123), 1 to 63 lower-case letters, digits and `-`, with a
/// letter or digit at both ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolName(String);

impl PoolName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(name: String) -> Result<Self, Invalid> {
        valid_label(name, "pool").map(Self)
    }
}

/// Checks `metadata.name`, which names a `what`: a DNS label (RFC 1123).
pub(crate) fn valid_label(name: String, what: &str) -> Result<String, Invalid> {
    if is_pool_name(&name) {
        return Ok(name);
    }
    Err(Field::of(&["metadata", "name"]).invalid(format!(
        "`{}` is no name of a {what}: 1 to 63 lower-case letters, digits and `-`, with a letter \
         or digit at both ends",
        name.escape_debug()
    )))
}

impl fmt::Display for PoolName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// How far a pool scales: `min` no more than `max`, `max` and `concurrency` at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaling {
    /// So many instances stay awake. Default 0.
    pub min: usize,
    /// At most so many instances, where the file says it; see [`Scaling::ceiling`].
    pub max: Option<usize>,
    /// So many calls at a time in one instance. Default 10, at most 1000.
    pub concurrency: usize,
    /// After so long without a call an instance goes to sleep. Default 60 s.
    pub idle: Duration,
}

impl Pool {
    /// Checks a document.
    ///
    /// # Errors
    /// The first field that cannot be used, and what is allowed there.
    pub fn from_document(document: Document) -> Result<Self, Invalid> {
        expect("apiVersion", &document.api_version, API_VERSION)?;
        expect("kind", &document.kind, KIND)?;
        let not_honoured = not_honoured(&document);
        let spec = document.spec;
        check_deliveries(&spec)?;
        Ok(Self {
            name: PoolName::parse(document.metadata.name)?,
            agent_type: spec.agent_type,
            run: run::validate(spec.run)?,
            env: env::validate(spec.env)?,
            scaling: Scaling::validate(&spec.scaling)?,
            delivery: spec.delivery,
            balance: spec.balance,
            breaker: breaker(spec.breaker)?,
            tools: spec.tools,
            triggers: spec.triggers,
            queue_limit: match spec.queue {
                Some(queue) => queue_limit(queue.limit)?,
                None => QUEUE_LIMIT,
            },
            not_honoured,
        })
    }

    /// The fields of the file that only a cluster honours, or that nothing honours yet, each as
    /// `field: why`.
    #[must_use]
    pub fn not_honoured_locally(&self) -> &[String] {
        &self.not_honoured
    }

    /// The function's environment: `inherited` looks into the platform's own, `secret` finds
    /// secrets (see [`read_secret`](crate::read_secret)).
    ///
    /// # Errors
    /// The first secret that is needed and cannot be had.
    pub fn environment(
        &self,
        inherited: impl Fn(&str) -> Option<String>,
        secret: impl Fn(&SecretRef) -> io::Result<Option<String>>,
    ) -> Result<Vec<(String, String)>, MissingSecret> {
        env::resolve(&self.env, inherited, secret)
    }
}

impl Scaling {
    /// The most instances: what the file says, or the platform's default, but no fewer than `min`.
    #[must_use]
    pub fn ceiling(&self, default: usize) -> usize {
        self.max.unwrap_or(default.max(self.min))
    }

    fn validate(written: &ScalingSpec) -> Result<Self, Invalid> {
        let field = |key| Field::of(&["spec", "scaling"]).key(key);
        if written.max == Some(0) {
            return Err(field("max").invalid("0 instances can answer nothing: at least 1"));
        }
        if let Some(max) = written.max
            && written.min > max
        {
            return Err(
                field("min").invalid(format!("{} is more than max, which is {max}", written.min))
            );
        }
        if !(1..=MOST_CONCURRENCY).contains(&written.concurrency) {
            return Err(field("concurrency").invalid(format!(
                "{} is not between 1 and {MOST_CONCURRENCY}",
                written.concurrency
            )));
        }
        let whole = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Self {
            min: whole(written.min),
            max: written.max.map(whole),
            concurrency: whole(written.concurrency),
            idle: written.idle,
        })
    }
}

pub(crate) fn expect(key: &str, found: &str, wanted: &str) -> Result<(), Invalid> {
    if found == wanted {
        return Ok(());
    }
    Err(Field::of(&[key]).invalid(format!(
        "`{}` is not known here: write `{wanted}`",
        found.escape_debug()
    )))
}

fn queue_limit(limit: usize) -> Result<usize, Invalid> {
    if limit == 0 {
        return Err(
            Field::of(&["spec", "queue", "limit"]).invalid("0 would refuse every call: at least 1")
        );
    }
    Ok(limit)
}

fn breaker(written: BreakerSpec) -> Result<BreakerSpec, Invalid> {
    if written.pause == Some(Duration::ZERO) {
        return Err(Field::of(&["spec", "breaker", "pause"])
            .invalid("is no time at all: write `failures: 0` for a breaker that never opens"));
    }
    Ok(written)
}

fn check_deliveries(spec: &Spec) -> Result<(), Invalid> {
    check_delivery(&spec.delivery, &Field::of(&["spec", "delivery"]))?;
    for (tool, delivery) in &spec.tools {
        check_delivery(delivery, &Field::of(&["spec", "tools"]).key(tool))?;
    }
    Ok(())
}

fn check_delivery(delivery: &DeliverySpec, field: &Field) -> Result<(), Invalid> {
    let times = [
        ("timeout", delivery.timeout),
        ("queueExpiry", delivery.queue_expiry),
        ("totalBudget", delivery.total_budget),
        ("suspensionExpiry", delivery.suspension_expiry),
    ];
    match times.iter().find(|(_, time)| *time == Some(Duration::ZERO)) {
        Some((key, _)) => Err(field
            .clone()
            .key(key)
            .invalid("is no time at all: nothing could ever be delivered or answered")),
        None => Ok(()),
    }
}

fn not_honoured(document: &Document) -> Vec<String> {
    let spec = &document.spec;
    let mut fields = Vec::new();
    let mut report = |there: bool, words: &str| {
        if there {
            fields.push(words.to_owned());
        }
    };
    report(
        document.metadata.namespace.is_some(),
        "metadata.namespace: there are none outside a cluster",
    );
    report(
        spec.image.is_some(),
        "spec.image: a cluster runs the image, here `spec.run` decides",
    );
    report(
        spec.run.as_ref().is_some_and(|run| run.mcp.is_some()),
        "spec.run.mcp: MCP servers cannot be run as functions yet",
    );
    report(
        !spec.capabilities.is_empty(),
        "spec.capabilities: the function's own manifest decides",
    );
    report(
        spec.pool_size.is_some(),
        "spec.poolSize: instances follow the calls, within `spec.scaling`",
    );
    report(
        spec.autoscaling.is_some(),
        "spec.autoscaling: instances follow the calls, within `spec.scaling`",
    );
    fields
}
