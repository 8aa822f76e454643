//! Clients that keep one call in flight: over WebSocket to the platform, over HTTP to the hops.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

pub const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
pub const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

pub fn call(id: usize, tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    )
}

/// One caller with one call in flight.
pub trait Caller {
    async fn exchange(&mut self, request: String) -> Bytes;
}

/// An initialized MCP session over WebSocket.
pub struct Session(WebSocketStream<TcpStream>);

impl Session {
    pub async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = format!("ws://{address}/mcp").into_client_request().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", "mcp".parse().unwrap());
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .max_message_size(None);
        let (socket, _) =
            tokio_tungstenite::client_async_with_config(request, stream, Some(config))
                .await
                .unwrap();
        let mut session = Self(socket);
        session.exchange(INITIALIZE.to_owned()).await;
        session.0.send(Message::text(INITIALIZED)).await.unwrap();
        session
    }
}

impl Caller for Session {
    async fn exchange(&mut self, request: String) -> Bytes {
        self.0.send(Message::text(request)).await.unwrap();
        loop {
            let message = self.0.next().await.unwrap().unwrap();
            if let Message::Text(text) = message
                && text.contains("\"id\"")
            {
                return Bytes::from(text);
            }
        }
    }
}

/// A kept HTTP connection.
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    pub async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }
}

impl Caller for Connection {
    async fn exchange(&mut self, request: String) -> Bytes {
        self.0.ready().await.unwrap();
        let request = http::Request::post("/")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(request)))
            .unwrap();
        let response = self.0.send_request(request).await.unwrap();
        assert!(response.status().is_success());
        response.into_body().collect().await.unwrap().to_bytes()
    }
}

/// Calls a second of all callers together, and the median time of a call.
pub struct Load {
    pub per_second: f64,
    pub p50: Duration,
}

/// Lets every caller call for so long.
pub async fn run<C: Caller + 'static>(callers: Vec<C>, time: Duration) -> (Load, Vec<C>) {
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    let local = tokio::task::LocalSet::new();
    for mut caller in callers {
        tasks.spawn_local_on(
            async move {
                let mut times = Vec::new();
                while begin.elapsed() < time {
                    let started = Instant::now();
                    let answer = caller
                        .exchange(call(
                            times.len() + 1,
                            "echo",
                            r#"{"text":"hello, dormouse"}"#,
                        ))
                        .await;
                    assert!(contains(&answer, b"hello, dormouse"), "{answer:?}");
                    times.push(started.elapsed());
                }
                (caller, times)
            },
            &local,
        );
    }
    let done = local.run_until(async { tasks.join_all().await }).await;
    let seconds = begin.elapsed().as_secs_f64();
    let (callers, times): (Vec<_>, Vec<_>) = done.into_iter().unzip();
    let mut times: Vec<Duration> = times.into_iter().flatten().collect();
    times.sort();
    let load = Load {
        per_second: times.len() as f64 / seconds,
        p50: times[times.len() / 2],
    };
    (load, callers)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
