//! `tools/call` over HTTP, legacy and modern, against the same over WebSocket: 16 connections
//! with one call in flight each, the whole durable path, all three in turn.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod load;

use std::time::Duration;

use load::Spread;
use load::client::{Session, run};
use load::platform::Platform;
use load::posts::Posts;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let platform = Platform::start(&["--max-tasks", "200"], "{max: 1, concurrency: 200}");
    let (mut sockets, mut legacy, mut modern) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..CONNECTIONS {
        sockets.push(Session::open(&platform.mcp).await);
        legacy.push(Posts::legacy(&platform.mcp).await);
        modern.push(Posts::modern(&platform.mcp).await);
    }
    let (mut legacy_ratios, mut modern_ratios) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (socket, old, new);
        (socket, sockets) = run(sockets, ROUND).await;
        (old, legacy) = run(legacy, ROUND).await;
        (new, modern) = run(modern, ROUND).await;
        // The first round warms everything up.
        if round > 0 {
            legacy_ratios.push(old.per_second / socket.per_second);
            modern_ratios.push(new.per_second / socket.per_second);
        }
        if round == ROUNDS {
            println!(
                "tools/call, {CONNECTIONS} connections: WebSocket {:.0}/s, legacy HTTP {:.0}/s, \
                 modern HTTP {:.0}/s",
                socket.per_second, old.per_second, new.per_second
            );
        }
    }
    println!(
        "legacy HTTP against WebSocket: {}",
        Spread::of(legacy_ratios)
    );
    println!(
        "modern HTTP against WebSocket: {}",
        Spread::of(modern_ratios)
    );
}
