//! A warm `tools/list` of 1,000 tools over HTTP, against a static axum response of the same bytes.
//! Both sides in turn, several rounds.
//!
//! `cargo bench --bench list`

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod load;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use dormouse_broker::Broker;
use dormouse_contract::Manifest;
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::Registration;
use dormouse_gateway::{Config, Gateway, Store};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use load::Spread;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const TOOLS: usize = 1_000;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const MODERN: &str = "2026-07-28";

/// `tools/list`, as modern clients ask for it.
fn request() -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }}})
    .to_string()
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    // Each side has a runtime of its own: neither waits for the other's tasks.
    let (ours, theirs) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let gateway = ours.block_on(serve_gateway(folder.path()));
    let client = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    client.block_on(async {
        let body = Connection::open(&gateway).await.ask().await;
        let fixed = theirs.spawn(serve_fixed(body.clone())).await.unwrap();
        println!("{TOOLS} tools, {} KiB", body.len() >> 10);
        for connections in [1, 16] {
            measure(&gateway, &fixed, connections).await;
        }
    });
    ours.shutdown_background();
    theirs.shutdown_background();
}

async fn measure(gateway: &str, fixed: &str, connections: usize) {
    let (mut ratios, mut figures) = (Vec::new(), (Vec::new(), Vec::new()));
    for round in 0..=ROUNDS {
        let theirs = load(fixed, connections).await;
        let ours = load(gateway, connections).await;
        // The first round warms both sides up.
        if round > 0 {
            ratios.push(ours / theirs);
            figures.0.push(ours);
            figures.1.push(theirs);
        }
    }
    println!(
        "{connections:>3} connections: {}/s, static response {}/s; ratio {}",
        Spread::of(figures.0),
        Spread::of(figures.1),
        Spread::of(ratios),
    );
}

/// Requests a second of so many connections with one request in flight each.
async fn load(address: &str, connections: usize) -> f64 {
    let mut callers = Vec::new();
    for _ in 0..connections {
        callers.push(Connection::open(address).await);
    }
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for mut caller in callers {
        tasks.spawn(async move {
            let mut answered = 0_u32;
            while begin.elapsed() < ROUND {
                caller.ask().await;
                answered += 1;
            }
            answered
        });
    }
    let answered: u32 = tasks.join_all().await.into_iter().sum();
    f64::from(answered) / begin.elapsed().as_secs_f64()
}

/// A kept connection.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    request: Bytes,
}

impl Connection {
    async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self {
            sender,
            request: request().into(),
        }
    }

    async fn ask(&mut self) -> Bytes {
        self.sender.ready().await.unwrap();
        let request = http::Request::post("/mcp")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", "tools/list")
            .body(Full::new(self.request.clone()))
            .unwrap();
        let response = self.sender.send_request(request).await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        response.into_body().collect().await.unwrap().to_bytes()
    }
}

/// A gateway whose one pool declares many tools.
async fn serve_gateway(folder: &std::path::Path) -> String {
    let broker = Broker::open(dormouse_broker::Config::new(folder)).unwrap();
    let store = Store::open(folder).unwrap();
    let (pools, registrations) = watch::channel(Arc::new(vec![Arc::new(pool())]));
    let (_, announcements) = broadcast::channel(1);
    let config = Config::new(Default::default());
    let gateway = Gateway::new(config, broker, store, registrations, announcements);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        gateway.serve(listener, CancellationToken::new()).await;
        drop(pools);
    });
    address
}

fn pool() -> Registration {
    let tool = |n: usize| {
        json!({
            "name": format!("tool-{n}"),
            "title": format!("Tool {n}"),
            "description": "Does something that takes a sentence or two to be described well.",
            "inputSchema": {"type": "object", "required": ["text"], "properties": {
                "text": {"type": "string", "description": "What it is done with."},
                "limit": {"type": "integer", "minimum": 1},
            }},
        })
    };
    let tools: Vec<_> = (0..TOOLS).map(tool).collect();
    let manifest = json!({"contract": 1, "tools": tools}).to_string();
    Registration {
        pool: "many".into(),
        agent_type: String::new(),
        revision: "1".into(),
        manifest: Arc::new(Manifest::parse(manifest.as_bytes()).unwrap()),
        delivery: Delivery::default(),
        tools: BTreeMap::new(),
        triggers: None,
        slots: 1,
        queue_limit: 1,
    }
}

/// A server that answers every POST with these bytes.
async fn serve_fixed(body: Bytes) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = move |_: Bytes| {
        let body = body.clone();
        async move { ([("content-type", "application/json")], body) }
    };
    let app = Router::new().route("/mcp", post(answer));
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}
