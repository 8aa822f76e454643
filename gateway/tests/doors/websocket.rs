//! Both eras over WebSocket.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::http_client::{initialize, modern, request};
use crate::platform::{Platform, TOOLS, pool};
use crate::socket_client::{connect, open};

#[tokio::test]
async fn the_subprotocol_is_echoed_at_both_paths() {
    let platform = Platform::start().await;
    for path in ["/mcp", "/"] {
        let (_, response) = connect(platform.address, path, "mcp").await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "mcp");
    }
}

#[tokio::test]
async fn a_legacy_session_lists_and_calls() {
    let platform = Platform::start().await;
    let (mut socket, _) = connect(platform.address, "/mcp", "mcp").await.unwrap();
    let early = socket.ask(&request(1, "tools/list", json!({}))).await;
    assert_eq!(early["error"]["code"], -32_600);
    assert_eq!(
        socket.ask(&request(2, "ping", json!({}))).await["result"],
        json!({})
    );
    socket.ask(&initialize("2025-11-25")).await;
    let again = socket.ask(&initialize("2025-11-25")).await;
    assert_eq!(again["error"]["code"], -32_600);
    socket
        .send(&json!({"jsonrpc":"2.0","method":"notifications/initialized"}))
        .await;
    let list = socket.ask(&request(3, "tools/list", json!({}))).await;
    assert_eq!(
        list["result"]["tools"].as_array().unwrap().len(),
        TOOLS.len()
    );
    let call = request(
        4,
        "tools/call",
        json!({"name":"echo","arguments":{"text":"x"}}),
    );
    let answer = socket.ask(&call).await;
    assert_eq!(answer["result"]["content"][0]["text"], r#"{"text":"x"}"#);
}

#[tokio::test]
async fn modern_requests_need_no_session_and_interleave() {
    let platform = Platform::start().await;
    let (mut socket, _) = connect(platform.address, "/mcp", "mcp").await.unwrap();
    let discovered = socket.ask(&modern(1, "server/discover", json!({}))).await;
    assert_eq!(discovered["result"]["resultType"], "complete");
    let unknown = socket.ask(&modern(2, "ping", json!({}))).await;
    assert_eq!(unknown["error"]["code"], -32_601);
    socket
        .send(&modern(3, "tools/call", json!({"name":"wait"})))
        .await;
    let call = modern(
        4,
        "tools/call",
        json!({"name":"echo","arguments":{"text":"x"}}),
    );
    assert_eq!(socket.ask(&call).await["id"], 4);
    platform.functions.go_on.add_permits(1);
    let waited = socket.receive().await;
    assert_eq!(
        (&waited["id"], &waited["result"]["resultType"]),
        (&json!(3), &json!("complete"))
    );
}

#[tokio::test]
async fn progress_comes_before_its_answer() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let call = request(
        1,
        "tools/call",
        json!({"name":"tell","_meta":{"progressToken":9}}),
    );
    socket.send(&call).await;
    let mut methods = Vec::new();
    let answer = loop {
        let message = socket.receive().await;
        match message["method"].as_str() {
            Some(method) => methods.push(method.to_owned()),
            None => break message,
        }
    };
    assert_eq!(methods.len(), 4);
    assert_eq!(answer["id"], 1);
}

#[tokio::test]
async fn a_cancelled_request_is_not_answered() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    socket
        .send(&request(1, "tools/call", json!({"name":"wait"})))
        .await;
    let cancel = json!({"jsonrpc":"2.0","method":"notifications/cancelled",
                        "params":{"requestId":1}});
    socket.send(&cancel).await;
    platform.functions.cancelled.notified().await;
    assert_eq!(socket.ask(&request(2, "ping", json!({}))).await["id"], 2);
    // The id is free again.
    let call = request(1, "tools/call", json!({"name":"echo","arguments":{}}));
    assert_eq!(socket.ask(&call).await["id"], 1);
}

#[tokio::test]
async fn modern_calls_end_with_their_socket() {
    let platform = Platform::start_with(|config| config.cancel_grace = Duration::ZERO).await;
    let (mut socket, _) = connect(platform.address, "/mcp", "mcp").await.unwrap();
    socket
        .send(&modern(1, "tools/call", json!({"name":"wait"})))
        .await;
    while platform.runs() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(socket);
    platform.functions.cancelled.notified().await;
}

#[tokio::test]
async fn many_calls_on_one_socket_are_each_answered_once() {
    let platform = Platform::start_with(|config| config.max_in_flight = 8).await;
    let mut socket = open(platform.address, "2025-11-25").await;
    for id in 1..=500 {
        let text = id.to_string();
        let call = json!({"name":"echo","arguments":{"text":text}});
        socket.send(&request(id, "tools/call", call)).await;
    }
    let mut answered = HashSet::new();
    for _ in 1..=500 {
        let answer = socket.receive().await;
        let id = answer["id"].as_u64().unwrap();
        let text = answer["result"]["content"][0]["text"].as_str().unwrap();
        assert_eq!(text, format!(r#"{{"text":"{id}"}}"#));
        assert!(answered.insert(id));
    }
}

#[tokio::test]
async fn large_messages_pass_and_small_ones_after_them() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    for size in [1_000_000, 10, 300_000, 1] {
        let text = "x".repeat(size);
        let call = json!({"name":"echo","arguments":{"text":text}});
        let answer = socket.ask(&request(1, "tools/call", call)).await;
        let told = answer["result"]["content"][0]["text"].as_str().unwrap();
        assert_eq!(told.len(), size + r#"{"text":""}"#.len());
    }
}

#[tokio::test]
async fn what_is_no_message_is_told_and_the_socket_goes_on() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    for (text, code) in [
        ("{", -32_700),
        ("[]", -32_600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32_600),
        ("[{", -32_700),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            -32_600,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"unknown/method"}"#,
            -32_601,
        ),
    ] {
        socket.send_raw(Message::text(text)).await;
        assert_eq!(socket.receive().await["error"]["code"], code, "{text}");
    }
    socket
        .send_raw(Message::text(
            r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#,
        ))
        .await;
    assert_eq!(socket.receive().await["result"], json!({}));
}

#[tokio::test]
async fn batches_are_for_the_one_revision_that_has_them() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-03-26").await;
    let batch = json!([
        request(1, "ping", json!({})),
        request(2, "tools/call", json!({"name":"echo","arguments":{}})),
        initialize("2025-03-26"),
    ]);
    let answers = socket.ask(&batch).await;
    assert_eq!(answers.as_array().unwrap().len(), 3);
    let notices = json!([{"jsonrpc":"2.0","method":"notifications/initialized"}]);
    socket.send(&notices).await;
    assert_eq!(socket.ask(&request(3, "ping", json!({}))).await["id"], 3);
}

#[tokio::test]
async fn frames_that_are_not_taken_close_the_socket() {
    let platform = Platform::start_with(|config| config.max_message = 10_000).await;
    let mut binary = open(platform.address, "2025-11-25").await;
    binary.send_raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(binary.closed().await, CloseCode::Unsupported);
    let mut large = open(platform.address, "2025-11-25").await;
    large.send_raw(Message::text("x".repeat(10_001))).await;
    assert_eq!(large.closed().await, CloseCode::Size);
}

#[tokio::test]
async fn a_changed_list_is_told_to_sessions() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let more = vec![pool("tools", &TOOLS), pool("more", &["echo", "new"])];
    platform.pools.send(std::sync::Arc::new(more)).unwrap();
    let told = socket.receive().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    let list = socket.ask(&request(1, "tools/list", json!({}))).await;
    let names: Vec<_> = list["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"more__echo") && names.contains(&"new"),
        "{names:?}"
    );
}

#[tokio::test]
async fn who_shows_no_sign_of_life_is_let_go() {
    let platform =
        Platform::start_with(|config| config.keep_alive = Duration::from_millis(100)).await;
    // A client that answers pings stays for many intervals.
    let mut alive = open(platform.address, "2025-11-25").await;
    alive
        .send(&request(1, "tools/call", json!({"name":"wait"})))
        .await;
    let answer = tokio::spawn(async move { alive.receive().await });
    // One that does not read cannot answer them.
    let mut dead = open(platform.address, "2025-11-25").await;
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(dead.closed().await, CloseCode::Away);
    platform.functions.go_on.add_permits(1);
    let answer: Value = answer.await.unwrap();
    assert_eq!(answer["id"], 1);
}
