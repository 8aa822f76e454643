//! A function without the SDK: what the host's tests wake, and what a program must do at least.
//!
//! `plain` serves `PORT`; `plain --stdin` serves the listener that is its standard input. A POST
//! says what to do in its body; a GET is answered 200.

use std::convert::Infallible;
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST_RUNNING: AtomicUsize = AtomicUsize::new(0);

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    if args
        .next_if(|arg| arg == dormouse_host::exec::SUBCOMMAND)
        .is_some()
    {
        return dormouse_host::exec::run(args);
    }
    let args: Vec<_> = args.filter_map(|arg| arg.into_string().ok()).collect();
    if has(&args, "--capabilities") {
        println!(r#"{{"contract":1,"pool":"plain","tools":[]}}"#);
        return ExitCode::SUCCESS;
    }
    let value = |flag: &str| args.iter().find_map(|arg| arg.strip_prefix(flag));
    if let Some(path) = value("--count=") {
        let before = std::fs::read_to_string(path).unwrap_or_default();
        let _ = std::fs::write(path, before + "x");
    }
    if let Some(words) = value("--fail=") {
        eprintln!("starting\n{words}");
        return ExitCode::from(7);
    }
    if let Some(path) = value("--fail-once=")
        && !std::path::Path::new(path).exists()
    {
        let _ = std::fs::write(path, "");
        return ExitCode::from(7);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime.and_then(|runtime| runtime.block_on(serve(&args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn has(args: &[String], flag: &str) -> bool {
    args.iter().any(|arg| arg == flag)
}

async fn serve(args: &[String]) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let flags: &'static [String] = args.to_vec().leak();
    tokio::spawn(accept(flags));
    while has(flags, "--ignore-term") {
        terminate.recv().await;
    }
    terminate.recv().await;
    Ok(())
}

async fn accept(flags: &'static [String]) -> std::io::Result<()> {
    if !has(flags, "--stdin") {
        let port = std::env::var("PORT")
            .ok()
            .and_then(|port| port.parse().ok());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.unwrap_or(8080))).await?;
        loop {
            tokio::spawn(answer(listener.accept().await?.0, flags));
        }
    }
    #[cfg(target_os = "linux")]
    die_with_parent()?;
    let listener = std::io::stdin().as_fd().try_clone_to_owned()?;
    if rustix::net::sockopt::socket_domain(&listener)? == rustix::net::AddressFamily::UNIX {
        let listener = std::os::unix::net::UnixListener::from(listener);
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        loop {
            tokio::spawn(answer(listener.accept().await?.0, flags));
        }
    }
    let listener = std::net::TcpListener::from(listener);
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        tokio::spawn(answer(listener.accept().await?.0, flags));
    }
}

#[cfg(target_os = "linux")]
fn die_with_parent() -> std::io::Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    Ok(set_parent_process_death_signal(Some(Signal::TERM))?)
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, flags: &'static [String]) {
    CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let service = service_fn(move |request| handle(request, flags));
    // A caller that goes away is no error here.
    let _ = http1::Builder::new()
        .keep_alive(!has(flags, "--close"))
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn handle(
    request: Request<Incoming>,
    flags: &'static [String],
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::GET {
        let mut response = Response::new(Full::default());
        if has(flags, "--never-ready") {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        if has(flags, "--no-probe") {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        return Ok(response);
    }
    let secret = request
        .headers()
        .get("dormouse-delivery-secret")
        .and_then(|secret| secret.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    let running = RUNNING.fetch_add(1, Ordering::Relaxed) + 1;
    MOST_RUNNING.fetch_max(running, Ordering::Relaxed);
    let answer = obey(&text, &secret).await;
    RUNNING.fetch_sub(1, Ordering::Relaxed);
    Ok(Response::new(Full::new(answer.into())))
}

async fn obey(text: &str, secret: &str) -> String {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    match verb {
        "pid" => std::process::id().to_string(),
        "secret" => secret.to_owned(),
        "connections" => CONNECTIONS.load(Ordering::Relaxed).to_string(),
        "most" => MOST_RUNNING.load(Ordering::Relaxed).to_string(),
        "env" => {
            let pairs = std::env::vars().map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>().join("\n")
        }
        "sleep" => {
            tokio::time::sleep(Duration::from_millis(rest.parse().unwrap_or(0))).await;
            std::process::id().to_string()
        }
        // Waits for a file, so that tests decide how long a call takes.
        "until" => {
            while !std::path::Path::new(rest).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            std::process::id().to_string()
        }
        "crash" => {
            eprintln!("about to crash");
            std::process::exit(3);
        }
        "print" => {
            println!("{rest}");
            eprintln!("also {rest}");
            String::new()
        }
        "large" => "x".repeat(rest.parse().unwrap_or(0)),
        "grandchild" => std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .map_or_else(|error| error.to_string(), |child| child.id().to_string()),
        // Says in a file that the caller went away.
        "hang" => {
            let _gone = Gone(rest.to_owned());
            std::future::pending().await
        }
        _ => text.to_owned(),
    }
}

struct Gone(String);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = std::fs::write(&self.0, "gone");
    }
}
