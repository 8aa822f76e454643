//! What the tests share: launches of `plain`, calls, and looks at processes.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::registration::{CallError, Instances};
use dormouse_host::{Config, Host, Launch, Listen, Revision};
use http::{Method, Request};
use tower::Service as _;

/// Long enough for anything that must happen at all.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A built example of this crate.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().unwrap().parent().unwrap();
    target.join("examples").join(name)
}

pub fn host() -> Host {
    Host::new(Config {
        launcher: Some(example("plain")),
    })
}

/// `plain` with its listener as standard input.
pub fn launch(pool: &str) -> Launch {
    let mut launch = Launch::new(pool, format!("{pool}-00001"), example("plain"));
    launch.args = vec!["--stdin".to_owned()];
    launch
}

/// `plain` on a port.
pub fn launch_on_port(pool: &str) -> Launch {
    let mut launch = launch(pool);
    launch.args.clear();
    launch.listen = Listen::Port;
    launch
}

/// One call; the answer as text.
pub async fn call(revision: &Revision, body: &str) -> Result<String, CallError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri("http://pool.example/")
        .body(Bytes::from(body.to_owned()))
        .unwrap();
    let answer = tokio::time::timeout(PATIENCE, revision.clone().call(request))
        .await
        .expect("an answer in time")?;
    Ok(String::from_utf8(answer.body().to_vec()).unwrap())
}

pub async fn pid(revision: &Revision) -> u32 {
    call(revision, "pid").await.unwrap().parse().unwrap()
}

/// Waits until the counts are as wanted.
pub async fn until(revision: &Revision, wanted: impl Fn(&Instances) -> bool) -> Instances {
    let mut instances = revision.instances();
    let reached = instances.wait_for(|instances| wanted(instances));
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    reached.expect("in time").unwrap().clone()
}

pub fn asleep(instances: &Instances) -> bool {
    instances.ready + instances.waking + instances.stopping == 0
}

/// Whether there is such a process, even one that nobody has waited for.
pub fn exists(pid: u32) -> bool {
    PathBuf::from(format!("/proc/{pid}")).exists()
}

/// Whether there is such a process and it runs. One that lost its parent may stay a zombie where
/// nobody adopts it.
pub fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !state.is_empty() && !state.starts_with(['Z', 'X'])
}

/// Waits until it holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The processes that this one has started.
pub fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let after_name = stat.rsplit(')').next().unwrap_or_default();
            after_name.split_whitespace().nth(1) == Some(&parent.to_string())
        })
        .collect()
}
