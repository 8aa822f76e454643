//! The ingress as producers find it: both versions of HTTP, batches, and who may push.

use std::path::Path;

use dormouse_contract::{Event, http_binding};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http::{get, post_http2, send};
use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;

const TOKEN: &str = "sesame";

#[tokio::test]
async fn events_come_over_http_2_without_tls() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let door = &platform.doors().coordinator;
    let (status, receipt) = post_ping(door, door).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{receipt}");
    assert_eq!(receipt["takers"][0]["pool"], "fixture");
    platform.task_in("org.example.ping", "completed").await;
    let (status, problem) = post_ping(door, "evil.example").await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
}

#[tokio::test]
async fn a_batch_reaches_its_function_event_by_event() {
    let platform = Setup::new([Pool::fixture("fixture")])
        .token(TOKEN)
        .start()
        .await;
    let door = &platform.doors().coordinator;
    let bearer = format!("Bearer {TOKEN}");
    let ping = |id: &str| json!({"specversion": "1.0", "id": id, "source": "/s", "type": "org.example.ping", "data": id});
    let batch = json!([ping("1"), ping("2"), ping("3")]).to_string();
    let headers = [
        ("content-type", "application/cloudevents-batch+json"),
        ("authorization", bearer.as_str()),
    ];
    let stranger = send(Method::POST, door, "/events", &headers[..1], batch.clone()).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    let taken = send(Method::POST, door, "/events", &headers, batch).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{taken:?}");
    let receipts = taken.json();
    let ids: Vec<_> = receipts.as_array().expect("a list").iter().collect();
    assert_eq!(ids.len(), 3, "{receipts}");
    eventually("three reactions", async || {
        let tasks = platform.tasks("org.example.ping").await;
        let done = tasks.iter().filter(|task| task["state"] == "completed");
        (done.count() == 3).then_some(())
    })
    .await;

    let asked = [
        ("webhook-request-origin", "events.example"),
        ("authorization", bearer.as_str()),
    ];
    let granted = send(Method::OPTIONS, door, "/events", &asked, "").await;
    assert_eq!(granted.headers["webhook-allowed-origin"], "events.example");
    assert_eq!(granted.headers["allow"], "GET, HEAD, OPTIONS, POST");
}

#[tokio::test]
async fn a_function_of_reactions_alone_takes_what_its_file_says_else_what_its_manifest_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let [all, some] = ["all", "some"].map(|name| folder.path().join(name));
    let notes = json!([{"filters": [{"prefix": {"type": "org.example.note"}}]}]);
    let platform = Platform::start([
        Pool::recorder("all", &all),
        Pool::recorder("some", &some).with("triggers", notes),
    ])
    .await;
    let door = &platform.doors().coordinator;
    for (ty, takers) in [("org.example.other", 1), ("org.example.note", 2)] {
        let event = json!({"specversion": "1.0", "id": ty, "source": "/s", "type": ty});
        let media = [("content-type", "application/cloudevents+json")];
        let taken = send(Method::POST, door, "/events", &media, event.to_string()).await;
        let count = taken.json()["takers"].as_array().map(Vec::len);
        assert_eq!(count, Some(takers), "{taken:?}");
    }
    let types = |file: &Path| -> Vec<String> {
        let lines = std::fs::read_to_string(file).unwrap_or_default();
        let line = |line| serde_json::from_str::<Value>(line).expect("JSON");
        let types = lines
            .lines()
            .map(|it| line(it)["attributes"]["type"].to_string());
        types.collect()
    };
    eventually("three reactions", async || {
        let count = types(&all).len() + types(&some).len();
        (count == 3).then_some(())
    })
    .await;
    assert_eq!(types(&some), ["\"org.example.note\""]);
}

#[tokio::test]
async fn events_wait_for_a_function_that_cannot_run_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let heard = folder.path().join("heard");
    let mut platform = Platform::start([Pool::recorder("recorder", &heard)]).await;
    platform.kill().await;
    platform.write_pool(&Pool::command("recorder", &["/no/such/program"]));
    platform.restart().await;
    let event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"});
    let media = [("content-type", "application/cloudevents+json")];
    let door = &platform.doors().coordinator;
    let taken = send(Method::POST, door, "/events", &media, event.to_string()).await;
    assert_eq!(taken.json()["takers"][0]["pool"], "recorder", "{taken:?}");
    platform.write_pool(&Pool::recorder("recorder", &heard));
    platform.task_in("t", "completed").await;
    let heard = std::fs::read_to_string(&heard).expect("what it heard");
    assert_eq!(heard.lines().count(), 1, "{heard}");
}

#[tokio::test]
async fn replies_that_their_own_pool_takes_end_in_a_dead_letter() {
    let platform = Platform::start([Pool::mirror("mirror")]).await;
    let door = &platform.doors().coordinator;
    let ping = Event::new("1", "/s", "ping");
    let (headers, body) = http_binding::write_binary(ping);
    let url = format!("http://{door}/events");
    let taken = post_http2(door, &url, headers, body).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{taken:?}");
    let dead = eventually("a dead letter", async || {
        let page = get(door, "/dead-letters").await.json();
        page["tasks"].get(0).cloned()
    })
    .await;
    let error = dead["failure"]["error"]["message"].as_str();
    let error = error.unwrap_or_else(|| panic!("{dead}"));
    assert!(
        error.contains("mirror") && error.contains("trigger"),
        "{error}"
    );
}

/// Sends an event in binary mode over HTTP/2.
async fn post_ping(door: &str, authority: &str) -> (StatusCode, Value) {
    let ping = Event::new("1", "/s", "org.example.ping");
    let (headers, body) = http_binding::write_binary(ping);
    let url = format!("http://{authority}/events");
    let answer = post_http2(door, &url, headers, body).await;
    (answer.status, answer.json())
}
