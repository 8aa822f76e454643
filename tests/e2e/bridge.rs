//! Streamable HTTP in front of the platform's WebSocket: what is POSTed goes on as a text frame, and
//! the frames that come back become the response. It adds nothing but the HTTP status that an error
//! of the modern era has, so that who speaks only HTTP can look at what is said over WebSocket.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

use crate::session::Session;

const SESSION: &str = "mcp-session-id";

/// A bridge at work. It ends when it is dropped.
pub struct Bridge {
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// The legacy sessions, each one connection, by the id that the bridge gave it.
#[derive(Clone)]
struct Bank {
    platform: Arc<str>,
    sessions: Arc<Mutex<HashMap<String, Arc<Link>>>>,
}

/// Requests by their id, the oldest first, and where their frames go.
type Waiting = Arc<Mutex<Vec<(Value, UnboundedSender<Value>)>>>;

/// One connection to the platform, and the requests that wait for it.
struct Link {
    session: Arc<Session>,
    waiting: Waiting,
    reader: JoinHandle<()>,
}

impl Bridge {
    /// To the WebSocket at `platform` (`host:port`).
    pub async fn start(platform: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let bank = Bank {
            platform: platform.into(),
            sessions: Arc::default(),
        };
        let routes = Router::new()
            .route("/mcp", post(forward).delete(end))
            .with_state(bank);
        let server = tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("it serves");
        });
        Self { address, server }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://localhost:{}/mcp", self.address.port())
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(State(bank): State<Bank>, headers: HeaderMap, body: String) -> Response {
    let Ok(message) = serde_json::from_str::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if message["method"] == "initialize" && message["params"]["_meta"].is_null() {
        let link = Arc::new(Link::open(&bank.platform).await);
        let id = format!("session-{:x}", rand::random::<u64>());
        let mut response = link.ask(&message, body, StatusCode::OK).await;
        let value = id.parse().expect("a header value");
        response.headers_mut().insert(SESSION, value);
        let mut sessions = bank.sessions.lock().expect("not poisoned");
        sessions.insert(id, link);
        return response;
    }
    let (link, refusal) = match headers.get(SESSION) {
        None => (Some(Arc::new(Link::open(&bank.platform).await)), None),
        Some(id) => (bank.session(id.as_bytes()), Some(StatusCode::OK)),
    };
    let Some(link) = link else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if message["id"].is_null() || message["method"].is_null() {
        link.session.say(body);
        return StatusCode::ACCEPTED.into_response();
    }
    let refusal = refusal.unwrap_or(StatusCode::BAD_REQUEST);
    link.ask(&message, body, refusal).await
}

async fn end(State(bank): State<Bank>, headers: HeaderMap) -> StatusCode {
    let id = headers
        .get(SESSION)
        .map_or("", |id| id.to_str().expect("text"));
    let ended = bank.sessions.lock().expect("not poisoned").remove(id);
    ended.map_or(StatusCode::NOT_FOUND, |_| StatusCode::OK)
}

impl Bank {
    fn session(&self, id: &[u8]) -> Option<Arc<Link>> {
        let sessions = self.sessions.lock().expect("not poisoned");
        let id = std::str::from_utf8(id).ok()?;
        sessions.get(id).cloned()
    }
}

impl Link {
    async fn open(platform: &str) -> Self {
        let session = Session::connect(platform, &[]).await.expect("an upgrade");
        let session = Arc::new(session);
        let waiting = Waiting::default();
        let reader = tokio::spawn(read(session.clone(), waiting.clone()));
        Self {
            session,
            waiting,
            reader,
        }
    }

    fn wait(&self, id: Value, sender: UnboundedSender<Value>) {
        let mut waiting = self.waiting.lock().expect("not poisoned");
        waiting.push((id, sender));
    }

    /// Sends a request. The answer is JSON when nothing comes before it, and else an event stream.
    async fn ask(self: &Arc<Self>, message: &Value, body: String, refusal: StatusCode) -> Response {
        let (sender, mut frames) = mpsc::unbounded_channel();
        self.wait(message["id"].clone(), sender);
        self.session.say(body);
        let Some(first) = frames.recv().await else {
            return StatusCode::BAD_GATEWAY.into_response();
        };
        if first["method"].is_null() {
            let status = match first["error"]["code"].as_i64() {
                None => StatusCode::OK,
                Some(-32601) if refusal == StatusCode::BAD_REQUEST => StatusCode::NOT_FOUND,
                Some(_) => refusal,
            };
            let json = [(header::CONTENT_TYPE, "application/json")];
            return (status, json, first.to_string()).into_response();
        }
        event_stream(first, frames, self.clone())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Hands every frame to the request that it answers, and what answers none to the newest request.
async fn read(session: Arc<Session>, waiting: Waiting) {
    while let Some(frame) = session.next().await {
        let mut waiting = waiting.lock().expect("not poisoned");
        let answered = match frame["method"] {
            Value::Null => waiting.iter().position(|(id, _)| *id == frame["id"]),
            _ => None,
        };
        let _ = match answered {
            Some(at) => waiting.remove(at).1.send(frame),
            None => match waiting.last() {
                Some((_, newest)) => newest.send(frame),
                None => Ok(()),
            },
        };
    }
}

/// A response that goes on until the request is answered; the connection lives as long at least.
fn event_stream(first: Value, frames: UnboundedReceiver<Value>, link: Arc<Link>) -> Response {
    let rest = stream::unfold((frames, link), async |(mut frames, link)| {
        let frame = frames.recv().await?;
        Some((frame, (frames, link)))
    });
    let events = stream::iter([first]).chain(rest);
    let events = events.map(|frame| Ok::<_, std::io::Error>(format!("data: {frame}\n\n")));
    let media = [(header::CONTENT_TYPE, "text/event-stream")];
    (media, Body::from_stream(events)).into_response()
}
