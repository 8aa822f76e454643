//! A million waiting events: how fast a broker takes and hands out events beside them, against one
//! where nothing waits, and how much memory they take.
//!
//! Both sides run in turn, now this one first and now that one; what counts is the ratio of each
//! round. Between two turns is a rest: a log that is still being copied into its database would slow the other side down.
//! The memory is that of the whole process, with what the benchmark itself needs.
//! `cargo bench -p dormouse-broker --bench backlog`

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dormouse_broker::{Broker, Config, NewEvent, Report, Route, Way};
use dormouse_contract::Event;
use dormouse_contract::policy::Delivery;
use dormouse_contract::trace::TraceParent;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// The program's allocator: the system's locks where one thread frees what another allocated.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WAITING: usize = 1_000_000;
const ROUNDS: usize = 8;
const REST: Duration = Duration::from_secs(2);
/// Events taken in and handed out a round.
const EVENTS: usize = 20_000;
const PRODUCERS: usize = 16;
const SLOTS: usize = 64;
const POOL: &str = "pool";
const DATA: &[u8] = br#"{"action":"opened","number":42,"title":"hello, dormouse"}"#;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let full = Side::open(WAITING).await;
    println!(
        "{WAITING} waiting events: {:.1} MB of memory",
        megabytes_resident()
    );
    let empty = Side::open(0).await;
    let (mut taken, mut handed_out) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        // Who comes second finds the disk and the processors as the first one left them.
        let is_full_first = round % 2 == 0;
        let taken_in = turns(is_full_first, full.take_in(), empty.take_in()).await;
        let settled = turns(is_full_first, full.hand_out(), empty.hand_out()).await;
        // The first round warms both sides up.
        if round > 0 {
            taken.push(taken_in);
            handed_out.push(settled);
        }
    }
    println!("taken in, {PRODUCERS} at a time: {}", ratio(taken));
    println!(
        "handed out and settled, {SLOTS} at a time: {}",
        ratio(handed_out)
    );
    println!("afterwards: {:.1} MB of memory", megabytes_resident());
    println!("bar: 0.80, 100 MB");
    full.broker.stop().await;
    empty.broker.stop().await;
}

/// Both sides' turns, in this order.
async fn turns(
    is_full_first: bool,
    full: impl Future<Output = f64>,
    empty: impl Future<Output = f64>,
) -> (f64, f64) {
    if is_full_first {
        let full = rested(full).await;
        (full, rested(empty).await)
    } else {
        let empty = rested(empty).await;
        (rested(full).await, empty)
    }
}

async fn rested(turn: impl Future<Output = f64>) -> f64 {
    tokio::time::sleep(REST).await;
    turn.await
}

/// A broker, and how many of its tasks have been settled.
struct Side {
    broker: Broker,
    settled: Arc<AtomicUsize>,
    done: Arc<Notify>,
    route: Route,
    _folder: TempDir,
}

impl Side {
    async fn open(waiting: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            max_backlog: 2 * WAITING,
            max_running: 1_000,
            ..Config::new(folder.path())
        };
        let broker = Broker::open(config).unwrap();
        broker.open_pool(POOL.into(), 0, 1_000).await.unwrap();
        let side = Self {
            settled: Arc::default(),
            done: Arc::default(),
            route: Route {
                capability: None,
                pool: POOL.into(),
                trigger: "0".into(),
                ordered: false,
                delivery: Arc::new(Delivery {
                    repeatable: true,
                    ..Delivery::default()
                }),
            },
            broker,
            _folder: folder,
        };
        side.settle_all();
        for _ in 0..waiting / 1_000 {
            let batch = (0..1_000).map(|_| event(&side.route)).collect();
            side.broker.publish(batch, None).await.unwrap();
        }
        side
    }

    /// Settles whatever is handed out.
    fn settle_all(&self) {
        let mut claims = self.broker.claims();
        let broker = self.broker.clone();
        let (settled, done) = (Arc::clone(&self.settled), Arc::clone(&self.done));
        tokio::spawn(async move {
            while let Some(claim) = claims.recv().await {
                let broker = broker.clone();
                let (settled, done) = (Arc::clone(&settled), Arc::clone(&done));
                tokio::spawn(async move {
                    let report = Report::Completed(Bytes::new());
                    let ended = broker.settle(claim.task, claim.token, report).await;
                    assert!(ended.unwrap().is_some());
                    settled.fetch_add(1, Ordering::Relaxed);
                    done.notify_one();
                });
            }
        });
    }

    /// Events taken in a second.
    async fn take_in(&self) -> f64 {
        let begin = Instant::now();
        let mut producers = JoinSet::new();
        for _ in 0..PRODUCERS {
            let (broker, route) = (self.broker.clone(), self.route.clone());
            producers.spawn(async move {
                for _ in 0..EVENTS / PRODUCERS {
                    broker.publish(vec![event(&route)], None).await.unwrap();
                }
            });
        }
        producers.join_all().await;
        EVENTS as f64 / begin.elapsed().as_secs_f64()
    }

    /// Events handed out and settled a second.
    async fn hand_out(&self) -> f64 {
        let before = self.settled.load(Ordering::Relaxed);
        let begin = Instant::now();
        self.broker
            .open_pool(POOL.into(), SLOTS, 1_000)
            .await
            .unwrap();
        while self.settled.load(Ordering::Relaxed) < before + EVENTS {
            self.done.notified().await;
        }
        let settled = self.settled.load(Ordering::Relaxed) - before;
        let rate = settled as f64 / begin.elapsed().as_secs_f64();
        self.broker.open_pool(POOL.into(), 0, 1_000).await.unwrap();
        rate
    }
}

fn event(route: &Route) -> NewEvent {
    let id = uuid::Uuid::now_v7().to_string();
    let mut event = Event::new(id, "/repositories/7", "com.example.pull_request.opened")
        .with_json(Bytes::from_static(DATA));
    event.subject = Some("pulls/42".to_owned());
    NewEvent {
        event,
        trace: TraceParent::random(),
        way: Way::default(),
        cause: None,
        routes: vec![route.clone()],
    }
}

/// The middle round, and the ratios of all.
fn ratio(mut rounds: Vec<(f64, f64)>) -> String {
    rounds.sort_by(|one, other| f64::total_cmp(&(one.0 / one.1), &(other.0 / other.1)));
    let of = |(full, empty): (f64, f64)| full / empty;
    let (full, empty) = rounds[ROUNDS / 2];
    format!(
        "{full:>7.0}/s  empty {empty:>7.0}/s  ratio {:.2} (min {:.2}, max {:.2})",
        full / empty,
        of(rounds[0]),
        of(rounds[ROUNDS - 1])
    )
}

fn megabytes_resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1_024.0 / 1e6
}
