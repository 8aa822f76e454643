//! A pool's endpoints, and the way of a delivery to one of them.
//!
//! What runs on this machine is one endpoint: the host, which wakes and balances instances itself.
//! An always-on agent that was registered from outside has as many as were registered. To the
//! dispatcher both are [`Endpoints`]: a `tower::Service` that [balances](crate::balance) over
//! endpoints, each behind a [breaker](crate::breaker).
//!
//! # Who repeats what
//! The broker repeats, by the delivery policy, and durably. Below it nothing is sent twice, but for
//! one thing: within one attempt a delivery that provably did not run at an endpoint (refused
//! connection, nothing written, the function's own not-run header) goes on to the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::balance::Balance;
use dormouse_contract::breaker::BreakerPolicy;
use dormouse_contract::registration::CallError;
use http::{Request, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tower::{Layer as _, ServiceExt as _};

use crate::breaker::{
    Admission, BreakerLayer, Gate, Guarded, Refusal, Verdict, did_not_run, verdict,
};
use crate::clock;
use crate::registry::PoolService;
use health::Health;

mod choice;
pub(crate) mod client;
pub(crate) mod health;
mod knative;
#[cfg(test)]
mod tests;

pub(crate) use choice::Endpoints;

/// How a pool that this platform runs is reached.
#[derive(Clone)]
pub struct Local {
    /// What takes its deliveries.
    pub service: PoolService,
    /// Which of its instances takes one, to be shown; the service sees to it.
    pub balance: Balance,
    /// When it is left alone.
    pub breaker: BreakerPolicy,
}

impl From<PoolService> for Local {
    fn from(service: PoolService) -> Self {
        Self {
            service,
            balance: Balance::default(),
            breaker: BreakerPolicy::default(),
        }
    }
}

/// An endpoint as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointView {
    /// Where deliveries go.
    pub endpoint: String,
    /// What is probed, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_endpoint: Option<String>,
    /// `unknown` before the first probe, then `well` or `failing`; one that fails is left out.
    /// `unprobed`: it may sleep, and a probe would wake it.
    pub state: EndpointState,
    /// When it was probed last, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probed_at: Option<String>,
    /// Why the last probe failed, until one goes well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Calls on their way to it.
    pub in_flight: usize,
    /// The breaker before it.
    pub breaker: crate::BreakerView,
}

/// How an endpoint is, by its probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// Not probed yet.
    Unknown,
    /// The last probe went well.
    Well,
    /// The last probe failed: it gets no calls.
    Failing,
    /// Never probed, because that would wake it.
    Unprobed,
}

/// One endpoint, behind its breaker.
pub(crate) struct Endpoint {
    name: Arc<str>,
    gate: Arc<Gate>,
    service: Guarded<PoolService>,
    in_flight: AtomicUsize,
    pub(crate) health: watch::Sender<Health>,
    /// Woken when a delivery found it missing: it is probed at once.
    pub(crate) missed: Notify,
}

impl Endpoint {
    pub(crate) fn new(
        pool: &Arc<str>,
        name: &Arc<str>,
        service: PoolService,
        breaker: BreakerPolicy,
    ) -> Self {
        let gate = Gate::new(Arc::clone(pool), Arc::clone(name), breaker);
        Self {
            name: Arc::clone(name),
            service: BreakerLayer(Arc::clone(&gate)).layer(service),
            gate,
            in_flight: AtomicUsize::new(0),
            health: watch::Sender::default(),
            missed: Notify::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether a call may go to it: by its probes first, then by its breaker.
    fn admits(&self) -> Result<Admission, Left> {
        match &*self.health.borrow() {
            Health::Failing { why, next, .. } => Err(Left {
                why: format!("{} does not answer: {why}", self.name),
                again: next.saturating_duration_since(clock::now()),
            }),
            Health::Unknown | Health::Well { .. } => Ok(self.gate.admits()),
        }
    }

    /// Why it takes no call now; `None` when it does, or when it is worth waiting for.
    fn left_out(&self) -> Option<Left> {
        match self.admits() {
            Err(left) => Some(left),
            Ok(Admission::Refused(Refusal::Shut(time))) => Some(Left {
                why: self.gate.held(time).to_string(),
                again: time,
            }),
            Ok(Admission::Pass | Admission::Try | Admission::Refused(Refusal::Wait(_))) => None,
        }
    }

    async fn deliver(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        let _busy = Busy::new(&self.in_flight);
        let answer = self.service.clone().oneshot(request).await;
        let missed = matches!(answer, Err(CallError::NotRun(_)));
        if missed || (verdict(&answer) == Verdict::Ill && self.gate.admits() != Admission::Pass) {
            self.missed.notify_one();
        }
        answer
    }
}

/// Why an endpoint is left out, and when it may be asked again.
struct Left {
    why: String,
    again: Duration,
}

/// Counts a call for as long as it is on its way.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether an answer proves that the function did not run, so that another endpoint may be asked.
fn surely_not_run(answer: &Result<Response<Bytes>, CallError>) -> bool {
    match answer {
        Ok(response) => did_not_run(response.headers()),
        Err(CallError::NotRun(_) | CallError::Held { .. }) => true,
        Err(CallError::Unknown(_)) => false,
    }
}
