//! Any valid event goes the whole way unchanged: in through the door in each mode, over both
//! versions of HTTP, into the log, to functions, and as a function's reply into the log and to
//! functions once more.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use dormouse_contract::http_binding::{self, Mode};
use dormouse_contract::{Event, task};
use hyper::{HeaderMap, Method};
use proptest::array::uniform4;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::platform::{Platform, eventually};
use crate::pools::Pool;

#[path = "../../eventing/contract/tests/binding/any_event.rs"]
mod any_event;

use any_event::{any_event, as_text};

/// Each sends four events.
const CASES: u32 = 32;

/// What the platform says of a delivery, in attributes of its own.
const OF_DELIVERIES: [&str; 8] = [
    task::ATTEMPT,
    task::DEADLINE,
    task::HOPS,
    task::POOL,
    task::PRINCIPAL,
    task::ROUND,
    task::TASK_ID,
    task::TRACEPARENT,
];

#[test]
fn any_event_comes_out_as_it_went_in() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let stage = runtime.block_on(Stage::open());
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        max_shrink_time: 60_000,
        failure_persistence: None,
        ..Config::default()
    });
    let events = any_event().prop_filter("attributes of deliveries", |event| {
        let mut names = event.extensions.keys();
        !names.any(|name| OF_DELIVERIES.contains(&name.as_str()))
    });
    let tried = runner.run(&(uniform4(events), any::<bool>()), |(events, is_http2)| {
        runtime.block_on(stage.check(events, is_http2))
    });
    // The functions stop before the runtime does.
    drop(stage);
    tried.unwrap_or_else(|error| panic!("{error}"));
}

/// A function that replies to each event with itself, and one that notes each event.
struct Stage {
    platform: Platform,
    record: PathBuf,
    sent: AtomicUsize,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let record = folder.path().join("record");
        let others = json!([{"filters": [{"not": {"prefix": {"type": "mirrored/"}}}]}]);
        let pools = [
            Pool::mirror("mirror").with("triggers", others),
            Pool::recorder("recorder", &record),
        ];
        Self {
            platform: Platform::start(pools).await,
            record,
            sent: AtomicUsize::new(0),
            _folder: folder,
        }
    }

    /// Sends one event in binary mode, one in structured mode and two as a batch.
    async fn check(&self, mut events: [Event; 4], is_http2: bool) -> TestCaseResult {
        for event in &mut events {
            // Else what comes again would be a duplicate.
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            event.id.insert_str(0, &format!("{number} "));
        }
        let [binary, structured, batch @ ..] = &events;
        for (message, sent) in [
            (http_binding::write(binary.clone()), &events[..1]),
            (http_binding::write_structured(structured), &events[1..2]),
            (http_binding::write_batch(batch), &events[2..]),
        ] {
            let mode = Mode::of(&message.0);
            let answer = self.send(message, is_http2).await;
            prop_assert_eq!(answer.status, 202, "{:?}", answer);
            let receipts = match answer.json() {
                Value::Array(receipts) => receipts,
                receipt => vec![receipt],
            };
            prop_assert_eq!(receipts.len(), sent.len());
            for (receipt, event) in receipts.iter().zip(sent) {
                let is_text = mode == Ok(Mode::Binary);
                let event = if is_text {
                    as_text(event.clone())
                } else {
                    event.clone()
                };
                self.follow(event, receipt).await?;
            }
        }
        Ok(())
    }

    async fn send(&self, (headers, body): (HeaderMap, Bytes), is_http2: bool) -> Answer {
        let door = &self.platform.doors().coordinator;
        if is_http2 {
            let url = format!("http://{door}/events");
            return http::post_http2(door, &url, headers, body).await;
        }
        let text = |value: &hyper::header::HeaderValue| value.to_str().expect("text").to_owned();
        let headers = headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_str(), text(value)))
            .collect();
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        http::send(Method::POST, door, "/events", &headers, body).await
    }

    /// Looks at an event in the log and at the function, and at the reply to it in both places. How
    /// a delivery travels is the platform's choice, so only the log has the types of extensions.
    async fn follow(&self, event: Event, receipt: &Value) -> TestCaseResult {
        prop_assert_eq!(&self.logged(&receipt["seq"]).await, &event);
        let event = as_text(event);
        prop_assert_eq!(&self.recorded(&event.id).await, &event);

        let takers = receipt["takers"].as_array().expect("a list");
        prop_assert_eq!(takers.len(), 2, "{}", receipt);
        let mut mirror = takers.iter().filter(|taker| taker["pool"] == "mirror");
        let task = &mirror.next().expect("a task of the mirror")["task"];
        let task = task.as_str().expect("an id");
        let ended = self.ended(task).await;
        prop_assert_eq!(&ended["state"], "completed", "{}", ended);
        let reply = Event {
            id: task.to_owned(),
            ty: format!("mirrored/{}", event.ty),
            ..event
        };
        prop_assert_eq!(&self.recorded(&reply.id).await, &reply);
        let found = self.get(&format!("/events?id={}", reply.id)).await.json();
        let logged = self.logged(&found["events"][0]["seq"]).await;
        prop_assert_eq!(&as_text(bare(logged)), &reply);
        Ok(())
    }

    async fn logged(&self, seq: &Value) -> Event {
        let shown = self.get(&format!("/events/{seq}")).await;
        let shown: Shown = serde_json::from_str(&shown.body).expect("an event");
        http_binding::read_structured(shown.event.get().as_bytes()).expect("a valid event")
    }

    async fn ended(&self, task: &str) -> Value {
        eventually("the mirror's answer", async || {
            let task = self.get(&format!("/tasks/{task}")).await.json();
            let is_over = !["accepted", "running"]
                .iter()
                .any(|state| task["state"] == *state);
            (is_over || task["attempt"].as_u64() > Some(1)).then_some(task)
        })
        .await
    }

    async fn get(&self, path: &str) -> Answer {
        let answer = http::get(&self.platform.doors().coordinator, path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer
    }

    /// What the function got under an id.
    async fn recorded(&self, id: &str) -> Event {
        eventually(&format!("event {id:?} at the function"), async || {
            let record = std::fs::read_to_string(&self.record).unwrap_or_default();
            // The last line may still be written.
            let whole = &record[..record.rfind('\n').map_or(0, |end| end + 1)];
            let mut events = whole.lines().rev().map(noted);
            events.find(|event| event.id == id)
        })
        .await
    }
}

/// An event as the API shows it.
#[derive(serde::Deserialize)]
struct Shown {
    event: Box<RawValue>,
}

/// An event as the function notes it.
fn noted(line: &str) -> Event {
    let mut line: Value = serde_json::from_str(line).expect("a line of JSON");
    let attributes = line["attributes"].take().to_string();
    let event = http_binding::read_structured(attributes.as_bytes()).expect("a valid event");
    let data = line["data"].as_str();
    let data = data.map(|data| BASE64.decode(data).expect("base64").into());
    as_text(bare(Event { data, ..event }))
}

fn bare(mut event: Event) -> Event {
    for name in OF_DELIVERIES {
        event.extensions.remove(name);
    }
    event
}
