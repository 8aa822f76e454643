//! Events through all that can go wrong: functions that fail at random, and a platform that dies
//! by `kill -9` again and again. Each event still reaches each pool that takes it, or is a dead
//! letter; it comes twice only where a delivery was cut, and in order where that was asked for.

mod account;
mod producers;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::http::get;
use crate::platform::{Platform, Setup};
use crate::pools::Pool;
use account::Journal;
use producers::{Sent, produce};

const EVENTS: usize = 10_000;
const PRODUCERS: usize = 4;
const KILLS: usize = 5;
/// So many events at most are under way: the kills meet producers and deliveries alike.
const UNDER_WAY: usize = 1_500;
/// No test asserts on time: so long nothing at all may happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The attempts of an event that fails whenever it comes.
const ATTEMPTS: u64 = 6;

/// The pools, and which events they take.
const POOLS: [(&str, Takes); 3] = [
    ("every", Takes::Every),
    ("red", Takes::Red),
    ("turns", Takes::Ordered),
];

/// What a pool's trigger asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Every,
    /// By type.
    Red,
    /// By subject, and one at a time of each.
    Ordered,
}

impl Takes {
    fn trigger(self) -> Value {
        match self {
            Self::Every => json!({"filters": []}),
            Self::Red => json!({"filters": [{"exact": {"type": "org.example.red"}}]}),
            Self::Ordered => json!({
                "filters": [{"prefix": {"subject": "turn-"}}],
                "ordering": "subject",
            }),
        }
    }

    /// How often its breaker opens: one pool has one that does.
    fn breaker(self) -> Value {
        match self {
            Self::Every => json!({"failures": 5, "pause": "20ms"}),
            Self::Red | Self::Ordered => json!({"failures": 0}),
        }
    }

    fn is_for(self, event: &Sent) -> bool {
        match self {
            Self::Every => true,
            Self::Red => event.is_red(),
            Self::Ordered => event.has_turn(),
        }
    }
}

#[tokio::test]
async fn every_event_arrives_or_is_a_dead_letter() {
    let seed = std::env::var("CHAOS_SEED").map_or_else(
        |_| rand::random(),
        |seed| seed.parse::<u64>().expect("CHAOS_SEED is a number"),
    );
    // Seen when the test fails.
    println!("CHAOS_SEED={seed} does the same again");
    let journals = tempfile::tempdir().expect("a folder");
    let file = |name: &str| journals.path().join(name);
    let pools = POOLS.map(|(name, takes)| moody(name, takes, file(name), seed));
    let mut platform = Setup::new(pools).fixed_ports().start().await;
    let door = platform.doors().coordinator.clone();

    let files = POOLS.map(|(name, _)| file(name));
    let written = || files.iter().map(|file| account::lines(file)).sum();
    let producers = (0..PRODUCERS).map(|number| produce(&door, seed, number, &written));
    let (sent, ()) = tokio::join!(join_all(producers), kill_often(&mut platform, &written));
    let sent: Vec<Sent> = sent.into_iter().flatten().collect();
    wait_for_rest(&platform, &written).await;

    account::check_log(&sent);
    let journals = POOLS.map(|(name, _)| Journal::read(&file(name)));
    for ((name, takes), journal) in POOLS.iter().zip(&journals) {
        account::check_pool(&door, (name, *takes), &sent, journal).await;
    }
}

/// The SDK's function of many moods, with little patience on both sides.
fn moody(name: &str, takes: Takes, journal: PathBuf, seed: u64) -> Pool {
    Pool::moody(name)
        .with_env("JOURNAL", &journal.to_string_lossy())
        .with_env("SEED", &seed.to_string())
        .with("triggers", json!([takes.trigger()]))
        .with(
            "scaling",
            json!({"max": 2, "concurrency": 8, "idle": "60s"}),
        )
        .with("breaker", takes.breaker())
        .with(
            "delivery",
            json!({
                "timeout": "500ms",
                "retry": ATTEMPTS - 1,
                "backoffDelay": "20ms",
                "backoffPolicy": "linear",
                "retryAfterMax": "50ms",
                "totalBudget": "10m",
            }),
        )
}

/// Kills and restarts it, spread over the deliveries rather than over time: every kill meets some.
async fn kill_often(platform: &mut Platform, written: &impl Fn() -> usize) {
    // Each event is taken by about two pools.
    let expected = EVENTS * 2;
    for kill in 1..=KILLS {
        let after = kill * expected / (KILLS + 1);
        progress(written, async |written| (written >= after).then_some(())).await;
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..20))).await;
        platform.kill().await;
        platform.restart().await;
    }
}

/// Waits until no task is under way any more.
async fn wait_for_rest(platform: &Platform, written: &impl Fn() -> usize) {
    let door = &platform.doors().coordinator;
    progress(written, async |_| {
        for state in ["accepted", "running"] {
            let page = get(door, &format!("/tasks?limit=1&state={state}")).await;
            if page.json()["tasks"] != json!([]) {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// Asks until there is an answer; panics when the functions get nothing more for too long.
async fn progress<T>(
    written: &impl Fn() -> usize,
    mut ask: impl AsyncFnMut(usize) -> Option<T>,
) -> T {
    let mut last = (0, Instant::now());
    loop {
        let now = written();
        if let Some(answer) = ask(now).await {
            return answer;
        }
        if now > last.0 {
            last = (now, Instant::now());
        }
        assert!(
            last.1.elapsed() < PATIENCE,
            "nothing moves after {now} deliveries"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
