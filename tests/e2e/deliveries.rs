//! The delivery log: what the API says of attempts is what happened to the function.

use hyper::Method;
use serde_json::{Value, json};

use crate::http::{post, send};
use crate::platform::{Platform, eventually};
use crate::pools::Pool;

/// What it takes.
pub const TYPE: &str = "com.example.flaky";

/// How long it may take, which includes that it starts, on a slow machine too.
const PATIENCE: &str = "5s";

/// A pool that fails in these ways, one a delivery, and then succeeds. It writes what it got to
/// `log` in the folder.
pub fn flaky(platform: &Platform, ways: &[&str]) -> Pool {
    let script = format!("{}/tests/functions/flaky.py", env!("CARGO_MANIFEST_DIR"));
    let log = platform.folder().join("deliveries").display().to_string();
    let python = python();
    let words = [&[&*python, &*script, &*log], ways].concat();
    Pool::command("flaky", &words)
        .with("run.listen", json!("port"))
        .with(
            "delivery",
            json!({"timeout": PATIENCE, "retry": 4, "backoffDelay": "10ms"}),
        )
        .with(
            "triggers",
            json!([{"name": "all", "filters": [{"exact": {"type": TYPE}}]}]),
        )
}

/// The interpreter itself: what is called so may be a script that starts it as a child of its own,
/// which would outlive a platform that is killed.
fn python() -> String {
    let print = ["-c", "import sys; print(sys.executable)"];
    let output = std::process::Command::new("python3").args(print).output();
    let output = output.expect("python3 starts");
    let path = String::from_utf8(output.stdout).expect("a path in UTF-8");
    path.trim_end().to_owned()
}

async fn get(platform: &Platform, path: &str) -> Value {
    let coordinator = &platform.doors().coordinator;
    let answer = send(Method::GET, coordinator, path, &[], "").await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// Sends an event, and returns its task.
async fn send_event(platform: &Platform, id: &str) -> String {
    let event = json!({"specversion": "1.0", "id": id, "source": "/test", "type": TYPE});
    let structured = ("content-type", "application/cloudevents+json");
    let coordinator = &platform.doors().coordinator;
    let taken = post(coordinator, "/events", &[structured], &event.to_string()).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    let task = &taken.json()["takers"][0]["task"];
    task.as_str().expect("a task").to_owned()
}

async fn task_in(platform: &Platform, id: &str, state: &str) -> Value {
    eventually(&format!("the task to be {state}"), async || {
        let task = get(platform, &format!("/tasks/{id}")).await;
        (task["state"] == state).then_some(task)
    })
    .await
}

/// A time of the API in milliseconds.
fn millis(time: &Value) -> i64 {
    let time = time.as_str().expect("a time");
    let time: jiff::Timestamp = time.parse().expect("RFC 3339");
    time.as_millisecond()
}

/// What the function wrote of each delivery.
fn seen(platform: &Platform) -> Vec<Value> {
    let log = std::fs::read_to_string(platform.folder().join("deliveries"));
    let lines = log.expect("a log");
    let lines = lines.lines().map(serde_json::from_str);
    lines.map(|line| line.expect("a line of JSON")).collect()
}

/// Each attempt that the API tells of is a delivery that the function saw, between its start and its
/// end, and begins after the one before has ended.
fn compare(attempts: &[Value], seen: &[Value]) {
    assert_eq!(attempts.len(), seen.len(), "{attempts:?} {seen:?}");
    let mut before = 0;
    for (attempt, seen) in attempts.iter().zip(seen) {
        assert_eq!(attempt["attempt"], seen["attempt"], "{attempt}");
        let at = seen["at"].as_i64().expect("milliseconds");
        let (start, end) = (millis(&attempt["startedAt"]), millis(&attempt["endedAt"]));
        assert!(before <= start, "{attempts:?}");
        assert!(start <= at && at <= end, "{attempt} {seen}");
        before = end;
    }
}

#[tokio::test]
async fn the_delivery_log_tells_what_the_function_went_through() {
    let platform = Platform::start([]).await;
    // Without its breaker, which would leave it alone for a while after the third failure.
    let patient = flaky(&platform, &["500", "hang", "crash", "429", "rubbish"]);
    let patient = patient.with("breaker", json!({"failures": 0}));
    platform.write_pool(&patient.with("delivery.retry", json!(5)));
    eventually("the pool", async || platform.pool("flaky").await).await;
    let id = send_event(&platform, "1").await;
    let task = task_in(&platform, &id, "completed").await;

    let attempts = task["attempts"].as_array().expect("attempts");
    compare(attempts, &seen(&platform));
    for (attempt, (outcome, named)) in attempts.iter().zip([
        ("unknown", Some("500")),
        ("unknown", Some(PATIENCE)),
        ("unknown", Some("connection")),
        ("unknown", Some("429")),
        ("unknown", Some("no reply")),
        ("completed", None),
    ]) {
        assert_eq!(attempt["outcome"], outcome, "{attempt}");
        let error = attempt["error"].as_str();
        assert_eq!(error.is_some(), named.is_some(), "{attempt}");
        if let (Some(error), Some(named)) = (error, named) {
            assert!(error.contains(named), "{attempt}");
        }
    }

    // The event's own page says the same.
    let seq = &task["event"];
    let event = get(&platform, &format!("/events/{seq}")).await;
    assert_eq!(event["event"]["id"], "1");
    assert_eq!(event["deliveries"][0]["attempts"], task["attempts"]);
    assert_eq!(event["deliveries"][0]["trigger"], "all");
}

#[tokio::test]
async fn a_dead_letter_tells_every_attempt_and_runs_again_after_a_restart() {
    let mut platform = Platform::start([]).await;
    let always = flaky(&platform, &["500"; 5]);
    // The breaker leaves it alone after the third failure, and again after the fourth.
    let always = always.with("breaker", json!({"failures": 3, "pause": "1s"}));
    platform.write_pool(&always);
    eventually("the pool", async || platform.pool("flaky").await).await;
    let id = send_event(&platform, "1").await;
    task_in(&platform, &id, "failed").await;
    platform.kill().await;
    platform.restart().await;

    let dead = get(&platform, "/dead-letters").await;
    assert_eq!(dead["tasks"][0]["id"], id, "{dead}");
    let shown = get(&platform, &format!("/dead-letters/{id}")).await;
    assert_eq!(shown["event"]["type"], TYPE);
    let attempts = shown["task"]["attempts"].as_array().expect("attempts");
    compare(attempts, &seen(&platform));
    assert_eq!(attempts.len(), 5, "{attempts:?}");
    for attempt in attempts {
        let error = attempt["error"].as_str().expect("an error");
        assert!(error.contains("500"), "{attempt}");
    }

    let broken = platform.pool("flaky").await.expect("the pool")["revision"].clone();
    platform.write_pool(&flaky(&platform, &[]));
    eventually("the mended pool", async || {
        let pool = platform.pool("flaky").await?;
        (pool["revision"] != broken).then_some(())
    })
    .await;
    let coordinator = &platform.doors().coordinator;
    let redriven = post(
        coordinator,
        "/dead-letters/redrive",
        &[],
        r#"{"all": true}"#,
    )
    .await;
    let redriven = redriven.json();
    assert_eq!(
        (&redriven["redriven"][0]["id"], &redriven["left"]),
        (&json!(id), &json!(0))
    );
    let new = redriven["redriven"][0]["task"].as_str().expect("a task");
    let ended = task_in(&platform, new, "completed").await;
    assert_eq!(ended["redriveOf"], id, "{ended}");
}
