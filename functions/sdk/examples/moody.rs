//! A function that takes every event in another mood: it takes it, fails, is busy, talks rubbish,
//! hangs or dies. The moods follow from the number in `SEED`. It notes each delivery in the file
//! that `JOURNAL` names, with what it is about to do: event, task, attempt and mood, a line each.
//!
//! It speaks HTTP by itself, because a function made with the SDK cannot be that rude.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

const MANIFEST: &str = r#"{"contract":1,"tools":[]}"#;

/// What it does with a delivery.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Well,
    Broken,
    Busy,
    Rubbish,
    Hang,
    Crash,
    Refuse,
}

impl Mood {
    /// Most deliveries go well; a few events fail whenever they come.
    fn of(seed: &str, pool: &str, event: &str, attempt: &str) -> Self {
        let draw = |words: &[&str]| {
            let mut hasher = DefaultHasher::new();
            words.hash(&mut hasher);
            hasher.finish() % 1_000
        };
        match draw(&[seed, pool, event]) {
            0..6 => return Self::Refuse,
            6..15 => return Self::Broken,
            15.. => {}
        }
        match draw(&[seed, pool, event, attempt]) {
            0..50 => Self::Broken,
            50..70 => Self::Busy,
            70..90 => Self::Rubbish,
            90..97 => Self::Hang,
            97..99 => Self::Crash,
            99.. => Self::Well,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Broken => "broken",
            Self::Busy => "busy",
            Self::Rubbish => "rubbish",
            Self::Hang => "hang",
            Self::Crash => "crash",
            Self::Refuse => "refuse",
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    if std::env::args().any(|argument| argument == "--capabilities") {
        println!("{MANIFEST}");
        return Ok(());
    }
    // With its listener as standard input nobody else sees to it that it dies with its host.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let listener = UnixListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    listener.set_nonblocking(true)?;
    let listener = tokio::net::UnixListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        // Whoever hangs up in the middle of a request wants no answer.
        tokio::spawn(async move { drop(connection.await) });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    if request.method() != Method::POST {
        return Ok(response);
    }
    match feel(&request) {
        Mood::Well => *response.status_mut() = StatusCode::NO_CONTENT,
        Mood::Broken => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
        Mood::Refuse => *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY,
        Mood::Busy => {
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, http::HeaderValue::from_static("1"));
        }
        Mood::Rubbish => {
            *response.body_mut() = Full::from("<p>no event</p>");
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("text/html"));
        }
        Mood::Hang => std::future::pending().await,
        Mood::Crash => std::process::exit(3),
    }
    Ok(response)
}

/// Notes the delivery before anything else is done with it.
fn feel(request: &Request<Incoming>) -> Mood {
    let header = |name| {
        let value = request.headers().get(name);
        value.and_then(|it| it.to_str().ok()).unwrap_or("-")
    };
    let variable = |name| std::env::var(name).unwrap_or_default();
    let (event, task, attempt) = (header("ce-id"), header("ce-taskid"), header("ce-attempt"));
    let mood = Mood::of(&variable("SEED"), header("ce-pool"), event, attempt);
    // One write, so that lines of several processes do not mix.
    let line = format!("{event} {task} {attempt} {}\n", mood.word());
    let mut options = std::fs::OpenOptions::new();
    let journal = options.append(true).create(true).open(variable("JOURNAL"));
    match journal.and_then(|mut journal| journal.write_all(line.as_bytes())) {
        Ok(()) => mood,
        // Better dead than with an event that nobody knows of.
        Err(_) => Mood::Crash,
    }
}
