//! Legacy sessions over HTTP.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http_client::{initialize, open_session, post, request, send};
use crate::platform::{Platform, TOOLS, pool};

#[tokio::test]
async fn a_session_lists_and_calls() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [
        ("mcp-session-id", id.as_str()),
        ("mcp-protocol-version", "2025-11-25"),
    ];

    let ping = post(platform.address, &session, &request(1, "ping", json!({}))).await;
    assert_eq!(
        ping.json().await,
        json!({"jsonrpc":"2.0","id":1,"result":{}})
    );

    let list = post(
        platform.address,
        &session,
        &request(2, "tools/list", json!({})),
    )
    .await;
    let list = list.json().await;
    assert_eq!(
        list["result"]["tools"].as_array().unwrap().len(),
        TOOLS.len()
    );
    assert!(list["result"].get("ttlMs").is_none());

    let call = json!({"name":"echo","arguments":{"text":"hello"}});
    let answer = post(platform.address, &session, &request(3, "tools/call", call)).await;
    assert!(!answer.is_stream());
    let answer = answer.json().await;
    assert_eq!(answer["id"], 3);
    assert_eq!(
        answer["result"]["content"][0]["text"],
        r#"{"text":"hello"}"#
    );
    assert!(answer["result"].get("resultType").is_none());

    let seen = platform.functions.seen.lock().unwrap()[0].clone();
    assert_eq!(seen["method"], "tools/call");
    assert_eq!(seen["client"]["protocolVersion"], "2025-11-25");
    assert_eq!(seen["client"]["info"]["name"], "probe");
    assert_eq!(seen["client"]["capabilities"], json!({"roots":{}}));
}

#[tokio::test]
async fn versions_are_negotiated() {
    let platform = Platform::start().await;
    for (asked, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let answer = post(platform.address, &[], &initialize(asked))
            .await
            .json()
            .await;
        let result = &answer["result"];
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
        assert_eq!(result["serverInfo"]["name"], "dormouse");
    }
    let without = request(1, "initialize", json!({}));
    let refused = post(platform.address, &[], &without).await.json().await;
    assert_eq!(refused["error"]["code"], -32_602);
}

#[tokio::test]
async fn a_session_must_be_named_and_there() {
    let platform = Platform::start().await;
    let ping = request(1, "ping", json!({}));
    let missing = post(platform.address, &[], &ping).await;
    assert_eq!(missing.status, StatusCode::BAD_REQUEST);
    let unknown = post(platform.address, &[("mcp-session-id", "nobody")], &ping).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);

    let id = open_session(platform.address, "2025-06-18").await;
    let session = [("mcp-session-id", id.as_str())];
    let wrong = [session[0], ("mcp-protocol-version", "1999-01-01")];
    let wrong = post(platform.address, &wrong, &ping).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);

    let ended = send(platform.address, Method::DELETE, "/mcp", &session, "").await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    let gone = post(platform.address, &session, &ping).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    let again = send(platform.address, Method::DELETE, "/mcp", &session, "").await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn progress_and_logs_come_as_events_before_the_answer() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let call = |token: Value| {
        let params = json!({"name":"tell","_meta":{"progressToken":token}});
        request(1, "tools/call", params)
    };
    let events = post(platform.address, &session, &call(json!("t")))
        .await
        .events()
        .await;
    let methods: Vec<_> = events
        .iter()
        .map(|event| event["method"].as_str())
        .collect();
    let progress = Some("notifications/progress");
    // `info` is the least severe level until the client says otherwise: no `debug`.
    let expected = [
        progress,
        progress,
        progress,
        Some("notifications/message"),
        None,
    ];
    assert_eq!(methods, expected);
    assert_eq!(events[0]["params"]["progressToken"], "t");
    assert_eq!(events[4]["result"]["content"][0]["text"], "told");

    let level = request(2, "logging/setLevel", json!({"level":"error"}));
    post(platform.address, &session, &level).await;
    let quiet = request(3, "tools/call", json!({"name":"tell"}));
    let quiet = post(platform.address, &session, &quiet).await;
    assert!(!quiet.is_stream(), "there is nothing to tell");
    assert_eq!(quiet.json().await["id"], 3);
}

#[tokio::test]
async fn a_client_that_takes_no_events_gets_json_and_one_that_takes_only_events_gets_them() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let call = request(
        1,
        "tools/call",
        json!({"name":"tell","_meta":{"progressToken":1}}),
    );
    let post = async |accept| {
        let headers = [
            ("content-type", "application/json"),
            ("accept", accept),
            ("mcp-session-id", &id),
        ];
        send(
            platform.address,
            Method::POST,
            "/mcp",
            &headers,
            call.to_string(),
        )
        .await
    };
    assert!(post("application/json").await.json().await["result"].is_object());
    let events = post("text/event-stream").await;
    assert!(events.is_stream());
    assert!(events.answer().await["result"].is_object());
    assert_eq!(post("text/html").await.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_long_call_becomes_a_stream_and_is_cancelled_by_a_notification() {
    let platform =
        Platform::start_with(|config| config.stream_after = std::time::Duration::from_millis(5))
            .await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let call = request(7, "tools/call", json!({"name":"wait"}));
    let waiting = post(platform.address, &session, &call).await;
    assert!(waiting.is_stream());
    let twice = post(platform.address, &session, &call).await;
    assert_eq!(twice.json().await["error"]["code"], -32_600);
    let cancel = json!({"jsonrpc":"2.0","method":"notifications/cancelled",
                        "params":{"requestId":7,"reason":"enough"}});
    let noted = post(platform.address, &session, &cancel).await;
    assert_eq!(noted.status, StatusCode::ACCEPTED);
    platform.functions.cancelled.notified().await;
    assert_eq!(waiting.events().await, Vec::<Value>::new());
}

#[tokio::test]
async fn disconnecting_cancels_nothing() {
    let platform = Platform::start_with(|config| {
        config.stream_after = std::time::Duration::from_millis(5);
        config.cancel_grace = std::time::Duration::ZERO;
    })
    .await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str()), ("idempotency-key", "k")];
    let call = |id| request(id, "tools/call", json!({"name":"wait"}));
    drop(post(platform.address, &session, &call(1)).await);
    // The same call comes back for its answer, which a cancelled one would not have.
    let again = post(platform.address, &session, &call(2)).await;
    platform.functions.go_on.add_permits(1);
    assert_eq!(
        again.answer().await["result"]["content"][0]["text"],
        "waited"
    );
    assert_eq!(platform.runs(), 1);
}

#[tokio::test]
async fn a_key_brings_the_stored_answer_and_is_not_for_other_arguments() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let call = |id: u32, text: &str| {
        request(
            id,
            "tools/call",
            json!({"name":"echo","arguments":{"text":text},
            "_meta":{"dev.dormouse/idempotencyKey":"k"}}),
        )
    };
    let session = [("mcp-session-id", id.as_str())];
    let one = post(platform.address, &session, &call(1, "a"))
        .await
        .answer()
        .await;
    let two = post(platform.address, &session, &call(2, "a"))
        .await
        .answer()
        .await;
    assert_eq!(one["result"], two["result"]);
    assert_eq!(platform.runs(), 1);
    let other = post(platform.address, &session, &call(3, "b"))
        .await
        .answer()
        .await;
    assert_eq!(other["error"]["code"], -32_602);
}

#[tokio::test]
async fn failures_are_told_to_the_model() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let broken = request(1, "tools/call", json!({"name":"break"}));
    let broken = post(platform.address, &session, &broken)
        .await
        .answer()
        .await;
    assert_eq!(broken["result"]["isError"], true);
    assert_eq!(broken["result"]["_meta"]["dev.dormouse/outcome"], "unknown");
    let refused = request(2, "tools/call", json!({"name":"refuse"}));
    let refused = post(platform.address, &session, &refused)
        .await
        .answer()
        .await;
    assert_eq!(refused["error"]["code"], -32_602);
    let wrong = request(
        3,
        "tools/call",
        json!({"name":"echo","arguments":{"text":5}}),
    );
    let wrong = post(platform.address, &session, &wrong)
        .await
        .answer()
        .await;
    assert_eq!(wrong["result"]["isError"], true);
    let unknown = request(4, "tools/call", json!({"name":"nothing"}));
    let unknown = post(platform.address, &session, &unknown)
        .await
        .answer()
        .await;
    assert_eq!(unknown["error"]["message"], "Unknown tool: nothing");
    let method = request(5, "roots/list", json!({}));
    let method = post(platform.address, &session, &method).await;
    assert_eq!(method.status, StatusCode::OK);
    assert_eq!(method.json().await["error"]["code"], -32_601);
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let platform =
        Platform::start_with(|config| config.stream_after = std::time::Duration::from_millis(5))
            .await;
    platform
        .broker
        .open_pool("tools".into(), 1, 1)
        .await
        .unwrap();
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let call = |id| request(id, "tools/call", json!({"name":"wait"}));
    let running = post(platform.address, &session, &call(1)).await;
    let queued = post(platform.address, &session, &call(2)).await;
    let refused = post(platform.address, &session, &call(3))
        .await
        .answer()
        .await;
    assert_eq!(refused["error"]["code"], -31_429);
    assert!(refused["error"]["data"]["retryAfterMs"].is_u64());
    platform.functions.go_on.add_permits(1);
    assert!(running.answer().await["result"].is_object());
    platform.functions.go_on.add_permits(1);
    assert!(queued.answer().await["result"].is_object());
}

#[tokio::test]
async fn results_with_line_breaks_survive_both_forms() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let call = request(1, "tools/call", json!({"name":"pretty"}));
    for accept in ["application/json", "text/event-stream"] {
        let headers = [
            ("content-type", "application/json"),
            ("accept", accept),
            ("mcp-session-id", id.as_str()),
        ];
        let answer = send(
            platform.address,
            Method::POST,
            "/mcp",
            &headers,
            call.to_string(),
        )
        .await;
        assert_eq!(answer.answer().await["result"], json!({"content":[]}));
    }
}

#[tokio::test]
async fn the_standing_stream_tells_of_a_changed_list_and_ends_with_the_session() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let headers = [
        ("accept", "text/event-stream"),
        ("mcp-session-id", id.as_str()),
    ];
    let get = async |headers| send(platform.address, Method::GET, "/mcp", headers, "").await;
    assert_eq!(get(&headers[..1]).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(get(&headers[1..]).await.status, StatusCode::NOT_ACCEPTABLE);
    let older = get(&headers).await;
    let mut stream = get(&headers).await;
    assert!(stream.is_stream());
    assert_eq!(
        older.events().await,
        Vec::<Value>::new(),
        "the newer one took over"
    );

    let more = vec![pool("tools", &TOOLS), pool("more", &["new"])];
    platform.pools.send(std::sync::Arc::new(more)).unwrap();
    let event = stream.event().await.unwrap();
    assert_eq!(event["method"], "notifications/tools/list_changed");

    let ended = send(platform.address, Method::DELETE, "/mcp", &headers[1..], "").await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(stream.event().await, None);
}

#[tokio::test]
async fn batches_are_for_the_one_revision_that_has_them() {
    let platform = Platform::start().await;
    let batch = json!([
        request(1, "ping", json!({})),
        {"jsonrpc":"2.0","method":"notifications/initialized"},
        request(2, "tools/call", json!({"name":"echo","arguments":{}})),
        {"jsonrpc":"2.0","id":3},
    ]);
    let with = open_session(platform.address, "2025-03-26").await;
    let answers = post(platform.address, &[("mcp-session-id", &with)], &batch).await;
    let answers = answers.json().await;
    let mut ids: Vec<_> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["id"].as_u64().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
    let without = open_session(platform.address, "2025-06-18").await;
    let refused = post(platform.address, &[("mcp-session-id", &without)], &batch).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.json().await["error"]["code"], -32_600);
}
