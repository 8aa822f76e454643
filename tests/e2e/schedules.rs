//! Schedules: what is due is told once, also when the platform dies in between.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;

fn source(missed: &str) -> String {
    format!(
        "apiVersion: dormouse.dev/v1alpha1\n\
         kind: EventSource\n\
         metadata: {{name: {missed}}}\n\
         spec:\n  schedule: {{schedule: '* * * * * *', missed: {missed}, type: com.example.{missed}, data: {{n: 1}}}}\n"
    )
}

async fn platform() -> Platform {
    let trigger = json!([{"filters": [{"prefix": {"type": "com.example."}}]}]);
    let sources = ["skip", "once", "all"].map(source).join("---\n");
    Setup::new([Pool::fixture("fixture").with("triggers", trigger)])
        .file("pools/schedules.yaml", &sources)
        .start()
        .await
}

/// The ids of a schedule's events, oldest first.
async fn told(platform: &Platform, name: &str) -> Vec<String> {
    let events = platform.events(&format!("com.example.{name}")).await;
    let mut ids: Vec<_> = events
        .iter()
        .map(|event| event["id"].as_str().expect("an id").to_owned())
        .collect();
    ids.reverse();
    ids
}

/// The second of an event's id, `once-2026-03-29T00:30:07Z`.
fn second(id: &str) -> i64 {
    let (_, time) = id.split_once('-').expect("a name and a time");
    let time: jiff::Timestamp = time.parse().expect("a time");
    time.as_second()
}

#[tokio::test]
async fn no_run_is_told_twice_when_the_platform_is_killed_and_missed_ones_go_by_the_policy() {
    let mut platform = platform().await;
    let mut restarts = Vec::new();
    for _ in 0..3 {
        let before = told(&platform, "all").await.len();
        eventually("some runs", async || {
            (told(&platform, "all").await.len() >= before + 2).then_some(())
        })
        .await;
        platform.kill().await;
        let down = jiff::Timestamp::now().as_second();
        // Some seconds are missed.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        restarts.push((down, jiff::Timestamp::now().as_second()));
        platform.restart().await;
    }
    eventually("runs after the last restart", async || {
        let last = told(&platform, "skip").await.last().map(|id| second(id))?;
        (last > restarts[2].1 + 1).then_some(())
    })
    .await;
    for name in ["skip", "once", "all"] {
        let ids = told(&platform, name).await;
        let distinct: BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "{name}: twice: {ids:?}");
        assert!(ids.is_sorted_by_key(|id| second(id)), "{name}: {ids:?}");
        let missed = restarts.iter().map(|(down, up)| {
            let missed = down + 1..*up;
            ids.iter().filter(|id| missed.contains(&second(id))).count()
        });
        let missed: Vec<_> = missed.collect();
        let all: Vec<_> = restarts
            .iter()
            .map(|(down, up)| usize::try_from(up - down - 1).expect("some"))
            .collect();
        match name {
            "skip" => assert_eq!(missed, [0, 0, 0], "{ids:?} {restarts:?}"),
            // The last one missed may lie in the second in which the platform came up.
            "once" => assert!(
                missed.iter().all(|count| *count <= 1),
                "{ids:?} {restarts:?}"
            ),
            _ => assert_eq!(missed, all, "{ids:?} {restarts:?}"),
        }
    }
    let all: Vec<_> = told(&platform, "all")
        .await
        .iter()
        .map(|id| second(id))
        .collect();
    assert!(
        all.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "none is lost: {all:?}"
    );
    let shown = platform.source("all").await;
    assert!(
        shown["nextRun"].is_string() && shown["lastEvent"]["id"].is_string(),
        "{shown}"
    );
    let skipped: Value = platform.source("skip").await;
    assert!(
        skipped["lastError"]["detail"]
            .to_string()
            .contains("missed"),
        "{skipped}"
    );
    platform.task_in("com.example.all", "completed").await;
}

#[tokio::test]
async fn a_schedule_starts_and_stops_when_its_file_is_saved() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    platform.write_file("pools/schedule.yaml", &source("once"));
    eventually("a run", async || {
        (!told(&platform, "once").await.is_empty()).then_some(())
    })
    .await;
    platform.write_file(
        "pools/schedule.yaml",
        &source("once").replace("'* *", "'0 0"),
    );
    eventually("the hourly schedule", async || {
        let schedule = platform.source("once").await["schedule"].take();
        (schedule == "0 0 * * * *").then_some(())
    })
    .await;
    platform.write_file("pools/schedule.yaml", "# none\n");
    eventually("no schedule", async || {
        platform.sources().await.is_empty().then_some(())
    })
    .await;
}
