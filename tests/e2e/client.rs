//! Other people's clients at work: the scripts in `tests/clients`, and what they print.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A client at work.
pub struct Running {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    seen: Vec<Value>,
}

impl Running {
    /// Starts it; panics when it is not installed.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the client starts: run tests/clients/install first");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self {
            child,
            input,
            output,
            seen: Vec::new(),
        }
    }

    /// Waits until it has done all and ended well.
    pub async fn finish(mut self) -> Seen {
        self.read_until("closed").await;
        // Closing aborts what an SDK still had open, and some say so.
        let seen = self.seen.len();
        while self.read().await {}
        let status = self.child.wait().await.expect("its exit status");
        assert!(status.success(), "{status}: {:#?}", self.seen);
        self.seen.truncate(seen);
        Seen(self.seen)
    }

    /// Lets it go on with its next action.
    pub async fn go_on(&mut self) {
        self.input.write_all(b"\n").await.expect("it reads");
    }

    /// Waits until it has printed a line of this step.
    pub async fn read_until(&mut self, step: &str) {
        while self.read().await {
            if self.seen.last().is_some_and(|line| line["step"] == step) {
                return;
            }
        }
        panic!("it ended before `{step}`: {:#?}", self.seen);
    }

    async fn read(&mut self) -> bool {
        let line = self.output.next_line().await.expect("UTF-8");
        let parsed = line.map(|line| serde_json::from_str(&line).expect("JSON lines"));
        let is_some = parsed.is_some();
        self.seen.extend(parsed);
        is_some
    }
}

/// A client of `tests/clients`: a script that prints what it sees, a JSON line for each thing.
pub struct Client {
    program: PathBuf,
    script: PathBuf,
    is_legacy: bool,
}

impl Client {
    /// The command that runs it; all arguments are still to come.
    pub fn program(self) -> Command {
        let mut command = Command::new(self.program);
        command.arg(self.script);
        command
    }

    /// The command that runs it against this URL; actions are still to come.
    pub fn command(self, url: &str) -> Command {
        let is_legacy = self.is_legacy;
        let mut command = self.program();
        command.arg(url);
        command.args(is_legacy.then_some("--legacy"));
        command
    }
}

/// The same, as a client of the legacy era.
pub fn legacy(client: Client) -> Client {
    Client {
        is_legacy: true,
        ..client
    }
}

/// In Node.js.
pub fn node(script: &str) -> Client {
    Client {
        program: "node".into(),
        script: folder().join("node").join(script),
        is_legacy: false,
    }
}

/// In the virtual environment of this name that tests/clients/install makes.
pub fn python(environment: &str, script: &str) -> Client {
    Client {
        program: interpreter(environment),
        script: folder().join("python").join(script),
        is_legacy: false,
    }
}

/// A program that tests/clients/install makes.
pub fn installed(program: &str) -> PathBuf {
    // target/PROFILE/dormouse
    let target = Path::new(env!("CARGO_BIN_EXE_dormouse")).ancestors().nth(2);
    target
        .expect("a target folder")
        .join("clients")
        .join(program)
}

/// The Python of such an environment.
pub fn interpreter(environment: &str) -> PathBuf {
    installed(&format!("python-{environment}/bin/python"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Everything that a client printed.
#[derive(Debug)]
pub struct Seen(Vec<Value>);

impl Seen {
    /// Every line of this step.
    pub fn all(&self, step: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |line| line["step"] == step)
    }

    /// The first line of this step; panics when there is none.
    #[track_caller]
    pub fn only(&self, step: &str) -> &Value {
        let mut found = self.all(step);
        let first = found.next();
        first.unwrap_or_else(|| panic!("no line `{step}` in {:#?}", self.0))
    }

    /// The first line of this step about this tool; panics when there is none.
    #[track_caller]
    pub fn of(&self, step: &str, tool: &str) -> &Value {
        let found = self.all(step).find(|line| line["tool"] == tool);
        found.unwrap_or_else(|| panic!("no line `{step}` of {tool} in {:#?}", self.0))
    }
}
