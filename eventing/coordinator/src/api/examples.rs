//! What the OpenAPI document shows as examples: values of the very types that are answered.

use dormouse_broker::{
    AttemptOutcome, AttemptRecord, DeadLetter, EventRecord, EventType, HistoryEntry, Seq, State,
    TaskId, TaskRecord,
};
use dormouse_contract::filter::{Comparison, Filter, Mismatch, Ordering, Reason};
use dormouse_contract::policy::Delivery;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::dead_letters::{DeadLetterView, Redriven};
use super::ingress::{Receipt, Taker};
use super::log::EventView;
use super::sources::{SourceEvent, SourcePage, SourceView};
use super::tasks::TaskPage;
use super::triggers::{TestedEvent, TestedTrigger, TriggerTest, TriggerView};
pub(super) use pools::{
    declaration, instances, knative_pool, manifest, outside_pool, pool, pool_page, row,
};

mod pools;

/// The id of the task in all examples.
pub(super) const TASK: &str = "0193a5f0-1c2b-7d3e-8f4a-5b6c7d8e9f00";

/// The place in the log of the event in all examples.
pub(super) const SEQ: Seq = Seq(4_711);

pub(super) fn task_id() -> TaskId {
    TASK.parse().unwrap_or_default()
}

pub(super) fn trigger() -> TriggerView {
    TriggerView {
        pool: "educational".to_owned(),
        name: "pushes".to_owned(),
        filters: filters(),
        ordering: Some(Ordering::Subject),
        delivery: Delivery {
            repeatable: true,
            ..Delivery::default()
        },
    }
}

fn filters() -> Vec<Filter> {
    serde_json::from_str(r#"[{"exact":{"type":"com.github.push"}}]"#).unwrap_or_default()
}

pub(super) fn trigger_test() -> TriggerTest {
    let mismatch = Mismatch {
        at: "filters[0].exact.type".to_owned(),
        reason: Reason::Differs {
            attribute: "type".to_owned(),
            value: "com.github.push".to_owned(),
            comparison: Comparison::Exact,
            wanted: "com.github.release".to_owned(),
        },
    };
    let tested = |name: &str, matches| TestedTrigger {
        pool: "educational".to_owned(),
        name: name.to_owned(),
        matches,
        why: Vec::new(),
        mismatches: Vec::new(),
    };
    TriggerTest {
        events: vec![TestedEvent {
            id: "e-1".to_owned(),
            source: "/repos/dormouse".to_owned(),
            ty: "com.github.push".to_owned(),
            takers: 1,
            triggers: vec![
                tested("pushes", true),
                TestedTrigger {
                    why: vec![mismatch.to_string()],
                    mismatches: vec![mismatch],
                    ..tested("releases", false)
                },
            ],
        }],
    }
}

pub(super) fn task_page() -> TaskPage {
    TaskPage {
        tasks: vec![TaskRecord {
            attempts: Vec::new(),
            history: Vec::new(),
            ..task()
        }],
        next: Some(task_id()),
    }
}

pub(super) fn task() -> TaskRecord {
    let line = |at: &str, to, by: &str, why: &str| HistoryEntry {
        at: at.to_owned(),
        to,
        by: by.to_owned(),
        why: why.to_owned(),
        outcome: None,
    };
    TaskRecord {
        id: task_id(),
        pool: "educational".to_owned(),
        capability: "com.github.push".to_owned(),
        principal: "event//repos/dormouse".to_owned(),
        state: State::Completed,
        round: 1,
        attempt: 1,
        accepted_at: "2026-11-23T06:17:06.120Z".to_owned(),
        changed_at: "2026-11-23T06:17:06.164Z".to_owned(),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
        asks: Vec::new(),
        event: Some(SEQ),
        trigger: Some("pushes".to_owned()),
        redrive_of: None,
        redriven_as: None,
        dead_letter: None,
        failure: None,
        attempts: vec![AttemptRecord {
            round: 1,
            attempt: 1,
            started_at: "2026-11-23T06:17:06.121Z".to_owned(),
            ended_at: Some("2026-11-23T06:17:06.164Z".to_owned()),
            outcome: AttemptOutcome::Completed,
            error: None,
        }],
        history: vec![
            line("2026-11-23T06:17:06.120Z", State::Accepted, "caller", ""),
            line(
                "2026-11-23T06:17:06.121Z",
                State::Running,
                "broker",
                "attempt 1",
            ),
            line("2026-11-23T06:17:06.164Z", State::Completed, "function", ""),
        ],
    }
}

pub(super) fn result() -> Value {
    json!({"content": [{"type": "text", "text": "Aligned with CCSS.MATH.4.NF.1"}]})
}

pub(super) fn event() -> Value {
    json!({
        "specversion": "1.0",
        "id": "e-1",
        "source": "/repos/dormouse",
        "type": "com.github.push",
        "subject": "main",
        "data": {"ref": "main"},
    })
}

pub(super) fn receipt() -> Receipt {
    Receipt {
        id: "e-1".to_owned(),
        seq: SEQ,
        duplicate: false,
        takers: vec![Taker {
            pool: "educational".to_owned(),
            trigger: "pushes".to_owned(),
            task: task_id(),
        }],
        detail: "1 task is stored".to_owned(),
    }
}

pub(super) fn source_page() -> SourcePage {
    let source = |name: &str, kind: &str| SourceView {
        name: name.to_owned(),
        kind: kind.to_owned(),
        path: None,
        schedule: None,
        timezone: None,
        next_run: None,
        events: 0,
        last_event: None,
        last_error: None,
    };
    SourcePage {
        sources: vec![
            SourceView {
                path: Some("/webhooks/github".to_owned()),
                ..source("github", "github")
            },
            SourceView {
                schedule: Some("30 2 * * *".to_owned()),
                timezone: Some("Europe/Berlin".to_owned()),
                next_run: Some("2026-11-24T01:30:00Z".to_owned()),
                events: 1,
                last_event: Some(SourceEvent {
                    id: "nightly-2026-11-23T01:30:00Z".to_owned(),
                    at: "2026-11-23T01:30:00.004Z".to_owned(),
                }),
                ..source("nightly", "schedule")
            },
        ],
    }
}

/// What a listener to changes reads.
pub(super) const CHANGES: &str = "event: event\nid: 4711\ndata: {\"seq\":4711,\"id\":\"e-1\",\"source\":\"/repos/dormouse\",\"type\":\"com.github.push\"}\n\n\
event: task\ndata: {\"id\":\"0193a5f0-1c2b-7d3e-8f4a-5b6c7d8e9f00\",\"pool\":\"educational\",\"capability\":\"com.github.push\",\"state\":\"running\"}\n\n";

pub(super) fn event_record() -> EventRecord {
    EventRecord {
        seq: SEQ,
        id: "e-1".to_owned(),
        source: "/repos/dormouse".to_owned(),
        ty: "com.github.push".to_owned(),
        subject: Some("main".to_owned()),
        received_at: "2026-11-23T06:17:06.120Z".to_owned(),
        hops: 0,
        via: None,
        cause: None,
        size: 14,
        tasks: 1,
    }
}

pub(super) fn event_type() -> EventType {
    EventType {
        ty: "com.github.push".to_owned(),
        last: SEQ,
        last_at: "2026-11-23T06:17:06.120Z".to_owned(),
    }
}

fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_default()
}

pub(super) fn event_view() -> EventView {
    EventView {
        record: event_record(),
        event: raw(&event()),
        deliveries: vec![task()],
    }
}

pub(super) fn dead_letter() -> TaskRecord {
    TaskRecord {
        state: State::Failed,
        dead_letter: Some(DeadLetter::Open),
        failure: Some(super::problem::failed()),
        history: Vec::new(),
        ..task()
    }
}

pub(super) fn dead_letter_view() -> DeadLetterView {
    DeadLetterView {
        task: dead_letter(),
        event: Some(raw(&event())),
        request: None,
    }
}

pub(super) fn redriven() -> Redriven {
    Redriven {
        id: task_id(),
        task: "0193a5f2-77aa-7b10-9c3d-2e4f60718293"
            .parse()
            .unwrap_or_default(),
    }
}
