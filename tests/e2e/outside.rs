//! An always-on agent that somebody else runs: registered by its address, killed, back, and
//! still known after `kill -9` of the platform. What sleeps meanwhile is not woken by a probe.

use std::process::{Child, Stdio};

use hyper::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::http;
use crate::platform::{Platform, Setup, eventually};
use crate::pools::{self, Pool};
use crate::session::{Session, text};

/// The SDK's fixture on a port of its own, as an operator would start it.
pub struct Agent {
    program: Child,
    /// Where it listens, as `host:port`.
    pub address: String,
}

impl Agent {
    /// Starts it at this port and waits until it listens.
    pub async fn start(platform: &Platform, port: u16) -> Self {
        let program = std::process::Command::new(pools::fixture_program())
            .env("PORT", port.to_string())
            .envs([platform.mark()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let address = format!("127.0.0.1:{port}");
        eventually("the agent to listen", async || {
            TcpStream::connect(&address).await.ok()
        })
        .await;
        Self {
            program: program.expect("the agent starts"),
            address,
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[tokio::test]
async fn an_agent_that_runs_elsewhere_is_called_as_if_it_ran_here() {
    let mut platform = Setup::new([Pool::conformance("sleeper")])
        .argument("--probe-interval=100ms")
        .argument("--discovery-interval=1")
        .start()
        .await;
    let port = free_port();
    let agent = Agent::start(&platform, port).await;
    let row = json!({
        "pool_id": "away",
        "agent_type": "test",
        "endpoint": format!("http://{}", agent.address),
        "delivery": {"retry": 60, "backoffDelay": "50ms", "backoffPolicy": "linear"},
    });
    let coordinator = platform.doors().coordinator.clone();
    let joined = http::post(&coordinator, "/pools", &[], &row.to_string()).await;
    assert_eq!(joined.status, 201, "{joined:?}");
    assert_eq!(joined.json()["state"], "awake");
    let session = Session::open(platform.mcp()).await;
    eventually("its tools to be offered", async || {
        let listed = session.ask("tools/list", json!({})).await.ok()?;
        listed.to_string().contains("\"echo\"").then_some(())
    })
    .await;
    check_echo(&platform, "here it is").await;

    // Away: its tool stays offered, and a call waits for it.
    drop(agent);
    eventually("the probe to fail", async || {
        (platform.pool("away").await?["state"] == "failing").then_some(())
    })
    .await;
    let (agent, ()) = tokio::join!(
        Agent::start(&platform, port),
        check_echo(&platform, "back again")
    );

    platform.kill().await;
    platform.restart().await;
    let known = platform.pool("away").await.expect("it is still registered");
    assert_eq!(known["endpoints"].as_array().map(Vec::len), Some(1));
    check_echo(&platform, "as before").await;

    eventually("some probes", async || {
        let well = r#"outcome="well""#;
        (metric(&platform, "dormouse_endpoint_probes_total", well).await >= 5.0).then_some(())
    })
    .await;
    let sleeper = platform.pool("sleeper").await.expect("it is deployed");
    assert_eq!(sleeper["state"], "asleep");
    let wakes = metric(&platform, "dormouse_wakes_total", "sleeper").await;
    assert_eq!(wakes, 0.0, "nobody wakes what sleeps");

    let coordinator = platform.doors().coordinator.clone();
    let gone = http::send(Method::DELETE, &coordinator, "/pools/away", &[], "").await;
    assert_eq!(gone.status, 204);
    let session = Session::open(platform.mcp()).await;
    eventually("its tools to be gone", async || {
        let listed = session.ask("tools/list", json!({})).await.ok()?;
        (!listed.to_string().contains("\"echo\"")).then_some(())
    })
    .await;
    drop(agent);
}

async fn check_echo(platform: &Platform, words: &str) {
    let session = Session::open(platform.mcp()).await;
    let result: Value = session.call("echo", json!({"text": words})).await;
    assert_eq!(text(&result), words);
}

/// The sum of a metric's series that say this.
async fn metric(platform: &Platform, name: &str, label: &str) -> f64 {
    let page = http::get(&platform.doors().coordinator, "/metrics").await;
    let lines = page.body.lines();
    lines
        .filter(|line| line.starts_with(name) && line.contains(label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// From below the ports that the kernel hands out, so that nobody else gets it meanwhile.
pub fn free_port() -> u16 {
    (0..)
        .map(|_| rand::random_range(10_000..30_000))
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
