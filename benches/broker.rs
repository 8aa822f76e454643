//! The embedded broker alone: tasks accepted, claimed and settled a second, against raw SQLite
//! writing the same rows in batches of the same size.
//!
//! Both sides run in turn, several rounds; what counts is the ratio of each round.
//! `cargo bench -p dormouse-broker --bench broker`

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use dormouse_broker::{Broker, Config, Durability, NewTask, News, Report, TaskId, Work};
use dormouse_contract::policy::Delivery;
use dormouse_contract::trace::TraceParent;
use rusqlite::{Connection, params};

const ROUNDS: usize = 5;
const PAYLOAD: &[u8] = br#"{"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello, dormouse"}},"client":{"protocolVersion":"2025-11-25"}}"#;
const RESULT: &[u8] = br#"{"content":[{"type":"text","text":"hello, dormouse"}]}"#;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    for (durability, tasks) in [(Durability::Process, 60_000), (Durability::Power, 10_000)] {
        for in_flight in [1, 16, 128] {
            let tasks = if in_flight == 1 { tasks / 4 } else { tasks };
            let mut ratios = Vec::new();
            let mut last = String::new();
            for _ in 0..ROUNDS {
                let (ours, batch) = runtime.block_on(broker(durability, tasks, in_flight));
                let raw = raw(durability, tasks, batch);
                ratios.push(ours / raw);
                last = format!("{ours:>8.0}/s  raw {raw:>8.0}/s  {batch:>5.1} rows a commit");
            }
            ratios.sort_by(f64::total_cmp);
            println!(
                "{durability:?}, {in_flight:>3} in flight: {last}  ratio {:.2} (min {:.2}, max {:.2})",
                ratios[ROUNDS / 2],
                ratios[0],
                ratios[ROUNDS - 1]
            );
        }
    }
}

/// Tasks a second, and rows written a commit.
async fn broker(durability: Durability, tasks: usize, in_flight: usize) -> (f64, f64) {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        durability,
        max_running: 1_000,
        ..Config::new(dir.path())
    };
    let broker = Broker::open(config).unwrap();
    let mut claims = broker.claims();
    broker.open_pool("pool".into(), 1_000, 1_000).await.unwrap();
    let dispatcher = broker.clone();
    tokio::spawn(async move {
        while let Some(claim) = claims.recv().await {
            let broker = dispatcher.clone();
            tokio::spawn(async move {
                let report = Report::Completed(Bytes::from_static(RESULT));
                broker
                    .settle(claim.task, claim.token, report)
                    .await
                    .unwrap();
            });
        }
    });
    let commits = broker.commits();
    let begin = Instant::now();
    let callers: Vec<_> = (0..in_flight)
        .map(|_| {
            let broker = broker.clone();
            tokio::spawn(async move {
                for _ in 0..tasks / in_flight {
                    let task = task();
                    let mut waiter = broker.wait(task.id);
                    broker.accept(task).await.unwrap();
                    while !matches!(waiter.next().await.unwrap(), News::Ended(..)) {}
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let seconds = begin.elapsed().as_secs_f64();
    let batch = (tasks * 2) as f64 / (broker.commits() - commits) as f64;
    broker.stop().await;
    (tasks as f64 / seconds, batch)
}

fn task() -> NewTask {
    NewTask {
        id: TaskId::new(),
        pool: "pool".into(),
        capability: "echo".into(),
        work: Work::Call(Bytes::from_static(PAYLOAD)),
        principal: "local/anonymous".into(),
        reply_to: None,
        affinity: None,
        trace: TraceParent::random(),
        idempotency: None,
        delivery: Delivery::default().into(),
    }
}

/// The same rows by the shortest way: one thread, prepared statements, no queue, no channel.
fn raw(durability: Durability, tasks: usize, batch: f64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let conn = Connection::open(dir.path().join("raw.db")).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    conn.pragma_update(None, "synchronous", synchronous)
        .unwrap();
    conn.execute_batch(include_str!("../eventing/broker/src/store/schema.sql"))
        .unwrap();
    let trace = TraceParent::random().to_string();
    let history = "{\"at\":1764000000000,\"to\":\"accepted\",\"by\":\"caller\"}\n\
        {\"at\":1764000000000,\"to\":\"running\",\"by\":\"broker\",\"why\":\"attempt 1\"}\n";
    let settled = "{\"at\":1764000000000,\"to\":\"completed\",\"by\":\"function\"}\n";
    // Half of a commit's rows are new tasks, half are endings.
    let chunk = ((batch / 2.0).round() as usize).max(1);
    let alone = batch < 1.5;
    let begin = Instant::now();
    let mut done = 0;
    while done < tasks {
        let ids: Vec<[u8; 16]> = (0..chunk)
            .map(|_| uuid::Uuid::now_v7().into_bytes())
            .collect();
        conn.prepare_cached("BEGIN IMMEDIATE")
            .unwrap()
            .execute([])
            .unwrap();
        for id in &ids {
            conn.prepare_cached(
                "INSERT INTO tasks (id, state, pool, capability, principal, round, attempt, tokens,
                     accepted_at, started_at, changed_at, due, expires_at, policy, trace, request,
                     history)
                 VALUES (?1, 1, 'pool', 'echo', 'local/anonymous', 1, 1, ?2, 0, 0, 0, 0, 0, 1, ?3,
                     ?4, ?5)",
            )
            .unwrap()
            .execute(params![id, id, trace, PAYLOAD, history])
            .unwrap();
        }
        if alone {
            conn.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
            conn.prepare_cached("BEGIN IMMEDIATE")
                .unwrap()
                .execute([])
                .unwrap();
        }
        for id in &ids {
            conn.prepare_cached(
                "UPDATE tasks SET state = 3, due = 0, ending = ?2, dead = 0,
                     history = history || ?3, changed_at = 0 WHERE id = ?1 AND state = 1",
            )
            .unwrap()
            .execute(params![id, RESULT, settled])
            .unwrap();
        }
        conn.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
        done += chunk;
    }
    let elapsed: Duration = begin.elapsed();
    done as f64 / elapsed.as_secs_f64()
}
