//! The command line against a running platform.

use std::process::Output;

use serde_json::{Value, json};

use crate::platform::{Platform, program};
use crate::pools::Pool;
use crate::session::Session;

/// Runs `dormouse WORDS` against this platform.
async fn run(platform: &Platform, words: &[&str]) -> Output {
    let mut command = program();
    command
        .args(words)
        .arg(format!("--mcp-url=ws://{}", platform.mcp()))
        .arg(format!(
            "--coordinator-url=http://{}",
            platform.doors().coordinator
        ));
    tokio::task::spawn_blocking(move || command.output().expect("it runs"))
        .await
        .expect("it ends")
}

/// What it printed, when it went well.
pub async fn print(platform: &Platform, words: &[&str]) -> String {
    let output = run(platform, words).await;
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What it said, when it did not.
pub async fn complain(platform: &Platform, words: &[&str]) -> String {
    let output = run(platform, words).await;
    assert!(!output.status.success(), "{words:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{words:?}: {output:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn call_prints_the_result() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let said = print(&platform, &["call", "echo", "--arg", "text=good day"]).await;
    assert_eq!(said, "good day\n");
    let said = print(&platform, &["call", "add", "--arg", "a=19", "--arg=b=23"]).await;
    assert!(said.contains("42"), "{said}");
    let words = ["call", "echo", "--json", r#"{"text":"5"}"#, "-o", "json"];
    let result = json(&print(&platform, &words).await);
    assert_eq!(result["content"][0]["text"], "5");

    for (words, named) in [
        (&["call", "no_such_tool", "--json={}"][..], "no_such_tool"),
        (&["call", "add", "--arg=a=one", "--arg=b=2"], "a number"),
        (&["call", "echo", "--arg=txt=hello"], "text"),
        (&["call", "fail"], ""),
        (
            &["call", "sleep", "--arg=ms=600000", "--timeout=50ms"],
            "50ms",
        ),
    ] {
        let said = complain(&platform, words).await;
        assert!(
            !said.is_empty() && said.contains(named),
            "{words:?}: {said}"
        );
    }
    platform.task_in("sleep", "cancelled").await;
}

#[tokio::test]
async fn the_same_key_is_the_same_call() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let file = platform.folder().join("runs");
    let arguments = json!({"file": file, "key": "k"}).to_string();
    let words = [
        "call",
        "count",
        "--json",
        &arguments,
        "--idempotency-key=once",
    ];
    let first = print(&platform, &words).await;
    assert_eq!(print(&platform, &words).await, first);
    assert_eq!(std::fs::read_to_string(&file).expect("one run"), "k\n");
    let words = [
        "call",
        "count",
        "--json",
        r#"{"file":"/x","key":"k"}"#,
        "--idempotency-key=once",
    ];
    let said = complain(&platform, &words).await;
    assert!(said.contains("other arguments"), "{said}");
}

#[tokio::test]
async fn pools_shows_what_sleeps() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let said = print(&platform, &["pools"]).await;
    assert!(
        said.contains("fixture") && said.contains("asleep"),
        "{said}"
    );
    let said = print(&platform, &["pools", "fixture"]).await;
    assert!(said.contains("count_idempotent"), "{said}");
    let page = json(&print(&platform, &["pools", "-o", "json"]).await);
    assert_eq!(page["pools"][0]["name"], "fixture");
    let said = complain(&platform, &["pools", "nobody"]).await;
    assert!(said.contains("nobody"), "{said}");
}

#[tokio::test]
async fn send_says_who_takes_the_event() {
    let trigger = json!([{"filters": [{"exact": {"type": "com.example.note"}}]}]);
    let pool = Pool::fixture("fixture").with("triggers", trigger);
    let platform = Platform::start([pool]).await;
    let words = [
        "send",
        "--type=com.example.note",
        "--data",
        r#"{"n":1}"#,
        "-o",
        "json",
    ];
    let receipt = json(&print(&platform, &words).await);
    assert_eq!(receipt["takers"][0]["pool"], "fixture");
    let task = receipt["takers"][0]["task"].as_str().expect("a task");
    let shown = print(&platform, &["tasks", "show", task]).await;
    assert!(shown.contains("com.example.note"), "{shown}");
    let said = print(&platform, &["send", "--type=com.example.other"]).await;
    assert!(said.contains("0 pools"), "{said}");
    let said = complain(
        &platform,
        &["send", "--type=dev.dormouse.task.completed.v1"],
    )
    .await;
    assert!(said.contains("dev.dormouse"), "{said}");
}

#[tokio::test]
async fn tasks_lists_shows_and_cancels() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let session = Session::open(platform.mcp()).await;
    let (_, call) = session.start(
        "tools/call",
        json!({"name": "sleep", "arguments": {"ms": 600_000}}),
    );
    let task = platform.task_in("sleep", "running").await;
    let id = task["id"].as_str().expect("an id");

    let said = print(&platform, &["tasks"]).await;
    assert!(said.contains(id) && said.contains("running"), "{said}");
    let none = print(
        &platform,
        &["tasks", "list", "--state=failed", "-o", "json"],
    )
    .await;
    assert_eq!(json(&none)["tasks"], json!([]));
    let timeline = print(&platform, &["tasks", "show", id]).await;
    assert!(
        timeline.contains("accepted") && timeline.contains("running"),
        "{timeline}"
    );

    print(
        &platform,
        &["tasks", "cancel", id, "--reason", "no longer needed"],
    )
    .await;
    let answer = call.await.expect("the caller hears of it");
    assert!(answer.to_string().contains("no longer needed"), "{answer}");
    let timeline = print(&platform, &["tasks", "show", id]).await;
    assert!(timeline.contains("cancelled"), "{timeline}");
    assert!(timeline.contains("no longer needed"), "{timeline}");

    session.call("echo", json!({"text": "done"})).await;
    let done = platform.task_in("echo", "completed").await;
    let id = done["id"].as_str().expect("an id");
    let said = complain(&platform, &["tasks", "cancel", id]).await;
    assert!(said.contains("completed"), "{said}");
}

#[tokio::test]
async fn without_a_platform_it_says_how_to_start_one() {
    let mut platform = Platform::start([]).await;
    platform.signal(rustix::process::Signal::TERM);
    crate::platform::eventually("the end", async || platform.ended()).await;
    for words in [
        &["pools"][..],
        &["tasks"],
        &["call", "echo"],
        &["send", "--type=t"],
    ] {
        let said = complain(&platform, words).await;
        assert!(said.contains("dormouse dev"), "{words:?}: {said}");
    }
}
