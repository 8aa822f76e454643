//! The command line's view of events: the log, triggers, dead letters.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::json;

use crate::cli::{complain, json, print};
use crate::deliveries::{TYPE, flaky};
use crate::platform::{Platform, eventually, program};
use crate::pools::Pool;

/// Sends an event and returns its task.
async fn sent(platform: &Platform, ty: &str) -> String {
    let words = ["send", "--type", ty, "--subject=s", "-o", "json"];
    let receipt = json(&print(platform, &words).await);
    let task = receipt["takers"][0]["task"].as_str().expect("a task");
    task.to_owned()
}

/// Two dead letters of a pool that fails twice; returns their ids.
async fn two_dead_letters(platform: &Platform) -> [String; 2] {
    let broken = flaky(platform, &["500"; 2]).with("delivery.retry", json!(1));
    platform.write_pool(&broken);
    eventually("the pool", async || platform.pool("flaky").await).await;
    let ids = [sent(platform, TYPE).await, sent(platform, TYPE).await];
    eventually("two dead letters", async || {
        let page = json(&print(platform, &["dead-letters", "-o", "json"]).await);
        (page["tasks"].as_array()?.len() == 2).then_some(())
    })
    .await;
    ids
}

#[tokio::test]
async fn a_dead_letter_is_listed_shown_redriven_and_discarded() {
    let platform = Platform::start([]).await;
    let [first, second] = two_dead_letters(&platform).await;
    let listed = print(&platform, &["dead-letters", "list", "--pool=flaky"]).await;
    for expected in [&*first, &*second, TYPE, "500"] {
        assert!(listed.contains(expected), "{expected} in {listed}");
    }
    let shown = print(&platform, &["dead-letters", "show", &first]).await;
    for expected in ["attempt 2", "may have run", "trigger   all", "subject   s"] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    assert!(shown.lines().all(|line| line.len() <= 80), "{shown}");

    let refused = complain(&platform, &["dead-letters", "redrive"]).await;
    assert!(refused.contains("--all"), "{refused}");
    let revision = platform.pool("flaky").await.expect("the pool")["revision"].clone();
    platform.write_pool(&flaky(&platform, &[]));
    eventually("the mended pool", async || {
        let pool = platform.pool("flaky").await?;
        (pool["revision"] != revision).then_some(())
    })
    .await;
    let redriven = json(
        &print(
            &platform,
            &["dead-letters", "redrive", &first, "-o", "json"],
        )
        .await,
    );
    let new = redriven["task"].as_str().expect("a task");
    eventually("the redriven task to end", async || {
        let task = json(&print(&platform, &["tasks", "show", new, "-o", "json"]).await);
        (task["state"] == "completed").then_some(())
    })
    .await;
    let timeline = print(&platform, &["tasks", "show", new]).await;
    assert!(
        timeline.contains(&format!("redrives  {first}")),
        "{timeline}"
    );
    let timeline = print(&platform, &["tasks", "show", &first]).await;
    assert!(
        timeline.contains(&format!("redriven as {new}")),
        "{timeline}"
    );

    let words = ["dead-letters", "discard", "--all", "--reason", "not needed"];
    let discarded = print(&platform, &words).await;
    assert!(discarded.contains(&second), "{discarded}");
    assert!(!discarded.contains(&first), "{discarded}");
    let listed = print(&platform, &["dead-letters"]).await;
    assert_eq!(listed, "no dead letter matches\n");
    let timeline = print(&platform, &["tasks", "show", &second]).await;
    assert!(timeline.contains("discarded: not needed"), "{timeline}");
    let said = complain(&platform, &["dead-letters", "redrive", &second]).await;
    assert!(said.contains("discarded"), "{said}");
}

#[tokio::test]
async fn a_test_says_which_triggers_take_an_event_and_why_others_do_not() {
    let trigger = |ty: &str| json!([{"name": "mine", "filters": [{"exact": {"type": ty}}]}]);
    let platform = Platform::start([
        Pool::fixture("notes").with("triggers", trigger("com.example.note")),
        Pool::fixture("others").with("triggers", trigger("com.example.other")),
    ])
    .await;
    let listed = print(&platform, &["triggers"]).await;
    assert!(listed.contains(r#"type is "com.example.note""#), "{listed}");
    let listed = print(&platform, &["triggers", "list", "--pool=others"]).await;
    assert!(!listed.contains("notes"), "{listed}");
    let said = print(&platform, &["triggers", "test", "--type=com.example.note"]).await;
    for expected in [
        "1 of 2 triggers takes it",
        "yes  notes, trigger mine",
        "no   others, trigger mine",
        "not `com.example.other`",
    ] {
        let words: Vec<_> = said.split_whitespace().collect();
        let expected: Vec<_> = expected.split_whitespace().collect();
        let found = words.windows(expected.len()).any(|it| it == expected);
        assert!(found, "{expected:?} in {said}");
    }
    let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"com.example.x"}"#;
    let words = ["triggers", "test", event, "-o", "json"];
    let tested = json(&print(&platform, &words).await);
    assert_eq!(tested["events"][0]["takers"], 0);
    let said = complain(&platform, &["triggers", "test", r#"{"type":"x"}"#]).await;
    assert!(said.contains("specversion"), "{said}");
    let page = json(&print(&platform, &["events", "-o", "json"]).await);
    assert_eq!(page["events"], json!([]));
}

#[tokio::test]
async fn events_are_listed_shown_and_followed() {
    let trigger = json!([{"filters": [{"exact": {"type": "com.example.note"}}]}]);
    let pool = Pool::fixture("fixture").with("triggers", trigger);
    let platform = Platform::start([pool]).await;
    let mut command = program();
    command
        .args(["events", "tail", "--after=0", "--type=com.example.note"])
        .arg(format!(
            "--coordinator-url=http://{}",
            platform.doors().coordinator
        ))
        .stdout(Stdio::piped());
    let mut tail = command.spawn().expect("it runs");
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    print(&platform, &["send", "--type=com.example.other"]).await;
    let words = [
        "send",
        "--type=com.example.note",
        "--subject=lesson",
        "--data",
        r#"{"n":1}"#,
    ];
    print(&platform, &words).await;
    let heard = tokio::task::spawn_blocking(move || lines.next()).await;
    tail.kill().expect("it runs");
    tail.wait().expect("its exit status");
    let heard = heard.expect("a thread").expect("a line").expect("UTF-8");
    let words: Vec<_> = heard.split_whitespace().collect();
    assert_eq!(words[1..], ["com.example.note", "dormouse-cli", "lesson"]);

    let seq = words[0];
    let listed = print(&platform, &["events", "--type=com.example.note"]).await;
    assert!(listed.contains("lesson"), "{listed}");
    assert!(!listed.contains("com.example.other"), "{listed}");
    let shown = print(&platform, &["events", "show", seq]).await;
    for expected in [
        "com.example.note from dormouse-cli",
        "\"n\": 1",
        "to fixture",
    ] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    let types = print(&platform, &["events", "types"]).await;
    assert!(types.contains("com.example.other"), "{types}");
    let said = complain(&platform, &["events", "show", "4711"]).await;
    assert!(said.contains("4711"), "{said}");
}
