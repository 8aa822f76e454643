//! Memory: the platform idle, the gateway alone, and idle WebSocket sessions, each after
//! `initialize` and one `tools/list`, and again after one message of 1 MB.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod load;

use std::time::Duration;

use load::client::{Caller as _, Session};
use load::platform::Platform;
use load::{arguments, resident};

const SESSIONS: usize = 5_000;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

fn main() {
    if arguments() == ["gateway"] {
        return gateway_alone();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        measure_gateway();
        let platform = Platform::start(&[], "{max: 1, concurrency: 100, idle: 1s}");
        settle().await;
        let idle = resident(platform.pid());
        println!("dev, all pools asleep: {:.1} MB", megabytes(idle));
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            let mut session = Session::open(&platform.mcp).await;
            session.exchange(LIST.to_owned()).await;
            sessions.push(session);
        }
        settle().await;
        report(
            "after initialize and one list",
            idle,
            resident(platform.pid()),
        );
        // Nothing is stored by it: this is about the gateway's memory.
        let large = format!(
            r#"{{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{{"_meta":{{"padding":"{}"}}}}}}"#,
            "x".repeat(1_000_000)
        );
        for session in &mut sessions {
            session.exchange(large.clone()).await;
        }
        settle().await;
        report(
            "after one 1 MB message each",
            idle,
            resident(platform.pid()),
        );
    });
}

async fn settle() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn report(when: &str, idle: u64, now: u64) {
    let each = now.saturating_sub(idle) as f64 / SESSIONS as f64 / 1024.0;
    println!(
        "{SESSIONS} WebSocket sessions {when}: {each:.1} KB a session, {:.1} MB in all",
        megabytes(now)
    );
}

fn measure_gateway() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .arg("gateway")
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(2));
    println!("gateway alone: {:.1} MB", megabytes(resident(child.id())));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A gateway with its broker and no pools, until it is killed.
fn gateway_alone() {
    use dormouse_broker::{Broker, Config};
    use dormouse_gateway::Gateway;
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let broker = Broker::open(Config::new(folder.path())).unwrap();
        let (_pools, registrations) = tokio::sync::watch::channel(Default::default());
        let gateway = Gateway::new(
            dormouse_gateway::Config::new(Default::default()),
            broker,
            dormouse_gateway::Store::open(folder.path()).unwrap(),
            registrations,
            tokio::sync::broadcast::channel(1).1,
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        gateway
            .serve(listener, tokio_util::sync::CancellationToken::new())
            .await;
    });
}
