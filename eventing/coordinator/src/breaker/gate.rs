//! The breaker as a tower layer: who may go to an endpoint, and what counts against it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::breaker::BreakerPolicy;
use dormouse_contract::duration;
use dormouse_contract::registration::{CallError, Unwritten};
use dormouse_contract::task::NOT_RUN_HEADER;
use http::{HeaderMap, Request, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::clock;

use super::{Admission, Breaker, Era, Event, Refusal, State};

/// In the extensions of a delivery: until when its answer is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(pub(crate) tokio::time::Instant);

/// What an answer, or none, says about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is there: it answered, be it with a refusal.
    Well,
    /// It is not there, or not in order.
    Ill,
    /// Nothing.
    Silent,
}

/// Gateway errors, refused or broken connections and 5xx count against an endpoint; refusals that
/// it makes itself do not: 4xx, and whatever carries the header by which a function says that
/// nothing ran. What a tool answers is an answer.
pub(crate) fn verdict(answer: &Result<Response<Bytes>, CallError>) -> Verdict {
    match answer {
        Ok(response) if !response.status().is_server_error() => Verdict::Well,
        Ok(response) if did_not_run(response.headers()) => Verdict::Well,
        Ok(_) | Err(CallError::NotRun(_) | CallError::Unknown(_)) => Verdict::Ill,
        Err(CallError::Held { .. }) => Verdict::Silent,
    }
}

/// Whether a function says that its handler surely did not start.
pub(crate) fn did_not_run(headers: &HeaderMap) -> bool {
    headers
        .get(NOT_RUN_HEADER)
        .is_some_and(|value| value == "true")
}

/// A breaker's state in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are turned away.
    Open,
    /// One call tries, the others wait for it.
    HalfOpen,
}

impl BreakerState {
    fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// A breaker as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreakerView {
    /// Where it stands.
    pub state: BreakerState,
    /// For so many milliseconds more it stays open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What failed last, unless calls have gone well since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The breaker before one endpoint, shared by all its calls.
#[derive(Debug)]
pub(crate) struct Gate {
    pool: Arc<str>,
    /// The endpoint, for people; the pool itself when it is the only one.
    endpoint: Arc<str>,
    breaker: watch::Sender<Breaker>,
    error: Mutex<Option<String>>,
}

impl Gate {
    pub(crate) fn new(pool: Arc<str>, endpoint: Arc<str>, policy: BreakerPolicy) -> Arc<Self> {
        Arc::new(Self {
            pool,
            endpoint,
            breaker: watch::Sender::new(Breaker::new(policy)),
            error: Mutex::default(),
        })
    }

    pub(crate) fn view(&self) -> BreakerView {
        let state = self.breaker.borrow().state();
        BreakerView {
            state: word(state),
            retry_after_ms: match state.admits(clock::now()) {
                Admission::Refused(Refusal::Shut(left)) => u64::try_from(left.as_millis()).ok(),
                Admission::Pass | Admission::Try | Admission::Refused(Refusal::Wait(_)) => None,
            },
            error: self.error().clone(),
        }
    }

    /// Whether a call may go now.
    pub(crate) fn admits(&self) -> Admission {
        self.breaker.borrow().state().admits(clock::now())
    }

    /// The endpoint is known to be back.
    pub(crate) fn clear(&self) {
        *self.error() = None;
        self.change(|breaker| breaker.clear(clock::now()));
    }

    /// Why nobody may go for so long.
    pub(crate) fn held(&self, left: Duration) -> CallError {
        let left = round_up(left);
        let last = self.error().clone();
        let last = last.map(|error| format!("; the last one: {error}"));
        CallError::Held {
            why: format!(
                "{} is left alone for {}, because deliveries to it failed one after the \
                 other{}",
                self.name(),
                duration::format(left),
                last.unwrap_or_default()
            ),
            retry_after: left,
        }
    }

    fn name(&self) -> String {
        if self.pool == self.endpoint {
            return format!("pool `{}`", self.pool);
        }
        format!("{} of pool `{}`", self.endpoint, self.pool)
    }

    fn ask(&self) -> Result<Era, Refusal> {
        let now = clock::now();
        let mut asked = Err(Refusal::Wait(now));
        self.change(|breaker| {
            let before = breaker.state();
            asked = breaker.ask(now);
            !before.is_like(breaker.state())
        });
        asked
    }

    /// Waits while another call tries the endpoint.
    async fn pass(self: &Arc<Self>, request: &Request<Bytes>) -> Result<Passage, CallError> {
        let deadline = request.extensions().get().copied();
        let mut changes = None;
        loop {
            let until = match self.ask() {
                Ok(era) => {
                    return Ok(Passage {
                        gate: Arc::clone(self),
                        era,
                        deadline,
                        event: None,
                    });
                }
                Err(Refusal::Shut(left)) => return Err(self.held(left)),
                Err(Refusal::Wait(until)) => until,
            };
            let Some(changes) = &mut changes else {
                // From now on no change is missed; it is asked once more first.
                changes = Some(self.breaker.subscribe());
                continue;
            };
            let _held = request.extensions().get().map(Unsent::new);
            tokio::select! {
                // The sender is in `self`.
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(until.into()) => {}
            }
        }
    }

    /// Changes the breaker and tells of it when its state is another then.
    fn change(&self, change: impl FnOnce(&mut Breaker) -> bool) {
        if !self.breaker.send_if_modified(change) {
            return;
        }
        let state = word(self.breaker.borrow().state());
        let (pool, endpoint) = (&*self.pool, &*self.endpoint);
        match state {
            BreakerState::Open => {
                let error = self.error().clone().unwrap_or_default();
                tracing::warn!(pool, endpoint, error, "left alone after failures in a row");
            }
            BreakerState::Closed => tracing::info!(pool, endpoint, "takes calls again"),
            BreakerState::HalfOpen => tracing::debug!(pool, endpoint, "tried again"),
        }
        metrics::counter!(
            "dormouse_breaker_changes_total",
            "pool" => pool.to_owned(), "endpoint" => endpoint.to_owned(), "state" => state.word(),
        )
        .increment(1);
    }

    fn error(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In whole seconds: who comes back earlier would be turned away again.
pub(crate) fn round_up(left: Duration) -> Duration {
    Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0))
}

fn word(state: State) -> BreakerState {
    match state {
        State::Closed { .. } => BreakerState::Closed,
        State::Open { .. } => BreakerState::Open,
        State::HalfOpen { .. } => BreakerState::HalfOpen,
    }
}

/// While it lives, the delivery is known to have reached nobody.
struct Unsent<'a>(&'a Unwritten);

impl<'a> Unsent<'a> {
    fn new(unwritten: &'a Unwritten) -> Self {
        unwritten.set(true);
        Self(unwritten)
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// A call that was let through. Dropped without a verdict it is a timeout when its deadline has
/// passed, and otherwise a call that nobody waits for any more.
struct Passage {
    gate: Arc<Gate>,
    era: Era,
    deadline: Option<Deadline>,
    event: Option<Event>,
}

impl Passage {
    fn end(mut self, answer: &Result<Response<Bytes>, CallError>) {
        self.event = Some(match verdict(answer) {
            Verdict::Well => Event::Succeeded,
            Verdict::Ill => Event::Failed,
            Verdict::Silent => Event::GaveUp,
        });
        if verdict(answer) == Verdict::Ill {
            *self.gate.error() = Some(match answer {
                Ok(response) => format!("it answered with {}", response.status()),
                Err(error) => error.to_string(),
            });
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        let late = self
            .deadline
            .is_some_and(|deadline| tokio::time::Instant::now() >= deadline.0);
        let event = self.event.unwrap_or(match late {
            true => Event::Failed,
            false => Event::GaveUp,
        });
        match event {
            Event::Succeeded => *self.gate.error() = None,
            Event::Failed if self.event.is_none() => {
                *self.gate.error() = Some("it gave no answer in time".to_owned());
            }
            Event::Failed | Event::GaveUp | Event::Tried | Event::Cleared => {}
        }
        self.gate
            .change(|breaker| breaker.end(self.era, event, clock::now()));
    }
}

/// Puts a breaker before a service.
#[derive(Debug, Clone)]
pub(crate) struct BreakerLayer(pub(crate) Arc<Gate>);

impl<S> tower::Layer<S> for BreakerLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            gate: Arc::clone(&self.0),
        }
    }
}

/// A service with a breaker before it.
#[derive(Debug, Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S> tower::Service<Request<Bytes>> for Guarded<S>
where
    S: tower::Service<Request<Bytes>, Response = Response<Bytes>, Error = CallError>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Bytes>;
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, CallError>> + Send>>;

    /// Always ready: who may not go is told so by the call.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let (gate, inner) = (Arc::clone(&self.gate), self.inner.clone());
        Box::pin(async move {
            let passage = gate.pass(&request).await?;
            let answer = inner.oneshot(request).await;
            passage.end(&answer);
            answer
        })
    }
}
