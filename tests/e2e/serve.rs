//! `dormouse serve` as a cluster runs it: functions that run elsewhere, `kill -9` in the middle of
//! calls, a token that is rotated under it, and one process that takes over from another.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use hyper::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::gate::Gate;
use crate::http;
use crate::outside::{Agent, free_port};
use crate::platform::{Platform, Setup, eventually, program};
use crate::session::{LEGACY, Session, text};

/// Registers the agent as pool `away`, with these headers, and waits until its tools are offered.
async fn register(platform: &Platform, agent: &Agent, headers: &[(&str, &str)]) {
    let row = json!({
        "pool_id": "away",
        "agent_type": "test",
        "endpoint": format!("http://{}", agent.address),
        "delivery": {"retry": 60, "backoffDelay": "50ms", "backoffPolicy": "linear"},
    });
    let coordinator = &platform.doors().coordinator;
    let joined = http::post(coordinator, "/pools", headers, &row.to_string()).await;
    assert_eq!(joined.status, 201, "{joined:?}");
    offered(&platform.doors().admin, headers).await;
}

/// Waits until the gateway offers the agent's tools: it hears of the pool a moment after who
/// registered it.
async fn offered(admin: &str, headers: &[(&str, &str)]) {
    eventually("its tools to be offered", async || {
        let catalogue = http::send(Method::GET, admin, "/catalogue", headers, "").await;
        catalogue.body.contains("\"echo\"").then_some(())
    })
    .await;
}

/// How often a counter's file was written to.
fn lines(file: &Path) -> usize {
    fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn every_call_has_one_answer_although_the_platform_dies() {
    let mut platform = Setup::serve().fixed_ports().start().await;
    let agent = Agent::start(&platform, free_port()).await;
    register(&platform, &agent, &[]).await;
    let folder = platform.folder();
    let gate = folder.join("gate");
    let session = Session::connect(platform.mcp(), &[("dormouse-resume", "new")])
        .await
        .expect("a socket");
    let hello = session.initialize(LEGACY).await.expect("a session");
    let id = hello["_meta"]["dev.dormouse/session"].as_str();
    let id = id.expect("the session's id").to_owned();
    let counters = ["count", "count_idempotent"].map(|tool| (tool, folder.join(tool)));
    let calls = counters.each_ref().map(|(tool, file)| {
        let arguments = json!({"file": file, "key": tool, "until": gate});
        let call = json!({"name": tool, "arguments": arguments});
        session.start("tools/call", call).0
    });
    eventually("both to run", async || {
        let run = counters.iter().all(|(_, file)| lines(file) == 1);
        run.then_some(())
    })
    .await;

    platform.kill().await;
    fs::write(&gate, "").expect("a file");
    platform.restart().await;
    let headers = [("mcp-session-id", &*id), ("dormouse-received", "1")];
    let session = Session::connect(platform.mcp(), &headers).await;
    let session = session.expect("the session goes on");
    let mut answers = Vec::new();
    while answers.len() < calls.len() {
        let message = session.next().await.expect("an answer");
        answers.extend(message.get("id").is_some().then_some(message));
    }
    let answer = |call: u64| {
        let mut of_it = answers.iter().filter(|answer| answer["id"] == call);
        of_it.next().expect("an answer to each call")["result"].clone()
    };
    let [once, again] = calls.map(answer);
    // It may have run, and nobody knows how it went: that is told, and it does not run again.
    assert_eq!(once["_meta"]["dev.dormouse/outcome"], "unknown", "{once}");
    assert_eq!(text(&again), "counted count_idempotent");
    let [ran_once, ran_again] = counters.each_ref().map(|(_, file)| lines(file));
    assert_eq!((ran_once, ran_again), (1, 2));

    // Nothing comes after the answers: what is asked now is answered next.
    session.say(json!({"jsonrpc": "2.0", "id": "last", "method": "ping"}).to_string());
    let last = session.next().await.expect("an answer");
    assert_eq!(last["id"], "last", "{last}");
}

/// A mounted Secret as a kubelet makes it: what is read is a link to a link, and the link in the
/// middle is swapped.
struct Mount {
    folder: PathBuf,
    version: usize,
}

impl Mount {
    fn new(folder: PathBuf, token: &str) -> Self {
        fs::create_dir(&folder).expect("a folder");
        symlink("..data/token", folder.join("token")).expect("a link");
        let mut mount = Self { folder, version: 0 };
        mount.swap(token);
        mount
    }

    fn file(&self) -> PathBuf {
        self.folder.join("token")
    }

    /// As `AtomicWriter` of Kubernetes does: a new folder, a new link to it, renamed over the old.
    fn swap(&mut self, token: &str) {
        let before = self.folder.join(format!("..{}", self.version));
        self.version += 1;
        let name = format!("..{}", self.version);
        let folder = self.folder.join(&name);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("token"), token).expect("a file");
        symlink(&name, self.folder.join("..data_tmp")).expect("a link");
        fs::rename(self.folder.join("..data_tmp"), self.folder.join("..data")).expect("swapped");
        if self.version > 1 {
            fs::remove_dir_all(before).expect("the version before is removed");
        }
    }
}

#[tokio::test]
async fn the_token_changes_without_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut mount = Mount::new(folder.path().join("secret"), "first\n");
    let start = async |overlap: &str| {
        Setup::serve()
            .argument(&format!("--token-file={}", mount.file().display()))
            .argument(overlap)
            .start()
            .await
    };
    // One lets the former token in for a while, one does not.
    let platforms = [
        start("--token-overlap=1h").await,
        start("--token-overlap=0s").await,
    ];
    let agent = Agent::start(&platforms[0], free_port()).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let (first, second) = (bearer("first"), bearer("second"));
    let status = async |platform: &Platform, bearer: &str| {
        let headers = [("authorization", bearer)];
        let coordinator = &platform.doors().coordinator;
        let answer = http::send(Method::GET, coordinator, "/pools", &headers, "").await;
        answer.status.as_u16()
    };
    let mut sockets = Vec::new();
    for platform in &platforms {
        register(platform, &agent, &[("authorization", &first)]).await;
        assert_eq!(status(platform, &second).await, 401);
        let socket = Session::connect(platform.mcp(), &[("authorization", &first)]).await;
        let socket = socket.expect("the first token opens the door");
        socket.initialize(LEGACY).await.expect("a session");
        let key = json!({"dev.dormouse/idempotencyKey": "kept"});
        let echo = json!({"name": "echo", "arguments": {"text": "mine"}, "_meta": key});
        let answer = socket.ask("tools/call", echo).await.expect("an answer");
        assert_eq!(text(&answer["result"]), "mine");
        sockets.push(socket);
    }

    mount.swap("second\n");
    for (platform, former) in platforms.iter().zip([200, 401]) {
        eventually("the second token to be good", async || {
            (status(platform, &second).await == 200).then_some(())
        })
        .await;
        assert_eq!(status(platform, &first).await, former);
        assert!(!platform.log().contains("second"), "{}", platform.log());
    }
    // Who is in stays in, and what somebody called belongs to them, whichever token they present.
    for (platform, socket) in platforms.iter().zip(&sockets) {
        let result = socket.call("echo", json!({"text": "still here"})).await;
        assert_eq!(text(&result), "still here");
        let again = Session::connect(platform.mcp(), &[("authorization", &second)]).await;
        let again = again.expect("the second token opens the door");
        again.initialize(LEGACY).await.expect("a session");
        let key = json!({"dev.dormouse/idempotencyKey": "kept"});
        let other = json!({"name": "echo", "arguments": {"text": "other"}, "_meta": key});
        let answer = again.ask("tools/call", other).await.expect("an answer");
        assert!(answer.to_string().contains("idempotency key"), "{answer}");
    }

    // What cannot be a token changes nothing.
    mount.swap("\n");
    eventually("the empty file to be told", async || {
        platforms[0].log().contains("file is empty").then_some(())
    })
    .await;
    assert_eq!(status(&platforms[0], &second).await, 200);
}

#[test]
fn beyond_loopback_a_token_is_required() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("token");
    fs::write(&file, "\n").expect("a file");
    let cases: [(&[&str], &str); 3] = [
        (&[], "--token-file"),
        (&["--token-file", "token"], "empty"),
        (&["--token-file", "token", "--token", "t"], "two tokens"),
    ];
    for (arguments, said) in cases {
        let mut command = program();
        let ports = ["--port=0", "--admin-port=0", "--coordinator-port=0"];
        command.arg("serve").args(ports).args(arguments);
        let output = command.current_dir(folder.path()).output();
        let output = output.expect("it runs");
        assert!(!output.status.success());
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(said), "{arguments:?}: {words}");
    }
}

/// The process that is to take over, on a port of its own for health.
struct Successor {
    child: Child,
    admin: String,
}

impl Successor {
    fn start(before: &Platform) -> Self {
        let port = free_port();
        let folder = before.folder();
        let mut command = program();
        command
            .args([
                "serve",
                "--host=127.0.0.1",
                "--port=0",
                "--coordinator-port=0",
            ])
            .arg(format!("--admin-port={port}"))
            .arg("--data-dir")
            .arg(folder.join("data"))
            .envs([before.mark()])
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        Self {
            child: command.spawn().expect("it starts"),
            admin: format!("127.0.0.1:{port}"),
        }
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a door says of readiness and liveness; `None` while nobody listens.
async fn health(address: &str) -> Option<[(u16, Value); 2]> {
    let mut said = Vec::new();
    for path in ["/health", "/health/liveness"] {
        let answer = http::try_send(Method::GET, address, path, &[], "".into());
        let answer = answer.await.ok()?;
        said.push((answer.status.as_u16(), answer.json()["status"].clone()));
    }
    said.try_into().ok()
}

#[tokio::test]
async fn the_next_process_waits_until_the_one_before_has_finished() {
    let mut platform = Setup::serve().start().await;
    let agent = Agent::start(&platform, free_port()).await;
    register(&platform, &agent, &[]).await;
    let doors = platform.doors().clone();
    let well = [(200, json!("ok")), (200, json!("ok"))];
    for door in [&doors.admin, &doors.coordinator, &doors.mcp] {
        assert_eq!(health(door).await.as_ref(), Some(&well), "{door}");
    }
    let session = Session::open(platform.mcp()).await;
    let gate = Gate::shut(&platform);
    let answer = gate.call(&session);
    platform.task_in("count", "running").await;

    let next = Successor::start(&platform);
    let state = async |address: &str, word: &str| {
        eventually(word, async || {
            let said = health(address).await?;
            (said[0].1 == word).then_some(said)
        })
        .await
    };
    let starting = state(&next.admin, "starting").await;
    assert_eq!(starting, [(503, json!("starting")), (200, json!("ok"))]);

    platform.signal(Signal::TERM);
    for door in [&doors.admin, &doors.coordinator] {
        let stopping = state(door, "stopping").await;
        assert_eq!(stopping, [(503, json!("stopping")), (200, json!("ok"))]);
    }
    gate.open();
    let answer = answer.await.expect("what ran is finished");
    assert_eq!(text(&answer["result"]), "counted held");
    assert_eq!(session.farewell().await, Some(CloseCode::Away));
    let status = eventually("the end", async || platform.ended()).await;
    assert!(status.success(), "{status}");

    assert_eq!(state(&next.admin, "ok").await, well);
    offered(&next.admin, &[]).await;
}
