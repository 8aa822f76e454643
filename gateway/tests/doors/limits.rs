//! What a client may not do, and what a stop does not wait for.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http_client::request;
use crate::platform::Platform;
use crate::socket_client::open;

fn wait(id: u32) -> serde_json::Value {
    request(id, "tools/call", json!({"name": "wait"}))
}

#[tokio::test]
async fn a_socket_that_is_full_still_cancels_and_is_pinged() {
    let platform = Platform::start_with(|config| config.max_in_flight = 2).await;
    let mut socket = open(platform.address, "2025-11-25").await;
    for id in 1..=3 {
        socket.send(&wait(id)).await;
    }
    while platform.runs() < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ping = socket.ask(&request(9, "ping", json!({}))).await;
    assert_eq!(ping["id"], 9);
    let cancel = json!({"jsonrpc":"2.0","method":"notifications/cancelled",
                        "params":{"requestId":1}});
    socket.send(&cancel).await;
    platform.functions.cancelled.notified().await;
    // The third one gets the place.
    while platform.runs() < 3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    platform.functions.go_on.add_permits(2);
    let mut ids = [socket.receive().await, socket.receive().await].map(|one| one["id"].clone());
    ids.sort_by_key(|id| id.as_u64());
    assert_eq!(ids, [json!(2), json!(3)]);
}

#[tokio::test]
async fn what_does_not_fit_is_answered_as_busy() {
    let platform = Platform::start_with(|config| config.max_in_flight = 1).await;
    let mut socket = open(platform.address, "2025-11-25").await;
    for id in 0..1_026 {
        socket.send(&wait(id)).await;
    }
    let busy = socket.receive().await;
    assert_eq!(busy["id"], 1_025);
    assert_eq!(busy["error"]["code"], -31_429);
    assert_eq!(busy["error"]["data"]["retryable"], true);
}

#[tokio::test]
async fn a_batch_counts_as_the_calls_in_it() {
    let platform = Platform::start_with(|config| config.max_in_flight = 2).await;
    let mut socket = open(platform.address, "2025-03-26").await;
    socket.send(&json!([wait(1), wait(2)])).await;
    socket.send(&wait(3)).await;
    while platform.runs() < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ping = socket.ask(&request(9, "ping", json!({}))).await;
    assert_eq!(ping["id"], 9);
    assert_eq!(platform.runs(), 2);
    platform.functions.go_on.add_permits(2);
    assert_eq!(socket.receive().await.as_array().unwrap().len(), 2);
    platform.functions.go_on.add_permits(1);
    assert_eq!(socket.receive().await["id"], 3);
}

async fn raw(platform: &Platform, text: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(platform.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let length = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    (stream, answer)
}

#[tokio::test]
async fn a_request_says_once_whom_it_means_and_whence_it_comes() {
    let platform = Platform::start().await;
    let local = "Host: localhost\r\n";
    for (headers, status) in [
        ("", StatusCode::BAD_REQUEST),
        (
            "Host: localhost\r\nHost: evil.example\r\n",
            StatusCode::FORBIDDEN,
        ),
        (
            "Origin: http://localhost\r\nOrigin: http://evil.example\r\n",
            StatusCode::FORBIDDEN,
        ),
    ] {
        let host = if headers.starts_with("Origin") {
            local
        } else {
            ""
        };
        let text = format!("GET /mcp HTTP/1.1\r\n{host}{headers}\r\n");
        let (_, answer) = raw(&platform, &text).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {}", status.as_u16())),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn half_a_request_does_not_hold_a_stop() {
    let mut platform =
        Platform::start_with(|config| config.drain = Duration::from_secs(3_600)).await;
    let halves = [
        "",
        "POST /mcp HTTP/1.1\r\nHost: loc",
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{",
    ];
    let mut streams = Vec::new();
    for half in halves {
        let mut stream = TcpStream::connect(platform.address).await.unwrap();
        stream.write_all(half.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    // One that was answered before and rests.
    let (resting, answer) = raw(&platform, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"));
    platform.stop.cancel();
    let serving = platform.serving.take().unwrap();
    tokio::time::timeout(Duration::from_secs(60), serving)
        .await
        .unwrap()
        .unwrap();
    drop((streams, resting));
}
