//! Random sequences of requests, cancellations, lost connections and resumptions, over both
//! transports: each request is answered once, or was cancelled, and nothing is left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::{Method, StatusCode};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http_client::{Response, open_session, post, request, send};
use crate::platform::Platform;
use crate::resumed_socket::Client;

const SEEDS: u64 = 12;
const STEPS: usize = 120;

fn call(id: u32, tool: &str) -> Value {
    let params = json!({"name": tool, "_meta": {"progressToken": id}});
    request(id, "tools/call", params)
}

fn cancel(id: u32) -> Value {
    json!({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":id}})
}

fn tool(random: &mut StdRng) -> &'static str {
    ["echo", "tell", "wait"][random.random_range(0..3)]
}

/// What is known of the requests so far.
#[derive(Default)]
struct Book {
    next: u32,
    open: BTreeSet<u32>,
    cancelled: BTreeSet<u32>,
    answered: BTreeMap<u32, usize>,
}

impl Book {
    fn begin(&mut self) -> u32 {
        self.next += 1;
        self.open.insert(self.next);
        self.next
    }

    fn any_open(&self, random: &mut StdRng) -> Option<u32> {
        let place = random.random_range(0..self.open.len().max(1));
        self.open.iter().nth(place).copied()
    }

    fn hear(&mut self, message: &Value) {
        if let Some(id) = message["id"].as_u64().filter(|id| *id > 0) {
            let id = u32::try_from(id).unwrap();
            assert!(message["method"].is_null(), "{message}");
            self.open.remove(&id);
            *self.answered.entry(id).or_default() += 1;
        }
    }

    fn unhear(&mut self, message: &Value) {
        if let Some(id) = message["id"].as_u64().filter(|id| *id > 0) {
            let id = u32::try_from(id).unwrap();
            *self.answered.get_mut(&id).unwrap() -= 1;
            self.open.insert(id);
        }
    }

    fn check(&self, seed: u64) {
        for id in 1..=self.next {
            let answers = self.answered.get(&id).copied().unwrap_or_default();
            let good = answers == 1 || (answers == 0 && self.cancelled.contains(&id));
            assert!(good, "seed {seed}: request {id} has {answers} answers");
        }
    }
}

/// No task runs or waits, and no session is there.
async fn check_leftovers(platform: &Platform, seed: u64) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = listener.local_addr().unwrap();
    let (gateway, stop) = (platform.gateway.clone(), platform.stop.clone());
    tokio::spawn(async move {
        let render = std::sync::Arc::new(String::new);
        gateway.serve_admin(listener, render, stop).await
    });
    let settled = async {
        loop {
            let sessions = send(admin, Method::GET, "/sessions", &[], "").await;
            let count = sessions.json().await["count"].as_u64().unwrap();
            let depths = platform.broker.depths();
            if count == 0
                && depths
                    .iter()
                    .all(|(_, waiting, running)| waiting + running == 0)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(60), settled).await;
    assert!(
        settled.is_ok(),
        "seed {seed}: {:?}",
        platform.broker.depths()
    );
}

#[tokio::test]
async fn sockets_that_break_at_any_moment_answer_everything_once() {
    for seed in 0..SEEDS {
        fuzz_socket(seed).await;
    }
}

async fn fuzz_socket(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let platform = Platform::start_with(|config| config.max_in_flight = 5).await;
    let mut client = Client::open(platform.address).await;
    let mut book = Book::default();
    // Everything that this client has sent, and has heard; `initialize` is the first of each.
    let (mut said, mut heard) = (vec![Value::Null], vec![Value::Null]);
    // What it has once said to have, it has.
    let mut admitted = 1;
    for _ in 0..STEPS {
        match random.random_range(0..10) {
            0..=3 => {
                let message = call(book.begin(), tool(&mut random));
                client.socket.send(&message).await;
                said.push(message);
            }
            4 => {
                let message = request(book.begin(), "ping", json!({}));
                client.socket.send(&message).await;
                said.push(message);
            }
            5 => {
                if let Some(id) = book.any_open(&mut random) {
                    client.socket.send(&cancel(id)).await;
                    said.push(cancel(id));
                    book.cancelled.insert(id);
                }
            }
            6 => platform.functions.go_on.add_permits(1),
            7 | 8 => {
                let patience = Duration::from_millis(random.random_range(0..4));
                if let Ok(message) = tokio::time::timeout(patience, client.receive()).await {
                    book.hear(&message);
                    heard.push(message);
                }
            }
            _ => {
                let mut lost = client.lose().await;
                for _ in 0..random.random_range(0..4) {
                    if heard.len() > admitted {
                        book.unhear(&heard.pop().unwrap());
                        lost.received -= 1;
                    }
                }
                let (again, theirs) = lost.try_resume(platform.address).await.unwrap();
                client = again;
                admitted = heard.len();
                let theirs = usize::try_from(theirs).unwrap();
                assert!(theirs <= said.len(), "seed {seed}");
                for message in &said[theirs..] {
                    client.socket.send(message).await;
                }
            }
        }
    }
    platform.functions.go_on.add_permits(STEPS);
    // What was cancelled may be answered all the same: the last word says that all is.
    let last = book.begin();
    while !book.open.iter().all(|id| book.cancelled.contains(id)) {
        if book
            .open
            .iter()
            .all(|id| *id == last || book.cancelled.contains(id))
        {
            client.socket.send(&request(last, "ping", json!({}))).await;
        }
        let message = tokio::time::timeout(Duration::from_secs(60), client.receive()).await;
        book.hear(&message.unwrap_or_else(|_| panic!("seed {seed}: {:?} are open", book.open)));
    }
    book.check(seed);
    let session = [("mcp-session-id", client.session.as_str())];
    let ended = send(platform.address, Method::DELETE, "/mcp", &session, "").await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    check_leftovers(&platform, seed).await;
}

#[tokio::test]
async fn streams_that_break_at_any_moment_answer_everything_once() {
    for seed in 0..SEEDS {
        fuzz_streams(seed).await;
    }
}

async fn fuzz_streams(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let platform = Platform::start_with(|config| {
        config.stream_after = Duration::ZERO;
        config.poll_after = Some(Duration::from_millis(30));
    })
    .await;
    let address = platform.address;
    let id = open_session(address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let mut book = Book::default();
    let mut streams: BTreeMap<u32, Response> = BTreeMap::new();
    for _ in 0..STEPS {
        match random.random_range(0..8) {
            0 | 1 => {
                let request = book.begin();
                let stream = post(address, &session, &call(request, tool(&mut random))).await;
                if stream.is_stream() {
                    streams.insert(request, stream);
                } else {
                    book.hear(&stream.json().await);
                }
            }
            2 => {
                if let Some(request) = book.any_open(&mut random) {
                    post(address, &session, &cancel(request)).await;
                    book.cancelled.insert(request);
                }
            }
            3 => platform.functions.go_on.add_permits(1),
            step => {
                let place = random.random_range(0..streams.len().max(1));
                let Some(request) = streams.keys().nth(place).copied() else {
                    continue;
                };
                let mut stream = streams.remove(&request).unwrap();
                if step == 7 {
                    stream = come_back(&platform, &id, stream).await;
                }
                let patience = Duration::from_millis(random.random_range(0..4));
                match tokio::time::timeout(patience, stream.event()).await {
                    Ok(Some(message)) => {
                        book.hear(&message);
                        if message["id"].is_null() {
                            streams.insert(request, stream);
                        }
                    }
                    Ok(None) if book.cancelled.contains(&request) => {}
                    Ok(None) => {
                        streams.insert(request, come_back(&platform, &id, stream).await);
                    }
                    Err(_) => {
                        streams.insert(request, stream);
                    }
                }
            }
        }
    }
    platform.functions.go_on.add_permits(STEPS);
    for (request, mut stream) in streams {
        loop {
            match stream.event().await {
                Some(message) => {
                    book.hear(&message);
                    if message["id"].is_u64() {
                        break;
                    }
                }
                None if book.cancelled.contains(&request) => break,
                None => stream = come_back(&platform, &id, stream).await,
            }
        }
    }
    book.check(seed);
    let ended = send(address, Method::DELETE, "/mcp", &session, "").await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    check_leftovers(&platform, seed).await;
}

/// Leaves a stream for another connection, as far as it was heard.
async fn come_back(platform: &Platform, session: &str, mut stream: Response) -> Response {
    if stream.last_event_id.is_empty() {
        stream.opened().await;
    }
    let last = stream.last_event_id.clone();
    drop(stream);
    let headers = [
        ("accept", "text/event-stream"),
        ("mcp-session-id", session),
        ("last-event-id", &last),
    ];
    let mut stream = send(platform.address, Method::GET, "/mcp", &headers, "").await;
    assert_eq!(stream.status, StatusCode::OK, "{last}");
    stream.last_event_id = last;
    stream
}
