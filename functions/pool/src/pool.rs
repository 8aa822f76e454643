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

use crate::container::Container;
use crate::document::{Document, Spec};
use crate::env::{self, EnvVar, MissingSecret, SecretRef};
use crate::field::{Field, Invalid};
use crate::honour;
use crate::run::{self, Run};
use crate::scaling::Scaling;
use crate::{API_VERSION, KIND};

/// One pool, checked for the place where it is to run: `Pool<Run>` for a laptop,
/// [`Pool<Container>`] for a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool<R = Run> {
    /// `metadata.name`.
    pub name: PoolName,
    /// `spec.agentType`, where the file says one.
    pub agent_type: Option<String>,
    /// What runs.
    pub run: R,
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

impl Pool {
    /// Checks a document for a laptop.
    ///
    /// # Errors
    /// The first field that cannot be used, and what is allowed there.
    pub fn from_document(document: Document) -> Result<Self, Invalid> {
        expect("apiVersion", &document.api_version, API_VERSION)?;
        expect("kind", &document.kind, KIND)?;
        let not_honoured = honour::on_a_laptop(&document);
        let mut spec = document.spec;
        // There is no broker here that could hand them over.
        spec.triggers.iter_mut().for_each(|it| it.direct = false);
        let run = run::validate(spec.run.take())?;
        Self::of(document.metadata.name, run, spec, not_honoured)
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

impl Pool<Container> {
    /// Checks a pool for a cluster, as its API server hands it out: `name` is `metadata.name`. It
    /// has to start with a letter, because the Knative Service is called so (RFC 1035).
    ///
    /// # Errors
    /// The first field that cannot be used, and what is allowed there.
    pub fn in_cluster(name: &str, mut spec: Spec) -> Result<Self, Invalid> {
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(Field::of(&["metadata", "name"]).invalid(format!(
                "`{name}` starts with a digit, which no service of a cluster may: start with a \
                 letter"
            )));
        }
        let not_honoured = honour::in_a_cluster(&spec);
        // It is not run here, but a file is good or bad as a whole.
        if let Some(run) = spec.run.take() {
            run::validate(Some(run))?;
        }
        let container = Container::take(&mut spec)?;
        Self::of(name.to_owned(), container, spec, not_honoured)
    }
}

impl<R> Pool<R> {
    /// The fields that have no effect in the place that the pool was checked for, each as
    /// `field: why`.
    #[must_use]
    pub fn not_honoured(&self) -> &[String] {
        &self.not_honoured
    }

    /// Checks what is the same everywhere.
    fn of(name: String, run: R, spec: Spec, not_honoured: Vec<String>) -> Result<Self, Invalid> {
        check_deliveries(&spec)?;
        Ok(Self {
            name: PoolName::parse(name)?,
            run,
            scaling: Scaling::of(&spec)?,
            agent_type: spec.agent_type,
            env: env::validate(spec.env)?,
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
    for (index, trigger) in spec.triggers.iter().enumerate() {
        if let Some(delivery) = &trigger.delivery {
            let field = Field::of(&["spec", "triggers"]).index(index);
            check_delivery(delivery, &field.key("delivery"))?;
        }
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
    if let Some((key, _)) = times.iter().find(|(_, time)| *time == Some(Duration::ZERO)) {
        return Err(field
            .clone()
            .key(key)
            .invalid("is no time at all: nothing could ever be delivered or answered"));
    }
    match &delivery.dead_letter_sink {
        Some(sink) if !sink.is_usable() => Err(field
            .clone()
            .key("deadLetterSink")
            .key("uri")
            .invalid("is no address that takes events: write an absolute http or https URL")),
        Some(_) | None => Ok(()),
    }
}
