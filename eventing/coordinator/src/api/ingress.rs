//! The CloudEvents ingress: `POST /events` for any producer; functions have a [sink](super::sink) of
//! their own.
//!
//! An event is stored as one task for each trigger that takes it, all in one commit, before it is
//! answered with 202; so is a batch, as a whole or not at all. Nobody outside speaks as the platform: `dev.dormouse.*` is refused at
//! `/events`, and at a pool's sink whoever sends proves itself by a token in the event. The tokens
//! go no further than this.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use dormouse_broker::{NewTask, TaskId, Work};
use dormouse_contract::event::Event;
use dormouse_contract::http_binding::{self, Received};
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::Registration;
use dormouse_contract::task::{ATTEMPT_TOKEN, POOL_TOKEN, TRACEPARENT};
use dormouse_contract::trace::TraceParent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::payload::Payload;
use super::problem::Problem;

/// The answer to an event that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The event's `id`.
    pub id: String,
    /// One entry for each trigger that takes it; empty when none does.
    pub takers: Vec<Taker>,
    /// The same in words.
    pub detail: String,
}

/// A pool that will react to an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taker {
    /// The pool.
    pub pool: String,
    /// The task in which it reacts.
    pub task: TaskId,
}

/// The answer to what was taken: a receipt, or for a batch a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Receipts {
    /// Of one event.
    One(Receipt),
    /// Of each event of a batch, in its order.
    Batch(Vec<Receipt>),
}

pub(super) async fn accept(
    State(api): State<Api>,
    headers: HeaderMap,
    Payload(body): Payload,
) -> Result<Response, Problem> {
    let received = http_binding::read_many(&headers, body)?;
    if let Some(event) = received.events().iter().find(|it| it.is_platform()) {
        return Err(Problem::PlatformEvent(event.ty.clone()));
    }
    store(&api, &headers, received).await
}

/// Stores one task for each trigger that takes each event. A batch is answered with a list of
/// receipts.
pub(super) async fn store(
    api: &Api,
    headers: &HeaderMap,
    received: Received,
) -> Result<Response, Problem> {
    let registered = api.coordinator.registrations().borrow().clone();
    let count = received.events().len();
    let mut tasks = Vec::new();
    let mut take = |mut event: Event| {
        event.extensions.remove(ATTEMPT_TOKEN);
        event.extensions.remove(POOL_TOKEN);
        let trace = trace_of(&event, headers);
        let stored = tasks_of(event.clone(), &registered, trace);
        let receipt = receipt(&event, &stored);
        tracing::debug!(
            event.id = receipt.id,
            event.source = event.source,
            event.type = event.ty,
            takers = receipt.takers.len(),
            trace = %trace,
            "event taken"
        );
        tasks.extend(stored);
        receipt
    };
    let receipts = match received {
        Received::One(event) => Receipts::One(take(*event)),
        Received::Batch(events) => Receipts::Batch(events.into_iter().map(take).collect()),
    };
    if !tasks.is_empty() {
        api.coordinator.broker().accept_all(tasks).await?;
    }
    metrics::counter!("dormouse_events_total").increment(count as u64);
    Ok((StatusCode::ACCEPTED, Json(receipts)).into_response())
}

/// The trace that the event says it belongs to, else the request's, else a new one.
fn trace_of(event: &Event, headers: &HeaderMap) -> TraceParent {
    let in_event = event
        .extension(TRACEPARENT)
        .and_then(|text| text.parse().ok());
    let in_request = || headers.get(TRACEPARENT)?.to_str().ok()?.parse().ok();
    in_event
        .or_else(in_request)
        .unwrap_or_else(TraceParent::random)
}

/// One task for each trigger that takes the event.
fn tasks_of(mut event: Event, pools: &[Arc<Registration>], trace: TraceParent) -> Vec<NewTask> {
    let takers: Vec<_> = pools
        .iter()
        .flat_map(|pool| {
            let matching = pool.triggers.iter().filter(|it| it.matches(&event));
            matching.map(move |_| pool)
        })
        .collect();
    let principal: Arc<str> = format!("event/{}", event.source).into();
    let capability: Arc<str> = event.ty.as_str().into();
    let data = event.data.take().unwrap_or_default();
    let (_, attributes) = http_binding::write_structured(&event);
    takers
        .into_iter()
        .map(|pool| NewTask {
            id: TaskId::new(),
            pool: pool.pool.clone(),
            capability: capability.clone(),
            work: Work::Event {
                attributes: attributes.clone(),
                data: data.clone(),
            },
            principal: principal.clone(),
            reply_to: None,
            affinity: None,
            trace: trace.child(),
            idempotency: None,
            // Whoever reacts to events copes with seeing one twice: delivery is at least once.
            delivery: Arc::new(Delivery {
                repeatable: true,
                ..pool.delivery.clone()
            }),
        })
        .collect()
}

fn receipt(event: &Event, tasks: &[NewTask]) -> Receipt {
    let detail = match tasks.len() {
        0 => format!(
            "0 pools take it: no trigger matches an event of type `{}` from `{}`",
            event.ty, event.source
        ),
        1 => "1 task is stored".to_owned(),
        many => format!("{many} tasks are stored"),
    };
    Receipt {
        id: event.id.clone(),
        takers: tasks
            .iter()
            .map(|task| Taker {
                pool: task.pool.to_string(),
                task: task.id,
            })
            .collect(),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use dormouse_contract::Manifest;
    use dormouse_contract::filter::Trigger;

    use super::*;

    fn pool(name: &str, triggers: &[&str]) -> Arc<Registration> {
        Arc::new(Registration {
            pool: name.into(),
            agent_type: String::new(),
            revision: "1".into(),
            manifest: Arc::new(Manifest::parse(br#"{"contract":1}"#).unwrap()),
            delivery: Delivery::default(),
            tools: std::collections::BTreeMap::new(),
            triggers: triggers
                .iter()
                .map(|json| serde_json::from_str::<Trigger>(json).unwrap())
                .collect(),
            slots: 1,
            queue_limit: 1,
        })
    }

    const PUSH: &str = r#"{"filters":[{"exact":{"type":"com.github.push"}}]}"#;
    const ANY: &str = r#"{"filters":[]}"#;
    const OTHER: &str = r#"{"filters":[{"exact":{"type":"other"}}]}"#;

    #[test]
    fn each_matching_trigger_becomes_a_task_that_may_run_twice() {
        let pools = [
            pool("both", &[PUSH, ANY]),
            pool("none", &[OTHER]),
            pool("silent", &[]),
        ];
        let event = Event::new("1", "/repo", "com.github.push").with_json(&br#"{"a":1}"#[..]);
        let tasks = tasks_of(event, &pools, TraceParent::random());
        assert_eq!(tasks.len(), 2);
        for task in &tasks {
            assert_eq!(&*task.pool, "both");
            assert_eq!(&*task.capability, "com.github.push");
            assert_eq!(&*task.principal, "event//repo");
            assert!(task.delivery.repeatable);
        }
        let Work::Event { attributes, data } = &tasks[0].work else {
            panic!("an event task delivers an event");
        };
        assert_eq!(data, r#"{"a":1}"#);
        let attributes = String::from_utf8(attributes.to_vec()).unwrap();
        assert!(attributes.contains(r#""type":"com.github.push""#));
        assert!(!attributes.contains(r#""data":"#), "{attributes}");
    }

    #[test]
    fn a_receipt_says_in_words_that_nobody_takes_the_event() {
        let event = Event::new("1", "/repo", "nobody.cares");
        let receipt = receipt(&event, &[]);
        assert!(receipt.takers.is_empty());
        assert!(receipt.detail.contains("0 pools") && receipt.detail.contains("nobody.cares"));
    }

    #[test]
    fn the_events_trace_comes_before_the_requests() {
        let (ours, theirs) = (TraceParent::random(), TraceParent::random());
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, theirs.to_string().parse().unwrap());
        let event = Event::new("1", "/s", "t");
        assert_eq!(trace_of(&event, &headers), theirs);
        let event = event.with_extension(TRACEPARENT, ours.to_string());
        assert_eq!(trace_of(&event, &headers), ours);
        let broken = Event::new("1", "/s", "t").with_extension(TRACEPARENT, "x");
        assert_eq!(trace_of(&broken, &headers), theirs);
    }
}
