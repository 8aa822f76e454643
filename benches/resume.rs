//! Resuming a WebSocket session with 1,000 missed messages, against getting the same 1,000 live on
//! a session of the same kind: pings, which cost nothing but the message, and calls. Both sides in
//! turn, several rounds; from the first byte sent to the last message received.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod load;

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use load::client::{INITIALIZE, INITIALIZED, call};
use load::platform::Platform;
use load::{Spread, arguments};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const ROUNDS: usize = 7;
const MESSAGES: usize = 1_000;
/// What the platform may take to have all answers ready.
const SETTLE: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<TcpStream>;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let only = arguments();
        let platform = Platform::start(&["--max-tasks", "200"], "{max: 1, concurrency: 200}");
        for kind in ["pings", "calls"] {
            if only.iter().all(|word| word == kind) {
                measure(&platform.mcp, kind).await;
            }
        }
    });
}

async fn measure(address: &str, kind: &str) {
    let (mut ratios, mut live_ms, mut resumed_ms) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let live = live(address, kind).await;
        let resumed = resumed(address, kind).await;
        // The first round warms both sides up.
        if round > 0 {
            ratios.push(resumed.as_secs_f64() / live.as_secs_f64());
            live_ms.push(live.as_secs_f64() * 1e3);
            resumed_ms.push(resumed.as_secs_f64() * 1e3);
        }
    }
    println!(
        "{MESSAGES} answers to {kind}: live {} ms, resumed {} ms, ratio {}",
        Spread::of(live_ms),
        Spread::of(resumed_ms),
        Spread::of(ratios),
    );
}

async fn live(address: &str, kind: &str) -> Duration {
    let (mut socket, _) = open(address).await;
    let begin = Instant::now();
    send_all(&mut socket, kind).await;
    receive_all(&mut socket).await;
    begin.elapsed()
}

async fn resumed(address: &str, kind: &str) -> Duration {
    let (mut socket, session) = open(address).await;
    send_all(&mut socket, kind).await;
    tokio::time::sleep(SETTLE).await;
    // What has come is not read: the connection breaks with all of it on the way.
    drop(socket);
    let begin = Instant::now();
    let headers = [
        ("mcp-session-id", session.as_str()),
        ("dormouse-received", "1"),
    ];
    let (mut socket, _) = connect(address, &headers).await;
    receive_all(&mut socket).await;
    begin.elapsed()
}

async fn open(address: &str) -> (Socket, String) {
    let (mut socket, session) = connect(address, &[("dormouse-resume", "new")]).await;
    socket.send(Message::text(INITIALIZE)).await.unwrap();
    while !matches!(socket.next().await.unwrap().unwrap(), Message::Text(_)) {}
    socket.send(Message::text(INITIALIZED)).await.unwrap();
    (socket, session)
}

async fn connect(address: &str, headers: &[(&'static str, &str)]) -> (Socket, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut request = format!("ws://{address}/mcp").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let (socket, response) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    let session = response.headers()["mcp-session-id"].to_str().unwrap();
    (socket, session.to_owned())
}

async fn send_all(socket: &mut Socket, kind: &str) {
    for id in 1..=MESSAGES {
        let message = match kind {
            "calls" => call(id, "echo", r#"{"text":"hello, dormouse"}"#),
            _ => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#),
        };
        socket.feed(Message::text(message)).await.unwrap();
    }
    socket.flush().await.unwrap();
}

async fn receive_all(socket: &mut Socket) {
    let mut received = 0;
    while received < MESSAGES {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            assert!(text.contains("\"result\""), "{text}");
            received += 1;
        }
    }
}
