//! `dormouse send -f`: the events of a file, with some that nobody would take.

use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse as _, Json, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::platform::{Platform, eventually, program};
use crate::pools::Pool;

const TYPE: &str = "com.example.line";

async fn platform() -> Platform {
    let trigger = json!([{"filters": [{"exact": {"type": TYPE}}]}]);
    Platform::start([Pool::fixture("fixture").with("triggers", trigger)]).await
}

fn event(id: usize) -> String {
    json!({"specversion": "1.0", "id": id.to_string(), "source": "/file", "type": TYPE}).to_string()
}

fn send(platform: &Platform, words: &[&str]) -> Command {
    let mut command = program();
    command.arg("send").args(words).arg(format!(
        "--coordinator-url=http://{}",
        platform.doors().coordinator
    ));
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().expect("it runs"))
        .await
        .expect("it ends")
}

/// A thousand lines: a comment, some blank ones, and every hundredth is wrong in some way.
fn lines() -> String {
    let mut text = String::from("# events for trying\n\n");
    for id in 3..=1_000 {
        let line = match id % 300 {
            100 => "{\"specversion\": \"1.0\"".to_owned(),
            200 => json!({"specversion": "1.0", "source": "/file", "type": TYPE}).to_string(),
            0 => event(id).replace(TYPE, "dev.dormouse.task.completed.v1"),
            _ => event(id),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[tokio::test]
async fn a_thousand_lines_are_taken_but_for_those_that_are_told() {
    // Nobody takes them: it is about the lines.
    let platform = Platform::start([]).await;
    for mode in ["structured", "binary", "batch"] {
        let file = platform.folder().join(mode);
        // Ids of their own, or the events of the second file would be duplicates.
        std::fs::write(&file, lines().replace("/file", mode)).expect("a file");
        let path = file.to_str().expect("UTF-8");
        let sent = output(send(
            &platform,
            &["-f", path, "--mode", mode, "--batch-size=64"],
        ))
        .await;
        assert_eq!(sent.status.code(), Some(1), "{mode}: {sent:?}");
        let (out, said) = (
            String::from_utf8_lossy(&sent.stdout),
            String::from_utf8_lossy(&sent.stderr),
        );
        assert_eq!(out, "988 events are taken\n", "{mode}: {said}");
        for line in [100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000] {
            let refused = format!("line {line} is refused: ");
            assert_eq!(said.matches(&refused).count(), 1, "{mode}: {line}: {said}");
        }
        assert!(
            said.contains("`id`") && said.contains("dev.dormouse."),
            "{said}"
        );
        assert!(said.contains("10 of 998 events are refused"), "{said}");
    }
}

#[tokio::test]
async fn an_event_about_an_event_is_not_mistaken_for_it() {
    let platform = Platform::start([]).await;
    let inner = event(1).replace(TYPE, "com.example.inner");
    let media = "application/cloudevents+json";
    for mode in ["binary", "structured", "batch"] {
        let composed = ["--type", TYPE, "--content-type", media, "--data", &inner];
        let composed = [&composed[..], &["--id", mode, "--mode", mode]].concat();
        let file = platform.folder().join(mode);
        let line = json!({"specversion": "1.0", "id": "line", "source": mode, "type": TYPE,
                          "datacontenttype": media, "data": RawValue::from_string(inner.clone()).expect("JSON")});
        std::fs::write(&file, line.to_string()).expect("a file");
        let of_file = ["-f", file.to_str().expect("UTF-8"), "--mode", mode];
        for words in [&composed[..], &of_file] {
            let sent = output(send(&platform, words)).await;
            assert!(sent.status.success(), "{mode}: {sent:?}");
        }
    }
    assert_eq!(platform.events(TYPE).await.len(), 6);
    assert_eq!(platform.events("com.example.inner").await.len(), 0);
}

#[tokio::test]
async fn lines_come_from_stdin_too_and_receipts_as_json() {
    let platform = platform().await;
    let mut command = send(&platform, &["-f", "-", "-o", "json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{}\n{}", event(1), event(2)).expect("it reads");
    drop(stdin);
    let ended = tokio::task::spawn_blocking(|| child.wait_with_output().expect("it ends"));
    let ended = ended.await.expect("its output");
    assert!(ended.status.success(), "{ended:?}");
    let text = String::from_utf8(ended.stdout).expect("UTF-8");
    let receipts: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a receipt"))
        .collect();
    assert_eq!(receipts.len(), 2);
    assert_eq!(receipts[1]["id"], "2");
    assert_eq!(receipts[1]["takers"][0]["pool"], "fixture");
}

#[tokio::test]
async fn a_followed_file_is_read_on_and_begun_anew_when_it_is_cut() {
    let platform = platform().await;
    let file = platform.folder().join("events.jsonl");
    std::fs::write(&file, event(1) + "\n").expect("a file");
    let mut command = send(&platform, &["--watch", "-f", file.to_str().expect("UTF-8")]);
    let log = platform.folder().join("watched");
    let out = std::fs::File::create(&log).expect("a file");
    command
        .stdout(out.try_clone().expect("a handle"))
        .stderr(out);
    let (mark, run) = platform.mark();
    let watching = Watching(command.env(mark, run).spawn().expect("it runs"));
    let said = async |text: &str| {
        eventually(text, async || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            said.contains(text).then_some(())
        })
        .await;
    };
    said("line 1: event 1: 1 task").await;
    let mut appended = std::fs::File::options()
        .append(true)
        .open(&file)
        .expect("a file");
    let (begun, rest) = (event(2), "\nno event\n");
    write!(appended, "{}", &begun[..20]).expect("half a line");
    write!(appended, "{}{rest}", &begun[20..]).expect("the rest");
    said("line 2: event 2: 1 task").await;
    said("line 3 is refused").await;
    std::fs::write(&file, event(4) + "\n").expect("a shorter file");
    said("begins anew").await;
    said("line 1: event 4: 1 task").await;
    drop(watching);
}

#[tokio::test]
async fn ctrl_c_ends_a_follower_that_waits_for_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, event(1) + "\n").expect("a file");
    // It takes one event, and has no room for more.
    let asked = watch::Sender::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let routes = Router::new().fallback(take_one).with_state(asked.clone());
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    let mut command = program();
    command.args(["send", "--watch", "-f"]).arg(&file);
    command.arg(format!("--coordinator-url=http://{address}"));
    let mut watching = Watching(command.stdout(Stdio::null()).spawn().expect("it runs"));
    let mut seen = asked.subscribe();
    seen.wait_for(|asked| *asked == 1).await.expect("a server");
    let mut appended = std::fs::File::options().append(true).open(&file);
    let appended = appended.as_mut().expect("a file");
    writeln!(appended, "{}", event(2)).expect("a line");
    seen.wait_for(|asked| *asked == 2).await.expect("a server");
    let pid = i32::try_from(watching.0.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a pid"), Signal::INT).expect("it runs");
    let ended = eventually("it to end", async || {
        watching.0.try_wait().expect("a status")
    })
    .await;
    assert!(ended.success(), "{ended}");
    server.abort();
}

async fn take_one(State(asked): State<watch::Sender<usize>>) -> Response {
    asked.send_modify(|asked| *asked += 1);
    match *asked.borrow() {
        1 => {
            let receipt = json!({"id": "1", "seq": 1, "takers": [], "detail": "taken"});
            (StatusCode::ACCEPTED, Json(receipt)).into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "30")]).into_response(),
    }
}

struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
