//! The CloudEvents ingress: `POST /events` for any producer; functions have a [sink](super::sink) of
//! their own.
//!
//! An event is stored as one task for each trigger that takes it, all in one commit, before it is
//! answered with 202. Nobody outside speaks as the platform: `dev.dormouse.*` is refused at
//! `/events`, and at a pool's sink whoever sends proves itself by a token in the event. The tokens
//! go no further than this.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use dormouse_broker::{NewTask, TaskId, Work};
use dormouse_contract::event::Event;
use dormouse_contract::http_binding;
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

pub(super) async fn accept(
    State(api): State<Api>,
    headers: HeaderMap,
    Payload(body): Payload,
) -> Result<Response, Problem> {
    let event = read(&headers, body)?;
    if event.is_platform() {
        return Err(Problem::PlatformEvent(event.ty));
    }
    store(&api, &headers, event).await
}

/// Reads the event. In the JSON format absent `datacontenttype` means JSON (JSON event format,
/// section 3.1); it is made explicit, because in binary mode absence means nothing.
pub(super) fn read(headers: &HeaderMap, body: Bytes) -> Result<Event, Problem> {
    let mut event = http_binding::read(headers, body)?;
    let is_structured = headers.get(CONTENT_TYPE).is_some_and(|media| {
        let prefix = media.as_bytes().get(..http_binding::STRUCTURED.len());
        prefix.is_some_and(|it| it.eq_ignore_ascii_case(http_binding::STRUCTURED.as_bytes()))
    });
    if is_structured && event.data.is_some() && event.datacontenttype.is_none() {
        event.datacontenttype = Some("application/json".to_owned());
    }
    Ok(event)
}

/// Stores one task for each trigger that takes the event.
pub(super) async fn store(
    api: &Api,
    headers: &HeaderMap,
    mut event: Event,
) -> Result<Response, Problem> {
    event.extensions.remove(ATTEMPT_TOKEN);
    event.extensions.remove(POOL_TOKEN);
    let trace = trace_of(&event, headers);
    let registered = api.coordinator.registrations().borrow().clone();
    let tasks = tasks_of(event.clone(), &registered, trace);
    let receipt = receipt(&event, &tasks);
    if !tasks.is_empty() {
        api.coordinator.broker().accept_all(tasks).await?;
    }
    metrics::counter!("dormouse_events_total").increment(1);
    tracing::debug!(
        event.id = receipt.id,
        event.source = event.source,
        event.type = event.ty,
        takers = receipt.takers.len(),
        trace = %trace,
        "event taken"
    );
    Ok((StatusCode::ACCEPTED, Json(receipt)).into_response())
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
    fn absent_content_type_means_json_in_structured_mode_only() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            "Application/CloudEvents+JSON; charset=utf-8"
                .parse()
                .unwrap(),
        );
        let body = br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{}}"#;
        let event = read(&headers, Bytes::from_static(body)).unwrap();
        assert_eq!(event.datacontenttype.as_deref(), Some("application/json"));

        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/s"),
            ("ce-type", "t"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let event = read(&headers, Bytes::from_static(b"x")).unwrap();
        assert_eq!(event.datacontenttype, None);
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
