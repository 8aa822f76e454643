//! Stopping: running calls end, sockets are told, nothing is left.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::http_client::{modern, open_session, post_modern, request, send};
use crate::platform::Platform;
use crate::socket_client::open;

#[tokio::test]
async fn running_calls_end_before_their_connections_do() {
    let mut platform =
        Platform::start_with(|config| config.stream_after = Duration::from_millis(5)).await;
    let mut idle = open(platform.address, "2025-11-25").await;
    let mut busy = open(platform.address, "2025-11-25").await;
    busy.send(&request(1, "tools/call", json!({"name":"wait"})))
        .await;
    let call = modern(1, "tools/call", json!({"name":"wait"}));
    let posted = post_modern(platform.address, &call).await;
    let session = open_session(platform.address, "2025-11-25").await;
    let headers = [
        ("accept", "text/event-stream"),
        ("mcp-session-id", session.as_str()),
    ];
    let standing = send(platform.address, http::Method::GET, "/mcp", &headers, "").await;
    while platform.runs() < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    platform.stop.cancel();
    assert_eq!(idle.closed().await, CloseCode::Away);
    assert!(standing.events().await.is_empty());
    platform.functions.go_on.add_permits(2);
    assert_eq!(
        busy.receive().await["result"]["content"][0]["text"],
        "waited"
    );
    assert_eq!(busy.closed().await, CloseCode::Away);
    assert_eq!(
        posted.answer().await["result"]["content"][0]["text"],
        "waited"
    );
    drop((idle, busy));
    platform.serving.take().unwrap().await.unwrap();
    assert!(
        tokio::net::TcpStream::connect(platform.address)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_takes_too_long_is_cut() {
    let mut platform =
        Platform::start_with(|config| config.drain = Duration::from_millis(50)).await;
    let mut busy = open(platform.address, "2025-11-25").await;
    busy.send(&request(1, "tools/call", json!({"name":"wait"})))
        .await;
    while platform.runs() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    platform.stop.cancel();
    platform.serving.take().unwrap().await.unwrap();
}
