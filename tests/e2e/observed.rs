//! What can be seen from outside: metrics, health, history, and one trace for one call.

use serde_json::json;

use crate::http::get;
use crate::modern::Modern;
use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;
use crate::session::{Session, text};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn one_call_is_one_trace() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let session = Session::open(platform.mcp()).await;
    let call = json!({"name": "trace", "arguments": {}, "_meta": {"traceparent": PARENT}});
    let answer = session.ask("tools/call", call).await.expect("an answer");
    assert!(text(&answer["result"]).contains(TRACE), "{answer}");
    let modern = Modern::call("trace", json!({})).meta("traceparent", json!(PARENT));
    let answer = modern.send(platform.mcp()).await.json();
    assert!(text(&answer["result"]).contains(TRACE), "{answer}");
    for task in platform.tasks("trace").await {
        let parent = task["traceparent"].as_str().expect("a trace");
        assert_eq!(&parent[3..35], TRACE);
    }
    // Without one, or with a wrong one, the call starts its own.
    for meta in [json!({}), json!({"traceparent": "00-rubbish"})] {
        let call = json!({"name": "trace", "arguments": {}, "_meta": meta});
        let answer = session.ask("tools/call", call).await.expect("an answer");
        assert!(!text(&answer["result"]).contains(TRACE), "{answer}");
    }
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let session = Session::open(platform.mcp()).await;
    for _ in 0..3 {
        session.call("echo", json!({"text": "counted"})).await;
    }
    let doors = platform.doors();
    for address in [&doors.admin, &doors.coordinator] {
        let page = get(address, "/metrics").await;
        assert_eq!(page.status, 200);
        for name in NAMES {
            assert!(page.body.contains(name), "{name} is in {}", page.body);
        }
    }
}

/// What docs say is counted.
const NAMES: [&str; 9] = [
    "dormouse_calls_total",
    "dormouse_call_seconds",
    "dormouse_sessions",
    "dormouse_tasks_total",
    "dormouse_tasks_running",
    "dormouse_queue_depth",
    "dormouse_instances",
    "dormouse_wakes_total",
    "dormouse_wake_seconds",
];

#[tokio::test]
async fn health_is_told_at_every_door() {
    let platform = Platform::start([]).await;
    let doors = platform.doors();
    for address in [&doors.mcp, &doors.admin, &doors.coordinator] {
        let answer = get(address, "/health").await;
        assert_eq!(answer.status, 200, "{address}: {answer:?}");
    }
}

#[tokio::test]
async fn a_tasks_history_tells_its_life() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let session = Session::open(platform.mcp()).await;
    session.call("echo", json!({"text": "remembered"})).await;
    let task = platform.task_in("echo", "completed").await;
    let path = format!("/tasks/{}", task["id"].as_str().expect("an id"));
    let shown = get(&platform.doors().coordinator, &path).await.json();
    let states: Vec<_> = shown["history"]
        .as_array()
        .expect("a history")
        .iter()
        .map(|entry| entry["to"].as_str().expect("a state"))
        .collect();
    assert_eq!(states, ["accepted", "running", "completed"], "{shown}");
    let result = get(&platform.doors().coordinator, &format!("{path}/result")).await;
    assert_eq!(text(&result.json()), "remembered");
}

#[tokio::test]
async fn logs_are_json_when_asked_and_name_the_pool() {
    let pool = Pool::broken("talkative", "exit").with("delivery", json!({"retry": 0}));
    let platform = Setup::new([pool])
        .argument("--log-format=json")
        .start()
        .await;
    let session = Session::open(platform.mcp()).await;
    session.call("misbehave", json!({})).await;
    let line = eventually("what the function said", async || {
        let log = platform.log();
        let mut lines = log.lines();
        let said = lines.find(|line| line.contains("there is no such database"));
        said.map(str::to_owned)
    })
    .await;
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert!(line.to_string().contains("talkative"), "{line}");
}

#[tokio::test]
async fn what_passes_through_is_kept_to_the_letter() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let session = Session::open(platform.mcp()).await;
    let bytes = 2_000_000;
    let result = session.call("big", json!({"bytes": bytes})).await;
    assert!(text(&result).len() >= bytes, "all of it arrives");
    let strange = "\u{0}\u{1f}\u{2028}\"\\ é 🐭 </script>";
    let result = session.call("echo", json!({"text": strange})).await;
    assert_eq!(text(&result), strange);
}
