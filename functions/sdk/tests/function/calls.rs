//! Calls and events that are answered.

use dormouse_contract::{Event, http_binding, task};
use http::Method;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use crate::harness::{Running, TRACE, fixture, requested, requested_by};

#[tokio::test]
async fn a_call_is_answered_by_an_event_about_its_attempt() {
    let function = fixture().await;
    let answer = function.call("echo", json!({"text": "squeak"})).await;
    assert_eq!(answer.text(), "squeak");
    let event = answer.event();
    assert_eq!(event.source, "/pools/fixture");
    for (name, value) in [
        (task::TASK_ID, "t1"),
        (task::ATTEMPT_TOKEN, "0123abcd"),
        (task::ROUND, "1"),
        (task::ATTEMPT, "2"),
        (task::TRACEPARENT, TRACE),
    ] {
        assert_eq!(event.extension(name).as_deref(), Some(value), "{name}");
    }
    let mut again = requested("echo", json!({"text": "squeak"}));
    again = again.with_extension(task::ATTEMPT, "3");
    assert_ne!(function.deliver(again).await.event().id, event.id);
}

#[tokio::test]
async fn structured_mode_is_read_as_well() {
    let function = fixture().await;
    let event = requested("echo", json!({"text": "déjà vu"}));
    let (headers, body) = http_binding::write_structured(&event);
    let answer = function.send(Method::POST, "/", headers, body).await;
    assert_eq!(answer.text(), "déjà vu");
    let reply = answer.event();
    assert_eq!(reply.extension(task::TASK_ID).as_deref(), Some("t1"));
}

#[tokio::test]
async fn http2_without_tls_is_spoken() {
    let mut function = fixture().await;
    let mut client = Client::builder(TokioExecutor::new());
    function.http = client.http2_only(true).build_http();
    let calls = (0..50).map(|n| {
        let function = &function;
        async move {
            function
                .call("echo", json!({"text": n.to_string()}))
                .await
                .text()
        }
    });
    let answers = futures_util::future::join_all(calls).await;
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn structured_results_come_with_their_text() {
    let function = fixture().await;
    let result = function
        .call("add", json!({"a": 1.5, "b": 2}))
        .await
        .result();
    assert_eq!(result["structuredContent"], json!({"sum": 3.5}));
    assert_eq!(result["content"][0]["text"], r#"{"sum":3.5}"#);
    let big = function.call("big", json!({"bytes": 6_000_000})).await;
    assert_eq!(big.text().len(), 6_000_000);
}

#[tokio::test]
async fn the_subject_names_the_tool_whatever_the_client_calls_it() {
    let function = fixture().await;
    let params = json!({"name": "pool__echo", "arguments": {"text": "x"}});
    let mut event = requested_by(json!({}), "tools/call", params);
    event.subject = Some("echo".to_owned());
    assert_eq!(function.deliver(event.clone()).await.text(), "x");
    event.subject = None;
    assert_eq!(function.deliver(event).await.event().ty, task::FAILED);
}

#[tokio::test]
async fn the_handler_knows_its_client_and_its_trace() {
    let function = fixture().await;
    let facts = json!({
        "protocolVersion": "2026-07-28", "capabilities": {"elicitation": {}},
        "info": {"name": "c", "version": "1"}, "logLevel": "debug", "progress": true,
    });
    let params = json!({"name": "client", "_meta": {"progressToken": 1}});
    let answer = function
        .deliver(requested_by(facts.clone(), "tools/call", params))
        .await;
    let told: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(told, facts);
    assert_eq!(function.call("trace", json!({})).await.text(), TRACE);
}

#[tokio::test]
async fn wrong_arguments_are_an_answer_that_names_them() {
    let function = fixture().await;
    for (tool, arguments, named) in [
        ("echo", json!({}), "text"),
        ("echo", json!({"text": 5}), "`text`"),
        ("big", json!({"bytes": 99_999_999}), "`bytes`"),
        ("add", json!([1, 2]), "object"),
    ] {
        let answer = function.call(tool, arguments).await;
        assert_eq!(answer.result()["isError"], true);
        let text = answer.text();
        assert!(text.contains(named) && text.contains(tool), "{text}");
    }
}

#[tokio::test]
async fn each_kind_of_failure_has_its_answer_and_the_function_lives_on() {
    let function = fixture().await;
    let wrong = function.call("wrong", json!({})).await;
    assert_eq!(wrong.result()["isError"], true);

    let fail = function.call("fail", json!({})).await;
    assert_eq!((fail.status, fail.not_run()), (503, false));
    assert!(fail.words().contains("fails as asked"));

    for (tool, words) in [("panic", "crashed"), ("broken", "broken as asked")] {
        let answer = function.call(tool, json!({})).await;
        assert_eq!(answer.event().ty, task::FAILED);
        let failed: task::Failed = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(failed.outcome, task::Outcome::Failed);
        assert!(failed.error.message.contains(words), "{failed:?}");
    }
    assert_eq!(
        function.call("echo", json!({"text": "alive"})).await.text(),
        "alive"
    );
}

#[tokio::test]
async fn what_is_not_offered_fails_without_having_run() {
    let function = fixture().await;
    let unknown = function.call("no-such-tool", json!({})).await;
    let method = function.deliver(requested_by(
        json!({}),
        "prompts/list",
        json!({"name": "p"}),
    ));
    let prompt = function.deliver(requested_by(json!({}), "prompts/get", json!({"name": "p"})));
    let params = function.deliver(requested_by(json!({}), "tools/call", json!([])));
    for (answer, code) in [
        (unknown, -32_602),
        (method.await, -32_601),
        (prompt.await, -32_602),
        (params.await, -32_602),
    ] {
        assert_eq!(answer.event().ty, task::FAILED);
        let failed: task::Failed = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            (failed.error.code, failed.outcome),
            (code, task::Outcome::NotRun)
        );
    }
}

async fn ping(function: &Running, subject: &str) -> crate::harness::Answer {
    let mut event = Event::new("p1", "/tests", "org.example.ping.v1")
        .with_json(r#"{"n":1}"#)
        .with_extension(task::ATTEMPT_TOKEN, "0123abcd");
    event.subject = Some(subject.to_owned());
    function.deliver(event).await
}

#[tokio::test]
async fn events_reach_their_handler_and_may_be_replied_to() {
    let function = fixture().await;
    let pong = ping(&function, "loud").await;
    let event = pong.event();
    assert_eq!(
        (event.ty.as_str(), event.id.as_str()),
        ("org.example.pong", "pong-p1")
    );
    assert_eq!(pong.data(), json!({"n": 1}));
    assert!(event.extension(task::ATTEMPT_TOKEN).is_none());
    let quiet = ping(&function, "quiet").await;
    assert_eq!((quiet.status, quiet.body.len()), (204, 0));
}
