//! The platform under test: the real binary on free ports, with a data directory of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Running;
use crate::http::{self, Answer};
use crate::leftovers::{self, MARK};
use crate::pools::Pool;
use crate::session::{Session, text};
pub use crate::setup::{Setup, program};
use crate::setup::{write_file, write_pool};

/// No test asserts on time: this is only when it gives up waiting.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running platform. Dropping it stops it, and fails the test if it does not end well or leaves
/// a process behind.
pub struct Platform {
    setup: Setup,
    folder: TempDir,
    run: String,
    child: Child,
    doors: Doors,
}

/// Where it listens, as `host:port`.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Doors {
    /// MCP clients.
    pub mcp: String,
    /// Health and metrics.
    pub admin: String,
    /// The coordinator's API and the event ingress.
    pub coordinator: String,
}

impl Platform {
    /// A platform with these pools and nothing special.
    pub async fn start(pools: impl IntoIterator<Item = Pool>) -> Self {
        Setup::new(pools).start().await
    }

    /// Starts it and waits until it listens.
    pub(crate) async fn run(setup: Setup, folder: TempDir, run: String) -> Self {
        let child = setup.spawn(folder.path(), &run);
        let mut platform = Self {
            setup,
            folder,
            run,
            child,
            doors: Doors::default(),
        };
        platform.wait_until_ready().await;
        platform
    }

    /// Where it listens.
    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    /// The address of its MCP door.
    pub fn mcp(&self) -> &str {
        &self.doors.mcp
    }

    /// A folder for what the test's functions write.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The environment variable of other processes that must be gone when it stops: its clients.
    pub fn mark(&self) -> (&'static str, String) {
        (MARK, format!("{}/clients", self.run))
    }

    /// Starts somebody's client, which must be gone when the platform stops.
    pub fn start_client(&self, mut command: tokio::process::Command) -> Running {
        command.envs([self.mark()]);
        Running::start(command)
    }

    /// Everything it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Writes or replaces a pool's file.
    pub fn write_pool(&self, pool: &Pool) {
        write_pool(self.folder.path(), pool, &self.run);
    }

    /// Writes a file into its folder.
    pub fn write_file(&self, path: &str, text: &str) {
        write_file(self.folder.path(), path, text);
    }

    /// What the coordinator says of a pool; `None` when it knows none of this name.
    pub async fn pool(&self, name: &str) -> Option<Value> {
        let answer = self.ask(&format!("/pools/{name}")).await;
        answer.status.is_success().then(|| answer.json())
    }

    async fn ask(&self, path: &str) -> Answer {
        let token = self.setup.token.as_deref().unwrap_or_default();
        let headers = [("authorization", &*format!("Bearer {token}"))];
        let coordinator = &self.doors.coordinator;
        http::send(hyper::Method::GET, coordinator, path, &headers, "").await
    }

    /// The newest tasks of a capability, without their history.
    pub async fn tasks(&self, capability: &str) -> Vec<Value> {
        let answer = self.ask("/tasks").await.json();
        let tasks = answer["tasks"].as_array().expect("a page of tasks");
        let of_it = tasks.iter().filter(|task| task["capability"] == capability);
        of_it.cloned().collect()
    }

    /// What the coordinator says of an event source; panics when it knows none of this name.
    pub async fn source(&self, name: &str) -> Value {
        let sources = self.sources().await;
        let of_it = sources.iter().find(|source| source["name"] == name);
        of_it.expect("a source").clone()
    }

    /// What the coordinator says of all event sources.
    pub async fn sources(&self) -> Vec<Value> {
        let page = self.ask("/sources").await.json();
        page["sources"]
            .as_array()
            .expect("a page of sources")
            .clone()
    }

    /// The events of a type in the log, the newest first.
    pub async fn events(&self, ty: &str) -> Vec<Value> {
        let page = self.ask(&format!("/events?type={ty}")).await.json();
        page["events"].as_array().expect("a page of events").clone()
    }

    /// Waits until the newest task of a capability is in this state, and returns it.
    pub async fn task_in(&self, capability: &str, state: &str) -> Value {
        eventually(&format!("a {state} task of {capability}"), async || {
            let newest = self.tasks(capability).await.into_iter().next()?;
            (newest["state"] == state).then_some(newest)
        })
        .await
    }

    /// Checks that it still answers a good call, after what may have hurt it.
    pub async fn check_alive(&self, after: &str) {
        let session = Session::open(self.mcp()).await;
        let result = session.call("echo", json!({"text": after})).await;
        assert_eq!(text(&result), after);
    }

    /// Kills it with -9 and waits until nothing of it is left.
    pub async fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("its exit status");
        let _ = fs::remove_file(self.folder.path().join("ready"));
        eventually("its functions to die with it", async || {
            leftovers::find(&self.run).is_empty().then_some(())
        })
        .await;
    }

    /// Starts it again on the same data.
    pub async fn restart(&mut self) {
        self.child = self.setup.spawn(self.folder.path(), &self.run);
        self.wait_until_ready().await;
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("it runs");
    }

    /// Presses Ctrl-C: the terminal tells the whole process group, functions included.
    pub fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process_group(pid.expect("a pid"), Signal::INT).expect("it runs");
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its exit status")
    }

    /// The processes of its functions.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let mut all = leftovers::find(&self.run);
        all.retain(|(pid, _)| *pid != self.child.id());
        all
    }

    async fn wait_until_ready(&mut self) {
        let file = self.folder.path().join("ready");
        let give_up = Instant::now() + PATIENCE;
        loop {
            let written = fs::read(&file).ok();
            if let Some(doors) = written.and_then(|json| serde_json::from_slice(&json).ok()) {
                self.doors = doors;
                return;
            }
            let ended = self.ended();
            assert!(
                ended.is_none() && Instant::now() < give_up,
                "it is not ready, {ended:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn stop(&mut self) -> Result<(), String> {
        if self.ended().is_none() {
            self.signal(Signal::TERM);
        }
        let give_up = Instant::now() + PATIENCE;
        let status = loop {
            match self.ended() {
                Some(status) => break Ok(status),
                None if Instant::now() > give_up => break Err("it does not stop".to_owned()),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let mut left = leftovers::find(&self.run);
        left.extend(leftovers::find(&self.mark().1));
        for (pid, _) in &left {
            let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
            let _ = kill_process(pid.expect("a pid"), Signal::KILL);
        }
        match status? {
            status if !status.success() => Err(format!("it ended badly: {status}")),
            _ if !left.is_empty() => Err(format!("it left processes behind: {left:?}")),
            _ => Ok(()),
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let stopped = self.stop();
        if std::thread::panicking() || stopped.is_err() {
            eprintln!("what the platform said:\n{}", self.log());
        }
        match stopped {
            Err(reason) if !std::thread::panicking() => panic!("{reason}"),
            Ok(()) | Err(_) => {}
        }
    }
}

/// Asks until there is an answer; panics when none comes.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < give_up, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
