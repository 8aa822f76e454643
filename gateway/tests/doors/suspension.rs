//! Calls that ask their client something, in the way of each era.

use std::time::Duration;

use dormouse_broker::TaskFilter;
use http::StatusCode;
use serde_json::{Value, json};

use crate::http_client::{modern, open_session, post, post_modern, request};
use crate::platform::Platform;
use crate::socket_client::{connect, open};

fn grade() -> Value {
    json!({"action": "accept", "content": {"grade": 5}})
}

fn roots() -> Value {
    json!({"roots": [{"uri": "file:///lessons"}]})
}

fn ask(id: u32, more: Value) -> Value {
    let mut params = json!({"name": "ask", "arguments": {"text": "x"}});
    let members = more.as_object().unwrap().clone();
    params.as_object_mut().unwrap().extend(members);
    modern(id, "tools/call", params)
}

/// The state that a first call comes back with.
async fn asked(platform: &Platform) -> (String, Value) {
    let first = post_modern(platform.address, &ask(1, json!({}))).await;
    let result = first.json().await["result"].take();
    assert_eq!(result["resultType"], "input_required", "{result}");
    let state = result["requestState"].as_str().unwrap().to_owned();
    (state, result["inputRequests"].clone())
}

#[tokio::test]
async fn a_modern_client_is_asked_by_a_result_and_answers_with_its_retry() {
    let platform = Platform::start().await;
    let (state, requests) = asked(&platform).await;
    assert_eq!(requests["grade"]["method"], "elicitation/create");
    assert_eq!(requests["grade"]["params"]["message"], "Which grade?");
    assert_eq!(requests["where"]["method"], "roots/list");
    let responses = json!({"grade": grade(), "where": roots(), "strange": 5});
    let retry = ask(
        2,
        json!({"requestState": state, "inputResponses": responses}),
    );
    let answer = post_modern(platform.address, &retry).await.answer().await;
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    let told: Value = serde_json::from_str(text).unwrap();
    assert_eq!(told["grade"]["result"], grade(), "{answer}");
    assert_eq!(answer["result"]["resultType"], "complete");
    // The same retry once more joins: it is answered alike and nothing runs again.
    let runs = platform.runs();
    let again = post_modern(platform.address, &retry).await.answer().await;
    assert_eq!(again["result"], answer["result"]);
    assert_eq!(platform.runs(), runs);
}

#[tokio::test]
async fn a_retry_whose_connection_breaks_may_come_again() {
    let platform = Platform::start_with(|config| {
        config.stream_after = Duration::from_millis(5);
        config.cancel_grace = Duration::from_millis(5);
    })
    .await;
    let patient = |id, more: Value| {
        let mut call = ask(id, more);
        call["params"]["arguments"]["text"] = "wait".into();
        call
    };
    let first = post_modern(platform.address, &patient(1, json!({}))).await;
    let state = first.answer().await["result"]["requestState"].take();
    let responses = json!({"grade": grade(), "where": roots()});
    let retry = patient(
        2,
        json!({"requestState": state, "inputResponses": responses}),
    );
    let broken = post_modern(platform.address, &retry).await;
    let again = post_modern(platform.address, &retry).await;
    assert!(broken.is_stream() && again.is_stream());
    drop(broken);
    // When this one's grace is over, the other's is too.
    let other = modern(3, "tools/call", json!({"name": "wait"}));
    drop(post_modern(platform.address, &other).await);
    platform.functions.cancelled.notified().await;
    platform.functions.go_on.add_permits(1);
    let answer = again.answer().await;
    assert_eq!(answer["result"]["content"][0]["text"], "waited", "{answer}");
    // Nobody comes again for this one.
    let first = post_modern(platform.address, &patient(4, json!({}))).await;
    let state = first.answer().await["result"]["requestState"].take();
    let retry = patient(
        5,
        json!({"requestState": state, "inputResponses": responses}),
    );
    drop(post_modern(platform.address, &retry).await);
    platform.functions.cancelled.notified().await;
}

#[tokio::test]
async fn what_is_missing_is_asked_again() {
    let platform = Platform::start().await;
    let (state, _) = asked(&platform).await;
    let half = json!({"requestState": state, "inputResponses": {"grade": grade()}});
    let rest = post_modern(platform.address, &ask(2, half))
        .await
        .json()
        .await;
    assert_eq!(rest["result"]["resultType"], "input_required");
    let requests = rest["result"]["inputRequests"].as_object().unwrap();
    assert_eq!(requests.keys().collect::<Vec<_>>(), ["where"]);
    let state = &rest["result"]["requestState"];
    let other = json!({"requestState": state, "inputResponses": {"where": roots()}});
    let done = post_modern(platform.address, &ask(3, other)).await;
    assert_eq!(done.answer().await["result"]["resultType"], "complete");
}

#[tokio::test]
async fn responses_may_come_with_the_first_request() {
    let platform = Platform::start().await;
    let all = json!({"inputResponses": {"grade": grade(), "where": roots()}});
    let done = post_modern(platform.address, &ask(1, all)).await;
    assert_eq!(done.answer().await["result"]["resultType"], "complete");
    for wrong in [json!({"grade": 12345}), json!(null), json!(5)] {
        let wrong = ask(2, json!({"inputResponses": wrong}));
        let refused = post_modern(platform.address, &wrong).await.answer().await;
        assert_eq!(refused["error"]["code"], -32_602, "{refused}");
    }
}

#[tokio::test]
async fn a_state_is_good_for_its_own_request_only() {
    let platform = Platform::start().await;
    let (state, _) = asked(&platform).await;
    let responses = json!({"grade": grade(), "where": roots()});
    let altered = format!("{state}-TAMPERED");
    let elsewhere = modern(
        2,
        "tools/call",
        json!({"name": "echo", "arguments": {"text": "x"}, "requestState": state,
               "inputResponses": responses}),
    );
    let mut otherwise = ask(
        3,
        json!({"requestState": state, "inputResponses": responses}),
    );
    otherwise["params"]["arguments"]["text"] = "y".into();
    let tampered = ask(
        4,
        json!({"requestState": altered, "inputResponses": responses}),
    );
    for wrong in [elsewhere, otherwise, tampered] {
        let refused = post_modern(platform.address, &wrong).await.answer().await;
        assert_eq!(refused["error"]["code"], -32_602, "{refused}");
    }
    let suspended = TaskFilter {
        state: Some(dormouse_broker::State::Suspended),
        ..TaskFilter::default()
    };
    assert_eq!(platform.broker.tasks(suspended).await.unwrap().len(), 1);
}

fn answers_by_method(request: &Value) -> Value {
    let result = match request["method"].as_str().unwrap() {
        "elicitation/create" => grade(),
        "roots/list" => roots(),
        other => panic!("{other} was not asked"),
    };
    json!({"jsonrpc": "2.0", "id": request["id"], "result": result})
}

#[tokio::test]
async fn a_legacy_session_is_asked_on_its_socket() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let call = request(7, "tools/call", json!({"name": "ask", "arguments": {}}));
    socket.send(&call).await;
    let asked = [socket.receive().await, socket.receive().await];
    for request in &asked {
        assert_ne!(request["id"], 7);
        socket.send(&answers_by_method(request)).await;
    }
    let answer = socket.receive().await;
    assert_eq!(answer["id"], 7);
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("file:///lessons"), "{text}");
}

#[tokio::test]
async fn a_legacy_session_is_asked_on_the_stream_of_its_post() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-06-18").await;
    let session = [("mcp-session-id", id.as_str())];
    let call = request(7, "tools/call", json!({"name": "ask", "arguments": {}}));
    let mut stream = post(platform.address, &session, &call).await;
    for _ in 0..2 {
        let asked = stream.event().await.unwrap();
        let taken = post(platform.address, &session, &answers_by_method(&asked)).await;
        assert_eq!(taken.status, StatusCode::ACCEPTED);
    }
    assert_eq!(stream.event().await.unwrap()["id"], 7);
    assert_eq!(stream.event().await, None);
}

#[tokio::test]
async fn a_client_may_refuse_and_rubbish_is_no_answer() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let call = request(7, "tools/call", json!({"name": "ask", "arguments": {}}));
    socket.send(&call).await;
    let asked = [socket.receive().await, socket.receive().await];
    let id = &asked[0]["id"];
    let rubbish = json!({"jsonrpc": "2.0", "id": id, "result": {"action": "perhaps"}});
    let nobodys = json!({"jsonrpc": "2.0", "id": "ask/1/2/3", "result": {}});
    let refusal = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -1, "message": "no"}});
    for message in [&rubbish, &nobodys, &refusal, &answers_by_method(&asked[1])] {
        socket.send(message).await;
    }
    let answer = socket.receive().await;
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains(r#""message":"no""#), "{text}");
}

#[tokio::test]
async fn who_takes_no_events_is_told_that_it_cannot_be_asked() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("mcp-session-id", id.as_str()),
    ];
    let call = request(7, "tools/call", json!({"name": "ask", "arguments": {}}));
    let answer = crate::http_client::send(
        platform.address,
        http::Method::POST,
        "/mcp",
        &headers,
        call.to_string(),
    );
    let answer = answer.await.json().await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("text/event-stream"), "{message}");
}

#[tokio::test]
async fn modern_requests_over_a_socket_are_asked_by_results_too() {
    let platform = Platform::start().await;
    let (mut socket, _) = connect(platform.address, "/mcp", "mcp").await.unwrap();
    let first = socket.ask(&ask(1, json!({}))).await;
    let state = &first["result"]["requestState"];
    let responses = json!({"grade": grade(), "where": roots()});
    let retry = ask(
        2,
        json!({"requestState": state, "inputResponses": responses}),
    );
    let done = socket.ask(&retry).await;
    assert_eq!(done["result"]["resultType"], "complete", "{done}");
}
