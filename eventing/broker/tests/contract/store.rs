//! The store on disk: older and newer versions, and rows that cannot be read.

use dormouse_broker::{Broker, Config, Error, State};
use rusqlite::Connection;

use crate::stage::*;

/// The schema as version 1 created it.
const VERSION_1: &str = include_str!("../../src/store/schema.sql");

#[tokio::test]
async fn a_store_of_version_1_is_migrated_with_what_is_in_it() {
    let dir = tempfile::TempDir::new().unwrap();
    let old = Connection::open(dir.path().join("broker.db")).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let policy = serde_json::to_string(&*task().delivery).unwrap();
    let policy = policy.replace(r#""suspensionExpiry":"168h","#, "");
    let waiting = task();
    old.execute("INSERT INTO policies VALUES (1, ?1)", [policy])
        .unwrap();
    old.execute(
        "INSERT INTO tasks (id, state, pool, capability, principal, round, attempt, tokens,
             accepted_at, changed_at, due, expires_at, policy, trace, request, history)
         VALUES (?1, 0, 'pool', 'tool', 'p', 1, 0, x'', 1, 1, 1, 9e15, 1, ?2, x'7b7d', '')",
        (
            waiting
                .id
                .to_string()
                .parse::<uuid::Uuid>()
                .unwrap()
                .as_bytes(),
            trace,
        ),
    )
    .unwrap();
    old.execute_batch("PRAGMA user_version = 1").unwrap();
    drop(old);

    let mut bench = reopen(dir, 1, 10).await;
    let claim = bench.claim().await;
    assert_eq!((claim.task, &claim.work), (waiting.id, &waiting.work));
    let report = dormouse_broker::Report::Suspended(dormouse_broker::Asks {
        asks: r#"{"a":{"method":"roots/list"}}"#.into(),
        revision: None,
    });
    assert_eq!(bench.settle(&claim, report).await, Some(State::Suspended));
    let bench = bench.crash(1, 10).await;
    assert_eq!(bench.state(waiting.id).await, State::Suspended);
}

#[tokio::test]
async fn a_store_of_the_next_version_is_used_and_of_a_later_one_refused() {
    let bench = bench(1, 10).await;
    let raw = Connection::open(bench.dir.path().join("broker.db")).unwrap();
    raw.execute_batch("PRAGMA user_version = 5; CREATE TABLE newer (x INTEGER)")
        .unwrap();
    let bench = bench.crash(1, 10).await;
    let task = task();
    bench.broker.accept(task.clone()).await.unwrap();
    assert_eq!(bench.state(task.id).await, State::Running);
    raw.execute_batch("PRAGMA user_version = 6").unwrap();
    let dir = bench.dir;
    drop((bench.broker, bench.claims));
    let refused = loop {
        match Broker::open(Config::new(dir.path())) {
            Err(Error::Locked(_)) => tokio::task::yield_now().await,
            other => break other,
        }
    };
    assert!(matches!(refused, Err(Error::Schema { found: 6, known: 4 })));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_hold_up_the_others() {
    let mut bench = bench(1, 10).await;
    let (running, broken, interrupted, waiting) = (task(), task(), task(), task());
    for task in [&running, &broken, &interrupted, &waiting] {
        bench.broker.accept(task.clone()).await.unwrap();
    }
    let claim = bench.claim().await;
    let raw = Connection::open(bench.dir.path().join("broker.db")).unwrap();
    let spoil = |task: dormouse_broker::TaskId, column: &str| {
        let id: uuid::Uuid = task.to_string().parse().unwrap();
        let sql = format!("UPDATE tasks SET trace = 'rubbish'{column} WHERE id = ?1");
        assert_eq!(raw.execute(&sql, [id.as_bytes()]).unwrap(), 1);
    };
    // One that waits, one whose time is over, one that a restart finds running.
    spoil(broken.id, ", accepted_at = 0, expires_at = 1, due = 0");
    spoil(interrupted.id, "");
    bench.settle(&claim, done()).await;
    let claim = bench.claim().await;
    assert_eq!(claim.task, waiting.id);
    bench.settle(&claim, done()).await;
    spoil(interrupted.id, ", state = 1");
    let mut bench = bench.crash(1, 10).await;
    let next = task();
    bench.broker.accept(next.clone()).await.unwrap();
    assert_eq!(bench.claim().await.task, next.id);
}
