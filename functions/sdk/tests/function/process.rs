//! The function as a process: its listener, its signals, its parent.
#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::Stdio;

use bytes::Bytes;
use dormouse_contract::{Manifest, http_binding, task};
use http::Request;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};

use crate::harness::{Answer, requested};

/// The fixture's program, which cargo builds beside the tests.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().unwrap().parent().unwrap();
    let program = built.join("examples/fixture");
    assert!(program.exists(), "{} is not built", program.display());
    program
}

fn command() -> Command {
    let mut command = Command::new(program());
    command.env_clear().kill_on_drop(true).stderr(Stdio::null());
    command
}

fn hosted(listener: impl Into<OwnedFd>) -> Child {
    let host = std::process::id().to_string();
    let mut command = command();
    command.stdin(listener.into()).env(task::HOST_PID_ENV, host);
    command.spawn().unwrap()
}

async fn echo<S>(stream: S) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let (headers, body) = http_binding::write_binary(requested("echo", json!({"text": "up"})));
    let mut request = Request::post("/").body(Full::<Bytes>::new(body)).unwrap();
    request.headers_mut().extend(headers);
    Answer::read(sender.send_request(request).await.unwrap())
        .await
        .text()
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn a_tcp_listener_may_come_as_standard_input() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The request waits in the kernel: nobody asks whether the function is ready.
    let stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut child = hosted(listener);
    assert_eq!(echo(TcpStream::from_std(stream).unwrap()).await, "up");
    // The terminal's Ctrl-C is the host's business.
    signal(&child, Signal::INT);
    assert_eq!(echo(TcpStream::connect(address).await.unwrap()).await, "up");
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn so_may_a_unix_listener_without_a_path() {
    let name = format!("dormouse-function-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let stream = std::os::unix::net::UnixStream::connect_addr(&address).unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut child = hosted(listener);
    assert_eq!(echo(UnixStream::from_std(stream).unwrap()).await, "up");
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_port_is_bound_when_standard_input_is_something_else() {
    let mut command = command();
    command.stdin(Stdio::null()).env("PORT", "0");
    command.stderr(Stdio::piped()).env("LOG_FORMAT", "json");
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let bound: std::net::SocketAddr = line["address"].as_str().unwrap().parse().unwrap();
    let stream = TcpStream::connect(("127.0.0.1", bound.port()))
        .await
        .unwrap();
    assert_eq!(echo(stream).await, "up");
    signal(&child, Signal::INT);
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_function_dies_with_its_host() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A shell stands for the host. When it is killed, the pipe's other end closes only if the
    // function is gone as well.
    let script = r#"exec 3<&0; "$0" <&3 3<&- & exec sleep 600 <&3"#;
    let mut host = Command::new("/bin/sh");
    host.args(["-c", script])
        .arg(program())
        .env_clear()
        .kill_on_drop(true);
    host.stdin(OwnedFd::from(listener))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut host = host.spawn().unwrap();
    assert_eq!(echo(TcpStream::connect(address).await.unwrap()).await, "up");
    let mut output = host.stdout.take().unwrap();
    host.kill().await.unwrap();
    let mut rest = Vec::new();
    assert_eq!(output.read_to_end(&mut rest).await.unwrap(), 0);
}

#[tokio::test]
async fn an_orphan_does_not_start() {
    let mut command = command();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    command
        .stdin(OwnedFd::from(listener))
        .env(task::HOST_PID_ENV, "1");
    command.stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("host"));
}

#[tokio::test]
async fn capabilities_are_printed_without_a_port() {
    let mut command = command();
    let output = command
        .arg("--capabilities")
        .env("PORT", "rubbish")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let manifest = Manifest::parse(&output.stdout).unwrap();
    assert_eq!(manifest.agent_type, "fixture");
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_named_at_the_start() {
    let mut command = command();
    let output = command.env("PORT", "rubbish").output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("PORT"));
}
