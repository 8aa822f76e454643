//! A warm `tools/call` over WebSocket, the whole durable path, against the bare two hops over
//! HTTP (client -> axum proxy -> axum echo, nothing stored). Both sides in turn, several rounds.
//!
//! `make bench`, or: `cargo build --release -p dormouse-function --example fixture && cargo bench
//! --bench calls`

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod load;

use std::time::Duration;

use load::client::{Connection, Load, Session, run};
use load::hops::{Hops, become_hop};
use load::platform::Platform;
use load::{Spread, arguments};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const SCALING: &str = "{max: 1, concurrency: 200}";

fn main() {
    become_hop(&arguments());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // `-- process 16` measures only that.
        let only = arguments();
        for durability in ["process", "power"] {
            for connections in [1, 16, 128] {
                let chosen = [durability.to_owned(), connections.to_string()];
                if only.iter().all(|word| chosen.contains(word)) {
                    measure(durability, connections).await;
                }
            }
        }
    });
}

async fn measure(durability: &str, connections: usize) {
    let hops = Hops::start();
    let platform = Platform::start(&["--durability", durability, "--max-tasks", "200"], SCALING);
    let mut bare = Vec::new();
    let mut sessions = Vec::new();
    for _ in 0..connections {
        bare.push(Connection::open(&hops.address).await);
        sessions.push(Session::open(&platform.mcp).await);
    }
    let (mut ratios, mut differences) = (Vec::new(), Vec::new());
    let mut last = None;
    for round in 0..=ROUNDS {
        let (theirs, ours): (Load, Load);
        (theirs, bare) = run(bare, ROUND).await;
        (ours, sessions) = run(sessions, ROUND).await;
        // The first round warms both sides up.
        if round > 0 {
            ratios.push(ours.per_second / theirs.per_second);
            differences.push(ours.p50.as_secs_f64() * 1e3 - theirs.p50.as_secs_f64() * 1e3);
        }
        last = Some((theirs, ours));
    }
    let (theirs, ours) = last.unwrap();
    println!(
        "{durability:>7} durability, {connections:>3} connections: {:>6.0}/s p50 {:>4} us, two hops \
         {:>6.0}/s p50 {:>4} us; calls/s ratio {}; p50 difference {} ms",
        ours.per_second,
        ours.p50.as_micros(),
        theirs.per_second,
        theirs.p50.as_micros(),
        Spread::of(ratios),
        Spread::of(differences),
    );
}
