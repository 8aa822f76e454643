//! The platform under test: the real binary on free ports, with a data directory of its own.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{self, Answer};
use crate::leftovers::{self, MARK};
use crate::pools::Pool;
use crate::session::{Session, text};

/// No test asserts on time: this is only when it gives up waiting.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running platform. Dropping it stops it, and fails the test if it does not end well or leaves
/// a process behind.
pub struct Platform {
    setup: Setup,
    folder: TempDir,
    run: String,
    child: Child,
    doors: Doors,
}

/// How a platform is started.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    pools: Vec<Pool>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    token: Option<String>,
    is_hidden: bool,
    is_building: bool,
    files: Vec<(String, String)>,
    ports: [u16; 3],
}

/// Where it listens, as `host:port`.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Doors {
    /// MCP clients.
    pub mcp: String,
    /// Health and metrics.
    pub admin: String,
    /// The coordinator's API and the event ingress.
    pub coordinator: String,
}

impl Setup {
    /// With these pools.
    pub fn new(pools: impl IntoIterator<Item = Pool>) -> Self {
        Self {
            pools: pools.into_iter().collect(),
            ..Self::default()
        }
    }

    /// With a further argument of `dormouse dev`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a bearer token that every client must send; [`Platform`]'s own questions do.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self.environment("DORMOUSE_TOKEN", token)
    }

    /// In a folder whose name starts with a dot, as people's settings often are.
    pub fn hidden(mut self) -> Self {
        self.is_hidden = true;
        self
    }

    /// With a file in its folder.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Building what the pools declare, and again when a source file is saved.
    pub fn building(mut self) -> Self {
        self.is_building = true;
        self
    }

    /// On ports that stay the same over a restart. They are taken from below those that the kernel
    /// hands out, so that nobody else gets them meanwhile.
    pub fn fixed_ports(mut self) -> Self {
        let mut free = (0..)
            .map(|_| rand::random_range(10_000..30_000))
            .filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
        self.ports = [(); 3].map(|()| free.next().expect("a free port"));
        self
    }

    /// Starts it and waits until it listens.
    pub async fn start(self) -> Platform {
        let folder = tempfile::Builder::new()
            .prefix(if self.is_hidden {
                ".dormouse-"
            } else {
                "dormouse-"
            })
            .tempdir()
            .expect("a temporary folder");
        let run = folder.path().display().to_string();
        fs::create_dir(folder.path().join("pools")).expect("a folder for the pools");
        for (path, text) in &self.files {
            write_file(folder.path(), path, text);
        }
        for pool in &self.pools {
            write_pool(folder.path(), pool, &run);
        }
        let child = self.spawn(folder.path(), &run);
        let unknown = String::new;
        let mut platform = Platform {
            setup: self,
            folder,
            run,
            child,
            doors: Doors {
                mcp: unknown(),
                admin: unknown(),
                coordinator: unknown(),
            },
        };
        platform.wait_until_ready().await;
        platform
    }

    fn spawn(&self, folder: &Path, run: &str) -> Child {
        let [mcp, admin, coordinator] = self.ports.map(|port| port.to_string());
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .expect("a log file");
        let mut command = program();
        command
            .arg("dev")
            .args(["--port", &mcp, "--admin-port", &admin])
            .args(["--coordinator-port", &coordinator])
            .args((!self.is_building).then_some("--no-build"))
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--pools")
            .arg(folder.join("pools"))
            .arg("--ready-file")
            .arg(folder.join("ready"))
            .args(&self.arguments)
            .env(MARK, run)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        command.spawn().expect("the binary starts")
    }
}

/// The binary, without settings of whoever runs the tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    for (name, _) in std::env::vars_os() {
        let is_ours = ["DORMOUSE_", "MCP_", "COORDINATOR_", "OPENAI_", "RUST_LOG"]
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix));
        if is_ours {
            command.env_remove(name);
        }
    }
    command
}

impl Platform {
    /// A platform with these pools and nothing special.
    pub async fn start(pools: impl IntoIterator<Item = Pool>) -> Self {
        Setup::new(pools).start().await
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

fn write_pool(folder: &Path, pool: &Pool, run: &str) {
    let path = format!("pools/{}", pool.file_name());
    write_file(folder, &path, &pool.document(run));
}

/// Replaced at once, as editors do, so that nobody reads half a file.
fn write_file(folder: &Path, path: &str, text: &str) {
    let file = folder.join(path);
    let draft = folder.join("draft");
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(&draft, text).expect("a draft");
    fs::rename(draft, file).expect("a file");
}
