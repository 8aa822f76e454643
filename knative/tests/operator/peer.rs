//! Functions and a coordinator in one: says what it was asked, and answers as it is told.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::net::TcpListener;

/// What a function with one tool answers.
pub const MANIFEST: &str = r#"{"contract":1, "pool":"p", "agentType":"educational",
    "tools":[{"name":"ask","inputSchema":{"type":"object"}}]}"#;

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub line: String,
    pub bearer: Option<String>,
    pub body: Value,
}

#[derive(Default)]
struct Memory {
    asked: Vec<Asked>,
    refuses: bool,
}

/// It.
#[derive(Clone)]
pub struct Peer {
    memory: Arc<Mutex<Memory>>,
    pub url: String,
}

impl Peer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let peer = Self {
            url: format!("http://{}", listener.local_addr().expect("its address")),
            memory: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(peer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        peer
    }

    /// Whether it is out of order from now on.
    pub fn refuse(&self, refuses: bool) {
        self.memory.lock().expect("no panic").refuses = refuses;
    }

    /// Everything that was asked with such a line.
    pub fn asked(&self, line: &str) -> Vec<Asked> {
        let memory = self.memory.lock().expect("no panic");
        let asked = memory.asked.iter().filter(|it| it.line == line);
        asked.cloned().collect()
    }
}

async fn answer(
    State(peer): State<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let bearer = headers.get("authorization").and_then(|it| it.to_str().ok());
    let asked = Asked {
        line: format!("{method} {}", uri.path()),
        bearer: bearer.map(|it| it.replace("Bearer ", "")),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let mut memory = peer.memory.lock().expect("no panic");
    memory.asked.push(asked);
    match (method, memory.refuses) {
        (Method::GET, _) => MANIFEST.into_response(),
        (_, true) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        (_, false) => StatusCode::NO_CONTENT.into_response(),
    }
}
