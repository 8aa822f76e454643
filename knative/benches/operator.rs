//! The operator's program with 200 AgentPools that are applied at once: what it asks of the API
//! server until all are ready, and what it costs when nothing happens. Knative's part is played,
//! so the time says little more than that none of them waits for another.
//!
//! Needs the API server of the test cluster (`tests/cluster/install`).

#[path = "../tests/operator/api_server.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod api_server;
#[path = "../tests/operator/audit.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod audit;
#[path = "../tests/operator/peer.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod peer;
#[path = "../tests/operator/scene.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod scene;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dormouse_operator::AgentPool;
use dormouse_operator::agent_pool::Check;
use dormouse_operator::pool::knative::Service;
use futures_util::future::join_all;
use kube::api::ListParams;
use scene::{Scene, eventually};
use serde_json::json;

const POOLS: usize = 200;
const IDLE: Duration = Duration::from_secs(60);

/// The unit of the times in `/proc`, everywhere on Linux.
const TICKS_A_SECOND: f64 = 100.0;

struct Operator(Child);

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let scene = Scene::without_operator().await;
    scene.make_platform(json!({})).await;
    let operator = Operator(
        Command::new(env!("CARGO_BIN_EXE_dormouse-operator"))
            .args(["--listen", "127.0.0.1:0", "--lease-namespace", "default"])
            .env("KUBECONFIG", scene.server.kubeconfig())
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .spawn()
            .expect("the operator"),
    );
    let names: Vec<_> = (0..POOLS).map(|n| format!("pool-{n}")).collect();
    let began = Instant::now();
    let spec = json!({"image": "dormouse/educational:0.1.0", "agentType": "educational"});
    join_all(names.iter().map(|name| scene.make_pool(name, spec.clone()))).await;
    let services = scene.api::<Service>();
    eventually("all services are there", async || {
        let list = services.list(&ListParams::default()).await;
        list.is_ok_and(|list| list.items.len() == POOLS)
    })
    .await;
    println!(
        "{POOLS} pools applied, all deployed: {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let played = names.iter().map(async |name| {
        scene.play_ready(name, &format!("{name}-00001")).await;
    });
    join_all(played).await;
    let pools = scene.api::<AgentPool>();
    eventually("all pools are ready", async || {
        let list = pools.list(&ListParams::default()).await.expect("pools");
        list.items.iter().all(|pool| {
            let status = pool.status.as_ref();
            status.is_some_and(|it| it.conditions.holds(Check::Ready))
        })
    })
    .await;
    println!("all ready: {:.1} s", began.elapsed().as_secs_f64());
    // The last events are still on their way.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let asked = scene.server.requests();
    let leases = asked.iter().filter(|it| it.contains("leases")).count();
    let each = (asked.len() - leases) as f64 / POOLS as f64;
    println!("requests a pool: {each:.1} (bar: 12)");
    let process = format!("/proc/{}", operator.0.id());
    let before = processor_seconds(Path::new(&process));
    tokio::time::sleep(IDLE).await;
    let used = processor_seconds(Path::new(&process)) - before;
    let memory = |of| megabytes(Path::new(&process), of);
    println!(
        "idle: {:.2} % of a core (bar: 0.5), {:.1} MB (bar: 30), of which {:.1} MB are its own and \
         the rest is the program",
        100.0 * used / IDLE.as_secs_f64(),
        memory("VmRSS:"),
        memory("RssAnon:"),
    );
}

/// What a process has used, by its user and system times (`proc_pid_stat(5)`, 14 and 15).
fn processor_seconds(process: &Path) -> f64 {
    let stat = std::fs::read_to_string(process.join("stat")).expect("a process");
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks: f64 = fields.filter_map(|it| it.parse::<f64>().ok()).sum();
    ticks / TICKS_A_SECOND
}

fn megabytes(process: &Path, of: &str) -> f64 {
    let status = std::fs::read_to_string(process.join("status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(of));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    kilobytes.map_or(f64::NAN, |kilobytes: f64| kilobytes / 1_024.0)
}
