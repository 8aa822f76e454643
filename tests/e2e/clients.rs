//! Other people's clients: each connects, lists, calls, sees progress, is refused and cancels.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::platform::{Platform, Setup};
use crate::pools::Pool;
use crate::session::LEGACY;

const TOKEN: &str = "a token; with =signs= and blanks";
const SPECIAL: &str = "zwölf Siebenschläfer 🐭";

#[tokio::test]
async fn typescript_1_over_websocket() {
    let seen = drive("ws", |url| client("node", "node/client.mjs", url)).await;
    seen.check_legacy();
}

#[tokio::test]
async fn typescript_1_over_http() {
    let seen = drive("http", |url| client("node", "node/client.mjs", url)).await;
    seen.check_legacy();
}

#[tokio::test]
async fn python_1_over_websocket() {
    let seen = drive("ws", |url| client(&python(1), "python/session.py", url)).await;
    seen.check_legacy();
}

#[tokio::test]
async fn python_2_over_http_in_modern_mode() {
    let seen = drive("http", |url| client(&python(2), "python/modern.py", url)).await;
    let connected = seen.only("connected");
    assert_eq!(connected["protocol"], "2026-07-28");
    assert_eq!(connected["supported"][0], "2026-07-28");
    assert_eq!(seen.only("listed")["ttl_ms"].as_u64().map(|_| ()), Some(()));
    for called in seen.all("called") {
        assert_eq!(called["result"]["resultType"], "complete", "{called}");
    }
    // What the era has removed is not there, even on a server that speaks both.
    assert_eq!(seen.of("refused", "ping")["code"], -32601);
    seen.check_calls();
}

/// Everything that a client printed.
struct Seen(Vec<Value>);

impl Seen {
    fn all(&self, step: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |line| line["step"] == step)
    }

    fn only(&self, step: &str) -> &Value {
        let mut found = self.all(step);
        let first = found.next();
        first.unwrap_or_else(|| panic!("no line `{step}` in {:#?}", self.0))
    }

    fn of(&self, step: &str, tool: &str) -> &Value {
        let found = self.all(step).find(|line| line["tool"] == tool);
        found.unwrap_or_else(|| panic!("no line `{step}` of {tool} in {:#?}", self.0))
    }

    fn check_legacy(&self) {
        assert_eq!(self.only("connected")["protocol"], LEGACY);
        self.only("ponged");
        self.check_calls();
    }

    fn check_calls(&self) {
        assert_eq!(self.only("connected")["server"]["name"], "dormouse");
        let tools = self.only("listed")["tools"].as_array().expect("a list");
        for tool in ["echo", "add", "progress", "sleep"] {
            assert!(tools.contains(&json!(tool)), "{tool} is in {tools:?}");
        }
        let echoed = &self.of("called", "echo")["result"];
        assert_eq!(echoed["content"][0]["text"], SPECIAL);
        let mut added = self.all("called").filter(|line| line["tool"] == "add");
        let sum = &added.next().expect("the sum")["result"];
        assert!(sum.to_string().contains("42"), "{sum}");
        let refused = &added.next().expect("the refusal")["result"];
        assert_eq!(refused["isError"], true, "{refused}");

        let steps: Vec<_> = self
            .all("progressed")
            .map(|line| line["progress"].as_f64().expect("a number"))
            .collect();
        assert!(!steps.is_empty(), "progress is seen");
        assert!(
            steps.is_sorted_by(|a, b| a < b),
            "progress rises: {steps:?}"
        );
        self.of("called", "progress");

        assert_eq!(self.of("refused", "no_such_tool")["code"], -32602);
        self.of("cancelled", "sleep");
        self.only("closed");
        assert_eq!(self.all("errored").next(), None, "{:#?}", self.0);
    }
}

/// Starts a platform that asks for a token, and a client that does everything.
async fn drive(scheme: &str, command: impl FnOnce(&str) -> Command) -> Seen {
    let platform = Setup::new([Pool::fixture("fixture")])
        .token(TOKEN)
        .start()
        .await;
    let url = format!("{scheme}://{}/mcp", platform.mcp());
    let mut command = command(&url);
    command.args(["--token", TOKEN]).args([
        "list", "ping", "echo", "add", "progress", "refuse", "unknown", "cancel",
    ]);
    Running::start(command).finish(&platform).await
}

/// A client at work.
struct Running {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    seen: Vec<Value>,
}

impl Running {
    fn start(mut command: Command) -> Self {
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

    async fn finish(mut self, platform: &Platform) -> Seen {
        self.read_until("calling").await;
        platform.task_in("sleep", "running").await;
        self.go_on().await;
        self.read_until("cancelled").await;
        platform.task_in("sleep", "cancelled").await;
        self.go_on().await;
        self.read_until("closed").await;
        // Closing aborts what an SDK still had open, and some say so.
        let seen = self.seen.len();
        while self.read().await {}
        let status = self.child.wait().await.expect("its exit status");
        assert!(status.success(), "{status}: {:#?}", self.seen);
        self.seen.truncate(seen);
        Seen(self.seen)
    }

    async fn go_on(&mut self) {
        self.input.write_all(b"\n").await.expect("it reads");
    }

    async fn read_until(&mut self, step: &str) {
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

fn client(program: &str, script: &str, url: &str) -> Command {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let mut command = Command::new(program);
    command.arg(clients.join(script)).arg(url);
    command
}

/// The interpreter of the virtual environment that tests/clients/install makes.
fn python(version: u8) -> String {
    // target/PROFILE/dormouse
    let target = Path::new(env!("CARGO_BIN_EXE_dormouse")).ancestors().nth(2);
    let clients = target.expect("a target folder").join("clients");
    let python = clients.join(format!("python-{version}/bin/python"));
    python.to_str().expect("a path in UTF-8").to_owned()
}
