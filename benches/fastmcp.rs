//! Side by side: this platform, and a FastMCP proxy (`fastmcp` from PyPI), over the same echo
//! work. The proxy stands in front of the platform itself, the fastest upstream at hand; what the
//! platform takes of its time is the first figure.
//!
//! Needs `make clients`, which installs FastMCP.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod load;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use load::Spread;
use load::client::{Session, run};
use load::platform::Platform;
use load::posts::Posts;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for connections in [1, 16] {
            measure(connections).await;
        }
    });
}

async fn measure(connections: usize) {
    let platform = Platform::start(&["--max-tasks", "200"], "{max: 1, concurrency: 200}");
    let proxy = Proxy::start(&platform.mcp).await;
    let (mut sessions, mut proxied) = (Vec::new(), Vec::new());
    for _ in 0..connections {
        sessions.push(Session::open(&platform.mcp).await);
        proxied.push(Posts::legacy(&proxy.address).await);
    }
    let mut ratios = Vec::new();
    let mut last = None;
    for round in 0..=ROUNDS {
        let (ours, theirs);
        (theirs, proxied) = run(proxied, ROUND).await;
        (ours, sessions) = run(sessions, ROUND).await;
        // The first round warms both sides up.
        if round > 0 {
            ratios.push(ours.per_second / theirs.per_second);
        }
        last = Some((ours, theirs));
    }
    let (ours, theirs) = last.unwrap();
    println!(
        "{connections:>2} connections: dormouse {:.0}/s p50 {} us, FastMCP proxy {:.1}/s p50 {} ms; \
         calls/s ratio {}",
        ours.per_second,
        ours.p50.as_micros(),
        theirs.per_second,
        theirs.p50.as_millis(),
        Spread::of(ratios)
    );
}

/// A FastMCP proxy as a process; it ends with this.
struct Proxy {
    child: Child,
    address: String,
}

impl Proxy {
    async fn start(upstream: &str) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let program = format!(
            "from fastmcp.server import create_proxy\n\
             create_proxy('http://{upstream}/mcp').run(transport='http', host='127.0.0.1', \
             port={}, show_banner=False, log_level='ERROR')",
            address.port()
        );
        let child = Command::new(python())
            .args(["-c", &program])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("FastMCP is installed by `make clients`");
        let begin = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "the proxy does not start"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self {
            child,
            address: address.to_string(),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn python() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    );
    target.join("clients/python-fastmcp/bin/python")
}
