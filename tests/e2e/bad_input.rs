//! Wrong messages at the MCP door: the error that the specification names, and then a good call.

use hyper::Method;
use serde_json::{Value, json};

use crate::http::{Answer, post, send};
use crate::modern::Modern;
use crate::platform::Platform;
use crate::pools::Pool;
use crate::session::{Session, text};

fn check(what: &str, answer: &Answer, status: u16, code: i64) {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], code, "{what}: {answer:?}");
    let message = error["message"].as_str().expect("a message");
    assert!(!message.is_empty(), "{what}");
}

#[tokio::test]
async fn what_is_no_message_is_refused_over_http() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");
    for (what, body, code) in [
        ("no JSON", "{\"jsonrpc\":", -32700),
        ("empty", "", -32700),
        ("not UTF-8 text", "\u{0}", -32700),
        ("no object", "7", -32600),
        ("an empty batch", "[]", -32600),
        (
            "a batch",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            -32600,
        ),
        (
            "another JSON-RPC",
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            -32600,
        ),
        ("no version", r#"{"id":1,"method":"ping"}"#, -32600),
        (
            "a null id",
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            -32600,
        ),
        (
            "an object as id",
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            -32600,
        ),
        (
            "a number as method",
            r#"{"jsonrpc":"2.0","id":1,"method":1}"#,
            -32600,
        ),
        (
            "neither request nor response",
            r#"{"jsonrpc":"2.0","id":1}"#,
            -32600,
        ),
    ] {
        let answer = post(platform.mcp(), "/mcp", &[ACCEPT], body).await;
        check(what, &answer, 400, code);
        platform.check_alive(what).await;
    }
}

#[tokio::test]
async fn wrong_http_is_refused_at_the_mcp_door() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let strange = [("mcp-session-id", "no-such-session")];
    let plain = [("content-type", "text/plain")];
    for (what, method, path, headers, body, status) in [
        ("another path", Method::POST, "/mcpx", &[][..], ping, 404),
        ("another method", Method::PUT, "/mcp", &[], ping, 405),
        (
            "another media type",
            Method::POST,
            "/mcp",
            &plain,
            ping,
            415,
        ),
        ("no session", Method::POST, "/mcp", &[], ping, 400),
        (
            "an unknown session",
            Method::POST,
            "/mcp",
            &strange,
            ping,
            404,
        ),
        (
            "an unknown session's end",
            Method::DELETE,
            "/mcp",
            &strange,
            "",
            404,
        ),
    ] {
        let answer = match method {
            Method::POST => post(platform.mcp(), path, headers, body).await,
            other => send(other, platform.mcp(), path, headers, body).await,
        };
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        platform.check_alive(what).await;
    }
}

#[tokio::test]
async fn wrong_modern_requests_are_refused() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let good = || Modern::call("echo", json!({"text": "good"}));
    let version = "io.modelcontextprotocol/protocolVersion";
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    for (what, request, status, code) in [
        ("an unknown method", Modern::new("tools/cull"), 404, -32601),
        (
            "what the era removed: ping",
            Modern::new("ping"),
            404,
            -32601,
        ),
        (
            "what the era removed: initialize",
            Modern::new("initialize"),
            404,
            -32601,
        ),
        (
            "no Mcp-Method",
            good().without_header("mcp-method"),
            400,
            -32020,
        ),
        (
            "another Mcp-Method",
            good().header("mcp-method", "tools/list"),
            400,
            -32020,
        ),
        (
            "no Mcp-Name",
            good().without_header("mcp-name"),
            400,
            -32020,
        ),
        (
            "another Mcp-Name",
            good().header("mcp-name", "add"),
            400,
            -32020,
        ),
        (
            "another version",
            good().header("mcp-protocol-version", "2025-11-25"),
            400,
            -32020,
        ),
        (
            "an unknown version",
            good()
                .header("mcp-protocol-version", "2099-01-01")
                .meta(version, json!("2099-01-01")),
            400,
            -32022,
        ),
        (
            "no capabilities",
            good().meta(capabilities, Value::Null),
            400,
            -32602,
        ),
    ] {
        check(what, &request.send(platform.mcp()).await, status, code);
        platform.check_alive(what).await;
    }
    let unknown = Modern::call("no_such_tool", json!({}))
        .send(platform.mcp())
        .await;
    assert_eq!(unknown.json()["error"]["code"], -32602, "{unknown:?}");
    let wrong = Modern::call("add", json!({"a": "one"}))
        .send(platform.mcp())
        .await;
    assert_eq!(wrong.json()["result"]["isError"], true, "{wrong:?}");
    assert_eq!(
        wrong.json()["result"]["resultType"],
        "complete",
        "{wrong:?}"
    );
    let right = good().send(platform.mcp()).await;
    assert_eq!(
        right.json()["result"]["resultType"],
        "complete",
        "{right:?}"
    );
}

#[tokio::test]
async fn wrong_frames_are_refused_over_websocket() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let session = Session::open(platform.mcp()).await;
    for (what, frame, code) in [
        ("no JSON", "{\"jsonrpc\":", -32700),
        ("empty", "", -32700),
        ("no object", "7", -32600),
        (
            "a batch",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            -32600,
        ),
        (
            "another JSON-RPC",
            r#"{"jsonrpc":"1.0","id":"x","method":"ping"}"#,
            -32600,
        ),
        (
            "a number as method",
            r#"{"jsonrpc":"2.0","id":"x","method":1}"#,
            -32600,
        ),
        (
            "an unknown method",
            r#"{"jsonrpc":"2.0","id":"x","method":"tools/cull"}"#,
            -32601,
        ),
        (
            "an unknown tool",
            r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"no_such_tool"}}"#,
            -32602,
        ),
        (
            "no params",
            r#"{"jsonrpc":"2.0","id":"x","method":"tools/call"}"#,
            -32602,
        ),
        (
            "a cursor of another time",
            r#"{"jsonrpc":"2.0","id":"x","method":"tools/list","params":{"cursor":"!"}}"#,
            -32602,
        ),
    ] {
        session.say(frame);
        let answer = session.next().await.expect("the connection stays");
        assert_eq!(answer["error"]["code"], code, "{what}: {answer}");
        let result = session.call("echo", json!({"text": what})).await;
        assert_eq!(text(&result), what);
    }
}

#[tokio::test]
async fn wrong_arguments_are_told_in_the_words_of_the_revision() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    for (revision, is_result) in [
        ("2025-11-25", true),
        ("2025-06-18", false),
        ("2025-03-26", false),
        ("2024-11-05", false),
    ] {
        let session = Session::connect(platform.mcp(), &[])
            .await
            .expect("a connection");
        let hello = session.initialize(revision).await.expect("a session");
        assert_eq!(hello["protocolVersion"], revision);
        for arguments in [json!({"a": "one", "b": 2}), json!({"a": 1}), json!([1, 2])] {
            let call = json!({"name": "add", "arguments": arguments});
            let answer = session.ask("tools/call", call).await.expect("an answer");
            // Arguments that are no object are no request of this method in any revision.
            if is_result && arguments.is_object() {
                assert_eq!(answer["result"]["isError"], true, "{revision}: {answer}");
            } else {
                assert_eq!(answer["error"]["code"], -32602, "{revision}: {answer}");
            }
        }
        assert_eq!(
            platform.tasks("add").await,
            [] as [Value; 0],
            "nothing was stored"
        );
    }
}
