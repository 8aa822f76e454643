//! Events taken in durably, in binary mode, one on each connection, against a bare axum handler
//! that puts the same bytes into SQLite with as many in a commit. First events that nobody has a
//! trigger for, then events that one pool takes while its tasks wait. Both sides in turn, several
//! rounds.
//!
//! `make bench`, or: `cargo build --release -p dormouse-function --example fixture && cargo bench
//! --bench ingress`

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod load;
#[path = "load/shelf.rs"]
mod shelf;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use load::client::{Caller as _, Session, call};
use load::platform::Platform;
use load::{Spread, arguments};
use shelf::{Shelf, become_shelf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const CONNECTIONS: usize = 16;
const SCALING: &str = "{max: 1, concurrency: 1}";
const DATA: &[u8] = br#"{"action":"opened","number":42,"title":"hello, dormouse"}"#;

/// What is sent, and who takes it.
#[derive(Clone, Copy)]
struct Case {
    what: &'static str,
    ty: &'static str,
    has_task: bool,
}

const CASES: [Case; 2] = [
    Case {
        what: "no trigger takes it",
        ty: "org.example.nobody",
        has_task: false,
    },
    Case {
        what: "one does, and its task waits",
        ty: "org.example.ping",
        has_task: true,
    },
];

fn main() {
    become_shelf(&arguments());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for case in CASES {
            measure(case).await;
        }
    });
}

async fn measure(case: Case) {
    let arguments = ["--durability=process", "--max-tasks=1", "--drain-seconds=0"];
    let platform = Platform::start(&arguments, SCALING);
    let shelf = Shelf::start(case.has_task);
    // The only task that may run is one that never ends: all others wait.
    let mut session = Session::open(&platform.mcp).await;
    let hanging = tokio::spawn(async move { session.exchange(call(1, "hang", "{}")).await });
    let mut ours = connect(&platform.coordinator).await;
    let mut theirs = connect(&shelf.address).await;
    let mut ratios = Vec::new();
    let mut last = (0.0, 0.0);
    for round in 0..=ROUNDS {
        let bare = post_all(&mut theirs, case).await;
        let own = post_all(&mut ours, case).await;
        // The first round warms both sides up.
        if round > 0 {
            ratios.push(own / bare);
        }
        last = (own, bare);
    }
    hanging.abort();
    println!(
        "{CONNECTIONS} connections, {}: {:>6.0} events/s, bare {:>6.0} events/s, ratio {} (bar 0.70)",
        case.what,
        last.0,
        last.1,
        Spread::of(ratios),
    );
}

type Connection = SendRequest<Full<Bytes>>;

async fn connect(address: &str) -> Vec<Connection> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        connections.push(sender);
    }
    connections
}

/// Events taken a second, of all connections together.
async fn post_all(connections: &mut Vec<Connection>, case: Case) -> f64 {
    let begin = Instant::now();
    let mut producers = JoinSet::new();
    for mut connection in connections.drain(..) {
        producers.spawn(async move {
            let mut taken = 0;
            while begin.elapsed() < ROUND {
                post(&mut connection, case.ty).await;
                taken += 1;
            }
            (connection, taken)
        });
    }
    let mut all = 0;
    for (connection, taken) in producers.join_all().await {
        connections.push(connection);
        all += taken;
    }
    f64::from(all) / begin.elapsed().as_secs_f64()
}

async fn post(connection: &mut Connection, ty: &str) {
    connection.ready().await.unwrap();
    let id = dormouse_broker::TaskId::new().to_string();
    let request = http::Request::post("/events")
        .header("host", "localhost")
        .header("ce-specversion", "1.0")
        .header("ce-id", id)
        .header("ce-source", "/repositories/7")
        .header("ce-type", ty)
        .header("ce-subject", "pulls/42")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(DATA)))
        .unwrap();
    let response = connection.send_request(request).await.unwrap();
    assert_eq!(response.status(), 202, "{response:?}");
    response.into_body().collect().await.unwrap();
}
