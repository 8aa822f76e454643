//! Sessions and streams over HTTP that outlive connections, and the process.

use std::time::Duration;

use dormouse_broker::TaskFilter;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http_client::{Response, initialize, open_session, post, request, send};
use crate::platform::{Platform, Process, TOOLS, pool};

async fn get(platform: &Platform, session: &str, last: &str) -> Response {
    let headers = [
        ("accept", "text/event-stream"),
        ("mcp-session-id", session),
        ("last-event-id", last),
    ];
    let given = if last.is_empty() { 2 } else { 3 };
    send(platform.address, Method::GET, "/mcp", &headers[..given], "").await
}

fn at_once(config: &mut dormouse_gateway::Config) {
    config.stream_after = Duration::from_millis(5);
}

fn call(id: u32, tool: &str) -> Value {
    request(
        id,
        "tools/call",
        json!({"name": tool, "_meta": {"progressToken": "t"}}),
    )
}

#[tokio::test]
async fn a_stream_opens_with_an_event_that_names_it() {
    let platform = Platform::start_with(at_once).await;
    for (revision, primed) in [("2025-11-25", true), ("2025-06-18", false)] {
        let id = open_session(platform.address, revision).await;
        let session = [("mcp-session-id", id.as_str())];
        let mut stream = post(platform.address, &session, &call(1, "wait")).await;
        if primed {
            assert!(stream.opened().await.ends_with(":0"));
        }
        platform.functions.go_on.add_permits(1);
        assert_eq!(stream.event().await.unwrap()["id"], 1);
        assert!(stream.last_event_id.ends_with(":1"));
        assert!(stream.event().await.is_none());
    }
}

#[tokio::test]
async fn a_lost_connection_loses_nothing() {
    let platform = Platform::start_with(at_once).await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let mut stream = post(platform.address, &session, &call(1, "tell")).await;
    let opening = stream.opened().await;
    let first = stream.event().await.unwrap();
    assert_eq!(first["params"]["progress"], 1);
    let after_first = stream.last_event_id.clone();
    drop(stream);
    let rest = get(&platform, &id, &after_first).await.events().await;
    let told: Vec<_> = rest
        .iter()
        .map(|event| event["params"]["progress"].clone())
        .collect();
    assert_eq!(told[..2], [json!(2), json!(3)]);
    assert_eq!(rest.last().unwrap()["id"], 1);
    // Whoever comes once more gets the answer again, as the broker has it.
    let again = get(&platform, &id, &opening).await.events().await;
    assert_eq!(
        again.last().unwrap()["result"],
        rest.last().unwrap()["result"]
    );
    assert_eq!(platform.runs(), 1);
}

#[tokio::test]
async fn a_call_whose_client_is_away_can_be_cancelled_and_its_id_is_in_use() {
    let platform = Platform::start_with(at_once).await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let mut stream = post(platform.address, &session, &call(1, "wait")).await;
    let opening = stream.opened().await;
    drop(stream);
    let twice = post(platform.address, &session, &call(1, "wait")).await;
    assert_eq!(twice.json().await["error"]["code"], -32_600);
    let cancel = json!({"jsonrpc":"2.0","method":"notifications/cancelled",
                        "params":{"requestId":1}});
    post(platform.address, &session, &cancel).await;
    platform.functions.cancelled.notified().await;
    let _ = get(&platform, &id, &opening).await.events().await;
}

#[tokio::test]
async fn the_server_may_hang_up_and_the_call_goes_on() {
    let platform = Platform::start_with(|config| {
        at_once(config);
        config.poll_after = Some(Duration::from_millis(20));
    })
    .await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let mut stream = post(platform.address, &session, &call(1, "wait")).await;
    let mut last = stream.opened().await;
    assert_eq!(stream.event().await, None, "it ends without an answer");
    for _ in 0..2 {
        let mut stream = get(&platform, &id, &last).await;
        last = stream.opened().await;
        assert_eq!(stream.event().await, None);
    }
    platform.functions.go_on.add_permits(1);
    let answer = loop {
        if let Some(answer) = get(&platform, &id, &last).await.event().await {
            break answer;
        }
    };
    assert_eq!(answer["result"]["content"][0]["text"], "waited");
    assert_eq!(platform.runs(), 1);

    // An older client does not know what to make of it: its stream stays.
    let id = open_session(platform.address, "2025-06-18").await;
    let session = [("mcp-session-id", id.as_str())];
    let stream = post(platform.address, &session, &call(2, "wait")).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    platform.functions.go_on.add_permits(1);
    assert_eq!(stream.answer().await["id"], 2);
}

#[tokio::test]
async fn streams_are_for_their_session_alone() {
    let platform = Platform::start_with(at_once).await;
    let ours = open_session(platform.address, "2025-11-25").await;
    let theirs = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", ours.as_str())];
    let mut stream = post(platform.address, &session, &call(1, "wait")).await;
    let opening = stream.opened().await;
    for (session, last) in [
        (&theirs, opening.as_str()),
        (&ours, "nonsense"),
        (&ours, "0195d6a0-0000-7000-8000-000000000000:0"),
    ] {
        let refused = get(&platform, session, last).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{last}");
        assert_eq!(refused.json().await["error"]["code"], -32_600);
    }
    assert_eq!(get(&platform, "nobody", &opening).await.status, 404);
    platform.functions.go_on.add_permits(1);
    assert_eq!(stream.answer().await["id"], 1);
}

#[tokio::test]
async fn a_newer_connection_takes_a_stream_over() {
    let platform = Platform::start_with(at_once).await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let mut older = post(platform.address, &session, &call(1, "wait")).await;
    let opening = older.opened().await;
    let newer = get(&platform, &id, &opening).await;
    assert_eq!(older.event().await, None);
    platform.functions.go_on.add_permits(1);
    assert_eq!(newer.answer().await["id"], 1);
}

#[tokio::test]
async fn the_standing_stream_goes_on_where_it_broke_off() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let mut stream = get(&platform, &id, "").await;
    let opening = stream.opened().await;
    assert_eq!(opening, "s:0");
    let change = |tools: &[&str]| {
        let pools = vec![pool("tools", &TOOLS), pool("more", tools)];
        platform.pools.send(std::sync::Arc::new(pools)).unwrap();
    };
    change(&["one"]);
    let told = stream.event().await.unwrap();
    assert_eq!(stream.last_event_id, "s:1");
    drop(stream);
    // What was told may not have come through; what changes meanwhile waits.
    let mut again = get(&platform, &id, &opening).await;
    assert_eq!(again.event().await.unwrap(), told);
    drop(again);
    change(&["two"]);
    let mut again = get(&platform, &id, "s:1").await;
    assert_eq!(again.event().await.unwrap(), told);
    assert_eq!(again.last_event_id, "s:2");
}

#[tokio::test]
async fn a_client_goes_on_after_a_restart_as_if_nothing_had_been() {
    let data = tempfile::tempdir().unwrap();
    let before = Process::start_with(data.path(), at_once).await;
    let id = open_session(before.platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let address = before.platform.address;
    let level = request(1, "logging/setLevel", json!({"level": "error"}));
    post(address, &session, &level).await;
    let mut ended = post(address, &session, &call(2, "tell")).await;
    let ended_opening = ended.opened().await;
    while ended.event().await.is_some() {}
    let mut waiting = post(address, &session, &call(3, "wait")).await;
    let waiting_opening = waiting.opened().await;
    before.kill(data.path()).await;

    let after = Process::start_with(data.path(), at_once).await;
    let platform = &after.platform;
    let list = request(4, "tools/list", json!({}));
    let list = post(platform.address, &session, &list);
    assert!(list.await.json().await["result"]["tools"].is_array());
    // Still no messages below the level that was set before.
    let quiet = request(5, "tools/call", json!({"name": "tell"}));
    let quiet = post(platform.address, &session, &quiet).await;
    assert_eq!(quiet.events_or_json().await.len(), 1);
    let answer = get(platform, &id, &ended_opening).await.answer().await;
    assert_eq!(
        (&answer["id"], &answer["result"]["content"][0]["text"]),
        (&json!(2), &json!("told"))
    );
    // Nobody knows how far the other one had come: that is its answer, under its id.
    let answer = get(platform, &id, &waiting_opening).await.answer().await;
    assert_eq!(answer["id"], 3);
    assert_eq!(answer["result"]["_meta"]["dev.dormouse/outcome"], "unknown");
    after.kill(data.path()).await;
}

#[tokio::test]
async fn an_ended_session_stays_ended_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let before = Process::start(data.path()).await;
    let address = before.platform.address;
    let id = open_session(address, "2025-11-25").await;
    let headers = [("mcp-session-id", id.as_str())];
    let ended = send(address, Method::DELETE, "/mcp", &headers, "").await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    before.kill(data.path()).await;
    let after = Process::start(data.path()).await;
    let gone = post(after.platform.address, &headers, &call(1, "echo")).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    after.kill(data.path()).await;
}

#[tokio::test]
async fn delete_ends_a_calls_stream() {
    let platform = Platform::start_with(at_once).await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let mut stream = post(platform.address, &session, &call(1, "wait")).await;
    stream.opened().await;
    send(platform.address, Method::DELETE, "/mcp", &session, "").await;
    assert_eq!(stream.event().await, None);
}

#[tokio::test]
async fn too_many_sessions_are_told_when_none_of_them_rests() {
    let platform = Platform::start_with(|config| config.max_sessions = 2).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let id = open_session(platform.address, "2025-11-25").await;
        streams.push(get(&platform, &id, "").await);
    }
    let refused = post(platform.address, &[], &initialize("2025-11-25")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    streams.clear();
    let let_in = async {
        while post(platform.address, &[], &initialize("2025-11-25"))
            .await
            .status
            != 200
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), let_in)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_ended_session_leaves_nobody_waiting_for_its_calls() {
    let platform = Platform::start_with(at_once).await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let ask = request(1, "tools/call", json!({"name": "ask", "arguments": {}}));
    let mut stream = post(platform.address, &session, &ask).await;
    stream.opened().await;
    let asked = stream.event().await.unwrap();
    assert_eq!(asked["method"], "elicitation/create");
    let suspended = platform.broker.tasks(TaskFilter::default()).await.unwrap();
    assert!(platform.broker.is_waited_for(suspended[0].id));
    send(platform.address, Method::DELETE, "/mcp", &session, "").await;
    let rest = stream.events().await;
    assert!(rest.iter().all(|event| event["id"] != 1), "{rest:?}");
    while platform.broker.is_waited_for(suspended[0].id) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_that_sleeps_while_the_platform_stops_is_asked_again_after_the_start() {
    let data = tempfile::tempdir().unwrap();
    let before = Process::start_with(data.path(), at_once).await;
    let address = before.platform.address;
    let id = open_session(address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let ask = request(1, "tools/call", json!({"name": "ask", "arguments": {}}));
    let mut stream = post(address, &session, &ask).await;
    stream.opened().await;
    let asked = stream.event().await.unwrap();
    assert_eq!(asked["method"], "elicitation/create");
    let first = stream.last_event_id.clone();
    before.platform.broker.stop().await;
    let rest = stream.events().await;
    assert!(rest.iter().all(|event| event["id"] != 1), "{rest:?}");
    before.kill(data.path()).await;

    let after = Process::start(data.path()).await;
    let mut stream = get(&after.platform, &id, &first).await;
    stream.opened().await;
    assert_eq!(stream.event().await.unwrap()["id"], asked["id"]);
    after.kill(data.path()).await;
}
