//! How a platform under test is started, and what is in its folder.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::leftovers::MARK;
use crate::platform::Platform;
use crate::pools::Pool;

/// How a platform is started.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    role: Role,
    pools: Vec<Pool>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    pub(crate) token: Option<String>,
    is_hidden: bool,
    is_building: bool,
    files: Vec<(String, String)>,
    ports: [u16; 3],
}

/// What runs the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Role {
    /// `dormouse dev`, with pools of its own.
    #[default]
    Dev,
    /// `dormouse serve`, on loopback.
    Serve,
}

impl Setup {
    /// With these pools.
    pub fn new(pools: impl IntoIterator<Item = Pool>) -> Self {
        Self {
            pools: pools.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The platform alone, whose pools run elsewhere.
    pub fn serve() -> Self {
        Self {
            role: Role::Serve,
            ..Self::default()
        }
    }

    /// With a further argument of its role.
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
        Platform::run(self, folder, run).await
    }

    /// Starts its program in this folder.
    pub(crate) fn spawn(&self, folder: &Path, run: &str) -> Child {
        let [mcp, admin, coordinator] = self.ports.map(|port| port.to_string());
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .expect("a log file");
        let mut command = program();
        match self.role {
            Role::Dev => command
                .args(["dev", "--pools"])
                .arg(folder.join("pools"))
                .args((!self.is_building).then_some("--no-build")),
            Role::Serve => command.args(["serve", "--host", "127.0.0.1"]),
        };
        command
            .args(["--port", &mcp, "--admin-port", &admin])
            .args(["--coordinator-port", &coordinator])
            .arg("--data-dir")
            .arg(folder.join("data"))
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

pub(crate) fn write_pool(folder: &Path, pool: &Pool, run: &str) {
    let path = format!("pools/{}", pool.file_name());
    write_file(folder, &path, &pool.document(run));
}

/// Replaced at once, as editors do, so that nobody reads half a file.
pub(crate) fn write_file(folder: &Path, path: &str, text: &str) {
    let file = folder.join(path);
    let draft = folder.join("draft");
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(&draft, text).expect("a draft");
    fs::rename(draft, file).expect("a file");
}
