//! Who may come in, and what is refused before it is read.

use dormouse_contract::door::Door;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::http_client::{initialize, post, send};
use crate::platform::Platform;
use crate::socket_client::connect;

#[tokio::test]
async fn strangers_are_refused_in_json() {
    let platform = Platform::start().await;
    for header in [("origin", "http://evil.example"), ("host", "evil.example")] {
        let refused = post(platform.address, &[header], &initialize("2025-11-25")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.json().await["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn the_token_guards_every_door_but_health() {
    let guarded = |config: &mut dormouse_gateway::Config| {
        config.door = Door::new(Some("secret".into()), Vec::new());
    };
    let platform = Platform::start_with(guarded).await;
    let opening = initialize("2025-11-25");
    let refused = post(platform.address, &[], &opening).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    let let_in = post(
        platform.address,
        &[("authorization", "Bearer secret")],
        &opening,
    )
    .await;
    assert_eq!(let_in.status, StatusCode::OK);

    match connect(platform.address, "/mcp", "mcp").await {
        Err(Error::Http(response)) => assert_eq!(response.status(), StatusCode::UNAUTHORIZED),
        other => panic!("{:?}", other.err()),
    }
    // `secret` in base64url, for clients that cannot set headers.
    let offer = "mcp, dormouse.bearer.c2VjcmV0";
    let (_, response) = connect(platform.address, "/", offer).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "mcp");

    let health = send(platform.address, Method::GET, "/health", &[], "").await;
    assert_eq!(health.json().await, json!({"status":"ok"}));
}

#[tokio::test]
async fn bad_requests_get_the_status_that_names_what_is_bad() {
    let platform = Platform::start_with(|config| config.max_message = 1_000).await;
    let json_body = ("content-type", "application/json");
    let large = "x".repeat(64_000);
    type Case<'a> = (
        Method,
        &'a str,
        &'a [(&'a str, &'a str)],
        &'a [u8],
        u16,
        Option<i32>,
    );
    let cases: [Case<'_>; 11] = [
        (Method::POST, "/mcp", &[json_body], b"{", 400, Some(-32_700)),
        (
            Method::POST,
            "/mcp",
            &[json_body],
            b"\xff\xfe",
            400,
            Some(-32_700),
        ),
        (Method::POST, "/mcp", &[json_body], b"", 400, Some(-32_700)),
        (
            Method::POST,
            "/mcp",
            &[json_body],
            b"{}",
            400,
            Some(-32_600),
        ),
        (
            Method::POST,
            "/mcp",
            &[json_body],
            b"[{}]",
            400,
            Some(-32_600),
        ),
        (Method::POST, "/mcp", &[], b"{}", 415, Some(-32_600)),
        (
            Method::POST,
            "/mcp",
            &[json_body],
            large.as_bytes(),
            413,
            Some(-32_600),
        ),
        (Method::POST, "/", &[json_body], b"{}", 404, Some(-32_600)),
        (Method::GET, "/nothing", &[], b"", 404, Some(-32_600)),
        (Method::PUT, "/mcp", &[], b"", 405, None),
        (Method::POST, "/health", &[], b"", 405, None),
    ];
    for (method, path, headers, body, status, code) in cases {
        let body = bytes::Bytes::copy_from_slice(body);
        let response = send(platform.address, method, path, headers, body).await;
        assert_eq!(response.status.as_u16(), status, "{path} {headers:?}");
        if let Some(code) = code {
            let body: Value = response.json().await;
            assert_eq!(body["error"]["code"], code, "{body}");
        }
    }
}
