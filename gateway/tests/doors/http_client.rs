//! A small HTTP client: one connection a request, events read as they come.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

pub const MODERN: &str = "2026-07-28";

pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The id of the last event that has come.
    pub last_event_id: String,
    body: Incoming,
    buffer: String,
    // Ends the connection when dropped.
    _connection: AbortOnDrop,
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request with these headers besides `Host`.
pub async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Response {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = AbortOnDrop(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", address.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    Response {
        status: parts.status,
        headers: parts.headers,
        last_event_id: String::new(),
        body,
        buffer: String::new(),
        _connection: connection,
    }
}

/// POSTs a message with the headers that every MCP client sends, and these.
pub async fn post(address: SocketAddr, headers: &[(&str, &str)], message: &Value) -> Response {
    let mut all = vec![
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    all.extend(headers);
    send(address, Method::POST, "/mcp", &all, message.to_string()).await
}

/// POSTs a modern request with headers that mirror it.
pub async fn post_modern(address: SocketAddr, message: &Value) -> Response {
    let method = message["method"].as_str().unwrap().to_owned();
    let params = &message["params"];
    let name = params["name"].as_str().or(params["uri"].as_str());
    let name = name.map(str::to_owned);
    let text = message["params"]["arguments"]["text"]
        .as_str()
        .map(str::to_owned);
    let mut headers = vec![("mcp-protocol-version", MODERN), ("mcp-method", &method)];
    if let Some(name) = &name {
        headers.push(("mcp-name", name));
    }
    if let Some(text) = &text {
        headers.push(("mcp-param-text", text));
    }
    post(address, &headers, message).await
}

/// A modern request with the members that each must have.
pub fn modern(id: u32, method: &str, mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = MODERN.into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// A legacy request.
pub fn request(id: u32, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// `initialize` of this revision.
pub fn initialize(revision: &str) -> Value {
    request(
        0,
        "initialize",
        json!({"protocolVersion": revision, "capabilities": {"roots": {}},
               "clientInfo": {"name": "probe", "version": "1"}}),
    )
}

/// Opens a legacy session and returns its id.
pub async fn open_session(address: SocketAddr, revision: &str) -> String {
    let response = post(address, &[], &initialize(revision)).await;
    assert_eq!(response.status, StatusCode::OK);
    let id = response.headers["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let noted = post(address, &[("mcp-session-id", &id)], &initialized).await;
    assert_eq!(noted.status, StatusCode::ACCEPTED);
    id
}

impl Response {
    pub fn is_stream(&self) -> bool {
        self.headers
            .get("content-type")
            .is_some_and(|kind| kind == "text/event-stream")
    }

    /// The whole body.
    pub async fn text(self) -> String {
        let body = self.body.collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// The whole body as JSON.
    pub async fn json(self) -> Value {
        let status = self.status;
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {text:?}: {error}"))
    }

    /// The next event of a stream that has data; `None` at its end.
    pub async fn event(&mut self) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &'static str| {
                    event
                        .lines()
                        .filter_map(move |line| line.strip_prefix(name)?.strip_prefix(": "))
                };
                if let Some(id) = field("id").next() {
                    self.last_event_id = id.to_owned();
                }
                let data = field("data").collect::<Vec<_>>().join("\n");
                let parsed = (!data.is_empty()).then(|| serde_json::from_str(&data).unwrap());
                self.buffer = rest.to_owned();
                if parsed.is_some() {
                    return parsed;
                }
            }
            let frame = self.body.frame().await?.unwrap();
            if let Ok(data) = frame.into_data() {
                self.buffer.push_str(std::str::from_utf8(&data).unwrap());
            }
        }
    }

    /// The id of the event that opens a stream, which has no data.
    pub async fn opened(&mut self) -> String {
        while !self.buffer.contains("\n\n") {
            let frame = self.body.frame().await.unwrap().unwrap();
            if let Ok(data) = frame.into_data() {
                self.buffer.push_str(std::str::from_utf8(&data).unwrap());
            }
        }
        let (event, rest) = self.buffer.split_once("\n\n").unwrap();
        let (id, rest) = (event.to_owned(), rest.to_owned());
        self.buffer = rest;
        let lines: Vec<_> = id.lines().collect();
        let [id, "retry: 1000", "data: "] = lines[..] else {
            panic!("{lines:?}");
        };
        self.last_event_id = id.strip_prefix("id: ").unwrap().to_owned();
        self.last_event_id.clone()
    }

    /// All events until the stream ends.
    pub async fn events(mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }

    /// All messages, in whichever form they came.
    pub async fn events_or_json(self) -> Vec<Value> {
        if self.is_stream() {
            self.events().await
        } else {
            vec![self.json().await]
        }
    }

    /// The answer, in whichever form it came.
    pub async fn answer(self) -> Value {
        if self.is_stream() {
            self.events().await.pop().unwrap()
        } else {
            self.json().await
        }
    }
}
