//! Modern requests over HTTP.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http_client::{MODERN, modern, post, post_modern, request, send};
use crate::platform::Platform;

#[tokio::test]
async fn discovery_and_lists_carry_what_the_era_requires() {
    let platform =
        Platform::start_with(|config| config.instructions = Some("be kind".into())).await;
    let discovered = post_modern(platform.address, &modern(1, "server/discover", json!({}))).await;
    assert!(!discovered.headers.contains_key("mcp-session-id"));
    let result = discovered.json().await["result"].take();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["supportedVersions"][0], MODERN);
    let lists = json!({"listChanged":true});
    assert_eq!(
        result["capabilities"],
        json!({"completions":{},"logging":{},"prompts":lists,"tools":lists,
               "resources":{"listChanged":true,"subscribe":true},
               "extensions":{"io.modelcontextprotocol/tasks":{}}})
    );
    assert_eq!(result["instructions"], "be kind");
    let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(info["name"], "dormouse");

    let list = post_modern(platform.address, &modern(2, "tools/list", json!({}))).await;
    let list = list.json().await["result"].take();
    assert_eq!(list["resultType"], "complete");
    assert_eq!(list["cacheScope"], "public");
    assert!(list["ttlMs"].is_u64());
    assert_eq!(list["tools"][0]["name"], "echo");
}

#[tokio::test]
async fn a_call_is_answered_as_json_or_as_events() {
    let platform = Platform::start().await;
    let call = modern(
        1,
        "tools/call",
        json!({"name":"echo","arguments":{"text":"hi"}}),
    );
    let answer = post_modern(platform.address, &call).await;
    assert!(!answer.is_stream());
    let result = answer.json().await["result"].take();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["content"][0]["text"], r#"{"text":"hi"}"#);
    let seen = platform.functions.seen.lock().unwrap()[0].clone();
    assert_eq!(seen["client"]["protocolVersion"], MODERN);
    assert!(seen["client"].get("logLevel").is_none());

    // Progress needs a token, log messages need a level: each request by itself.
    let tell = |meta: Value| modern(2, "tools/call", json!({"name":"tell","_meta":meta}));
    let quiet = post_modern(platform.address, &tell(json!({}))).await;
    assert!(!quiet.is_stream());
    let all = json!({"progressToken":5,"io.modelcontextprotocol/logLevel":"debug"});
    let events = post_modern(platform.address, &tell(all))
        .await
        .events()
        .await;
    assert_eq!(events.len(), 6);
    assert_eq!(events[5]["result"]["resultType"], "complete");
}

#[tokio::test]
async fn what_headers_and_body_disagree_about_is_refused() {
    let platform = Platform::start().await;
    let list = modern(1, "tools/list", json!({}));
    let call = modern(
        1,
        "tools/call",
        json!({"name":"echo","arguments":{"text":"hi"}}),
    );
    let version = ("mcp-protocol-version", MODERN);
    let listing = ("mcp-method", "tools/list");
    let calling = ("mcp-method", "tools/call");
    let name = ("mcp-name", "echo");
    let text = ("mcp-param-text", "hi");
    type Case<'a> = (&'a Value, &'a [(&'a str, &'a str)], bool);
    let cases: [Case<'_>; 10] = [
        (&list, &[version, listing], true),
        (&list, &[listing], false),
        (&list, &[version], false),
        (&list, &[version, calling], false),
        (
            &list,
            &[("mcp-protocol-version", "2025-11-25"), listing],
            false,
        ),
        (&call, &[version, calling, name, text], true),
        (&call, &[version, calling, text], false),
        (
            &call,
            &[version, calling, ("mcp-name", "wait"), text],
            false,
        ),
        (&call, &[version, calling, name], false),
        (
            &call,
            &[version, calling, name, ("mcp-param-text", "ho")],
            false,
        ),
    ];
    for (message, headers, good) in cases {
        let response = post(platform.address, headers, message).await;
        if good {
            assert_eq!(response.status, StatusCode::OK, "{headers:?}");
        } else {
            assert_eq!(response.status, StatusCode::BAD_REQUEST, "{headers:?}");
            let body = response.json().await;
            assert_eq!(
                (&body["error"]["code"], &body["id"]),
                (&json!(-32_020), &json!(1))
            );
        }
    }
}

#[tokio::test]
async fn what_a_request_lacks_and_versions_that_are_not_spoken_are_named() {
    let platform = Platform::start().await;
    let headers = [
        ("mcp-protocol-version", MODERN),
        ("mcp-method", "server/discover"),
    ];
    let mut no_version = modern(1, "server/discover", json!({}));
    let meta = no_version["params"]["_meta"].as_object_mut().unwrap();
    meta.remove("io.modelcontextprotocol/protocolVersion");
    let mut no_capabilities = modern(1, "server/discover", json!({}));
    let meta = no_capabilities["params"]["_meta"].as_object_mut().unwrap();
    meta.remove("io.modelcontextprotocol/clientCapabilities");
    let no_meta = request(1, "server/discover", json!({}));
    for message in [&no_version, &no_capabilities, &no_meta] {
        let response = post(platform.address, &headers, message).await;
        assert_eq!(response.status, StatusCode::BAD_REQUEST, "{message}");
        assert_eq!(response.json().await["error"]["code"], -32_602, "{message}");
    }
    // Without any sign of the modern era too: who asks for discovery means it.
    let response = post(platform.address, &[], &no_meta).await;
    assert_eq!(response.status, StatusCode::BAD_REQUEST);

    let mut future = modern(2, "server/discover", json!({}));
    future["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "v999".into();
    let response = post(
        platform.address,
        &[("mcp-protocol-version", "v999")],
        &future,
    )
    .await;
    assert_eq!(response.status, StatusCode::BAD_REQUEST);
    let error = response.json().await["error"].take();
    assert_eq!(error["code"], -32_022);
    assert_eq!(error["data"]["requested"], "v999");
    assert_eq!(error["data"]["supported"][0], MODERN);
    let mismatch = post(platform.address, &headers, &future).await;
    assert_eq!(mismatch.json().await["error"]["code"], -32_020);
}

#[tokio::test]
async fn methods_of_the_other_era_are_unknown() {
    let platform = Platform::start().await;
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "unknown/method",
    ] {
        let response = post_modern(platform.address, &modern(1, method, json!({}))).await;
        assert_eq!(response.status, StatusCode::NOT_FOUND, "{method}");
        assert_eq!(response.json().await["error"]["code"], -32_601, "{method}");
    }
    let headers = [
        ("mcp-protocol-version", MODERN),
        ("accept", "text/event-stream"),
    ];
    for method in [Method::GET, Method::DELETE] {
        let response = send(platform.address, method, "/mcp", &headers, "").await;
        assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    let notice = json!({"jsonrpc":"2.0","method":"notifications/cancelled"});
    let noted = post(platform.address, &headers[..1], &notice).await;
    assert_eq!(noted.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn closing_the_stream_cancels_unless_there_is_a_key() {
    let platform = Platform::start_with(|config| {
        config.stream_after = Duration::from_millis(5);
        config.cancel_grace = Duration::from_millis(5);
    })
    .await;
    let wait = |meta: Value| modern(1, "tools/call", json!({"name":"wait","_meta":meta}));
    let stream = post_modern(platform.address, &wait(json!({}))).await;
    assert!(stream.is_stream());
    drop(stream);
    platform.functions.cancelled.notified().await;

    let keyed = wait(json!({"dev.dormouse/idempotencyKey":"k"}));
    drop(post_modern(platform.address, &keyed).await);
    let again = post_modern(platform.address, &keyed).await;
    platform.functions.go_on.add_permits(1);
    assert_eq!(
        again.answer().await["result"]["content"][0]["text"],
        "waited"
    );
    assert_eq!(platform.runs(), 2);
}
