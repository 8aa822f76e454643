//! Delivering claims: one HTTP POST of one CloudEvent each, and the report of what came of it.

use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::task::now;
use dormouse_broker::{Claim, Claims, Error, Report, SINKS, State, Way, Work};
use dormouse_contract::Event;
use dormouse_contract::balance::AFFINITY_HEADER;
use dormouse_contract::event::ExtensionValue;
use dormouse_contract::http_binding::{self, BindingError};
use dormouse_contract::registration::Unwritten;
use dormouse_contract::task::{
    ATTEMPT, ATTEMPT_TOKEN, DEADLINE, DELIVERY_SECRET_HEADER, HOPS, POOL, PRINCIPAL, REQUESTED,
    ROUND, TASK_ID, TRACEPARENT,
};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::breaker::Deadline;
use crate::outside::OutsidePool;
use crate::publish::Sender;
use crate::registry::{Coordinator, Pool};
use crate::reply::{self, Answer, Kind};
use crate::splice;

#[cfg(test)]
mod tests;

/// The `source` of events that the broker emits.
const SOURCE: &str = "/dormouse/broker";

impl Coordinator {
    /// Delivers claims until the broker stops.
    pub async fn dispatch(&self, mut claims: Claims) {
        while let Some(claim) = claims.recv().await {
            let coordinator = self.clone();
            let span = tracing::debug_span!(
                "deliver",
                task = %claim.task,
                pool = %claim.pool,
                capability = %claim.capability,
                attempt = claim.attempt,
                trace = %claim.trace.trace_id(),
            );
            tokio::spawn(async move { coordinator.attempt(claim).await }.instrument(span));
        }
    }

    async fn attempt(&self, claim: Claim) {
        let (task, token, cancelled) = (claim.task, claim.token, claim.cancelled.clone());
        let (name, capability) = (claim.pool.clone(), claim.capability.clone());
        let sender = sender(&claim);
        let pool = self.pool(&name);
        let metrics = pool.as_ref().map(|pool| pool.metrics.clone());
        let deliver = async {
            match pool {
                Some(pool) => {
                    self.tell_waking(&pool, &claim);
                    self.with_routes(deliver(pool, claim).await, &sender)
                }
                None => reply::pool_gone(&claim.pool),
            }
        };
        let report = tokio::select! {
            report = deliver => report,
            // The task has ended otherwise: dropping the delivery closes its connection, by which
            // the function hears of it.
            () = cancelled.cancelled() => return,
        };
        match &report {
            Report::Failed { failure, .. } => tracing::warn!(
                %task,
                pool = &*name,
                capability = &*capability,
                outcome = ?failure.outcome,
                error = failure.error.message,
                "the attempt failed"
            ),
            Report::Held { why, .. } => {
                tracing::debug!(%task, pool = &*name, why, "it was not sent");
            }
            Report::Completed(_) | Report::Replied { .. } | Report::Suspended(_) => {}
        }
        let was_held = matches!(report, Report::Held { .. });
        let mut delay = Duration::from_millis(50);
        loop {
            match self.broker().settle(task, token, report.clone()).await {
                Ok(state) => {
                    if let (Some(state), Some(metrics), false) = (state, metrics, was_held) {
                        metrics.count(state);
                    }
                    return;
                }
                Err(Error::Storage(error)) => {
                    tracing::warn!(%error, "the report could not be stored; trying again");
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(Duration::from_secs(5));
                }
                // The store decides at the next start: the lease is lost.
                Err(_) => return,
            }
        }
    }
}

impl Coordinator {
    /// A reply goes on to whoever has a trigger for it.
    fn with_routes(&self, answer: Answer, sender: &Sender) -> Report {
        match answer {
            Answer::Report(report) => report,
            Answer::Reply { event, reply } => Report::Replied {
                event: Box::new(self.incoming(event, sender)),
                reply,
            },
        }
    }

    /// Tells a caller who asked for progress that the function is waking. -1, because progress has
    /// to rise, and the function's own begins at 0.
    fn tell_waking(&self, pool: &Pool, claim: &Claim) {
        let Work::Call(request) = &claim.work else {
            return;
        };
        let is_first = claim.round == 1 && claim.attempt == 1;
        let outside = pool.outside.as_deref();
        let may_sleep = outside.is_none_or(OutsidePool::may_sleep);
        if is_first && may_sleep && pool.instances.borrow().ready == 0 && wants_progress(request) {
            let notification = serde_json::json!({
                "method": "notifications/progress",
                "params": {"progress": -1, "message": format!("waking pool `{}`", claim.pool)},
            });
            // Whoever hung up meanwhile misses nothing.
            let _ =
                self.broker()
                    .progress(claim.task, claim.token, &notification.to_string().into());
        }
    }
}

/// Whatever the function of this claim sends comes from it.
fn sender(claim: &Claim) -> Sender {
    let way = match &claim.work {
        Work::Call(_) => Way::default(),
        Work::Event { way, .. } => way.clone(),
    };
    Sender {
        cause: Some(claim.task),
        way: Some(way.through(&claim.pool)),
        is_function: true,
        trace: Some(claim.trace),
    }
}

fn wants_progress(request: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Asked {
        #[serde(default)]
        client: Client,
    }
    #[derive(Default, serde::Deserialize)]
    struct Client {
        #[serde(default)]
        progress: bool,
    }
    serde_json::from_slice::<Asked>(request).is_ok_and(|asked| asked.client.progress)
}

async fn deliver(pool: Pool, claim: Claim) -> Answer {
    let kind = match claim.work {
        Work::Call(_) => Kind::Call,
        Work::Event { .. } => Kind::Event,
    };
    let whom = whom(&claim);
    let left = u64::try_from(claim.deadline - now()).unwrap_or(0);
    let timeout = claim.delivery.timeout;
    let mut request = match request(&pool, claim) {
        Ok(request) => request,
        Err(error) => return Answer::Report(reply::unreadable(&error)),
    };
    let unwritten = Unwritten::default();
    let deadline = tokio::time::Instant::now() + Duration::from_millis(left);
    request.extensions_mut().insert(unwritten.clone());
    request.extensions_mut().insert(Deadline(deadline));
    match tokio::time::timeout_at(deadline, pool.endpoints.oneshot(request)).await {
        Ok(Ok(response)) => reply::read(kind, &whom, response),
        Ok(Err(error)) => Answer::Report(reply::no_answer(error)),
        Err(_) if unwritten.get() => Answer::Report(reply::not_woken(&whom, timeout)),
        Err(_) => Answer::Report(reply::timed_out(&whom, timeout)),
    }
}

/// Who gets the delivery, in words. What goes to an address outside goes to no pool that people know.
fn whom(claim: &Claim) -> String {
    match *claim.pool == *SINKS {
        true => format!("`{}`", claim.capability),
        false => format!("pool `{}`", claim.pool),
    }
}

/// The delivery of a claim: with the platform's extensions, asking for a reply; in binary mode
/// wherever that can be read back.
fn request(pool: &Pool, claim: Claim) -> Result<http::Request<Bytes>, BindingError> {
    let event = event(&claim)?;
    // A sink is another address for each claim, and is told no secret; any other pool's service
    // knows its own.
    if *claim.pool == *SINKS {
        let (headers, body) = http_binding::write(event);
        let mut request = post(headers, body);
        *request.uri_mut() = claim.capability.parse().unwrap_or_default();
        return Ok(request);
    }
    let (mut headers, body) = http_binding::write(addressed(event, &claim));
    complete(&mut headers, pool, &claim);
    Ok(post(headers, body))
}

fn post(headers: HeaderMap, body: Bytes) -> http::Request<Bytes> {
    let mut request = http::Request::new(body);
    *request.method_mut() = http::Method::POST;
    *request.headers_mut() = headers;
    request
}

/// The event with what the platform says of this delivery.
fn addressed(mut event: Event, claim: &Claim) -> Event {
    let deadline = jiff::Timestamp::from_millisecond(claim.deadline).unwrap_or_default();
    let extensions: [(&str, ExtensionValue); 8] = [
        (TASK_ID, claim.task.to_string().into()),
        (POOL, (*claim.pool).into()),
        (ROUND, integer(claim.round)),
        (ATTEMPT, integer(claim.attempt)),
        (ATTEMPT_TOKEN, claim.token.to_string().into()),
        (DEADLINE, deadline.to_string().into()),
        (PRINCIPAL, (*claim.principal).into()),
        (TRACEPARENT, claim.trace.child().to_string().into()),
    ];
    event
        .extensions
        .extend(extensions.map(|(name, value)| (name.to_owned(), value)));
    event
}

fn event(claim: &Claim) -> Result<Event, BindingError> {
    match &claim.work {
        Work::Call(data) => {
            // A redelivery keeps its id; another round is another event.
            let id = format!("{}.{}", claim.task, claim.round);
            let data = match &claim.replay {
                Some(replay) => splice::replay(data, replay),
                None => data.clone(),
            };
            let mut event = Event::new(id, SOURCE, REQUESTED).with_json(data);
            event.subject = Some(claim.capability.to_string());
            Ok(event)
        }
        Work::Event {
            attributes,
            data,
            way,
        } => {
            let mut event = http_binding::read_structured(attributes)?;
            if way.hops > 0 {
                event = event.with_extension(HOPS, integer(way.hops));
            }
            event.data = (!data.is_empty()).then(|| data.clone());
            Ok(event)
        }
    }
}

fn complete(headers: &mut HeaderMap, pool: &Pool, claim: &Claim) {
    headers.insert(
        HeaderName::from_static("prefer"),
        HeaderValue::from_static("reply"),
    );
    if !pool.secrets.delivery.is_empty()
        && let Ok(secret) = HeaderValue::from_str(&pool.secrets.delivery)
    {
        headers.insert(HeaderName::from_static(DELIVERY_SECRET_HEADER), secret);
    }
    if let Some(affinity) = &claim.affinity
        && let Ok(value) = HeaderValue::from_str(affinity)
    {
        headers.insert(HeaderName::from_static(AFFINITY_HEADER), value);
    }
}

fn integer(number: u32) -> ExtensionValue {
    i32::try_from(number).map_or(ExtensionValue::Integer(i32::MAX), ExtensionValue::Integer)
}

/// Counters of one pool, looked up once.
#[derive(Clone)]
pub(crate) struct PoolMetrics {
    completed: metrics::Counter,
    failed: metrics::Counter,
    cancelled: metrics::Counter,
    retried: metrics::Counter,
}

impl PoolMetrics {
    pub(crate) fn new(pool: &str) -> Self {
        let counter = |state: &'static str| metrics::counter!("dormouse_tasks_total", "pool" => pool.to_owned(), "state" => state);
        Self {
            completed: counter("completed"),
            failed: counter("failed"),
            cancelled: counter("cancelled"),
            retried: counter("retried"),
        }
    }

    fn count(&self, state: State) {
        match state {
            State::Completed => self.completed.increment(1),
            State::Failed => self.failed.increment(1),
            State::Cancelled => self.cancelled.increment(1),
            State::Accepted => self.retried.increment(1),
            State::Running | State::Suspended => {}
        }
    }
}
