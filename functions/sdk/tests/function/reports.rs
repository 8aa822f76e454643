//! Progress and logs on their way to the sink.

use dormouse_contract::{Event, task};
use dormouse_function::Settings;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Running, requested_by, start};
use crate::sink::{Taken, sink};

async fn reporting() -> (Running, Taken) {
    let (uri, taken) = sink().await;
    let settings = Settings {
        pool: Some("tests".to_owned()),
        sink: Some(uri),
        overrides: vec![
            ("region".into(), "here".into()),
            (task::POOL_TOKEN.into(), "no".into()),
        ],
        ..Settings::default()
    };
    (start(crate::fixture::function(), settings).await, taken)
}

async fn told(function: &Running, client: Value, tool: &str, arguments: Value) {
    let params = json!({"name": tool, "arguments": arguments});
    let answer = function
        .deliver(requested_by(client, "tools/call", params))
        .await;
    assert_eq!(answer.status, 200);
}

fn notifications(taken: &Taken) -> Vec<(u64, String, Value)> {
    let read = |event: &Event| {
        let data: Value = serde_json::from_slice(event.data.as_ref().unwrap()).unwrap();
        let notification = &data["notification"];
        let method = notification["method"].as_str().unwrap().to_owned();
        (
            data["seq"].as_u64().unwrap(),
            method,
            notification["params"].clone(),
        )
    };
    taken.lock().unwrap().iter().map(read).collect()
}

#[tokio::test]
async fn progress_and_logs_arrive_numbered_before_the_answer() {
    let (function, taken) = reporting().await;
    told(
        &function,
        json!({"progress": true, "logLevel": "info"}),
        "progress",
        json!({}),
    )
    .await;
    let told = notifications(&taken);
    let seqs: Vec<u64> = told.iter().map(|(seq, ..)| *seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    let of = |method: &str| -> Vec<Value> {
        let of_method = told.iter().filter(|(_, told, _)| told == method);
        of_method.map(|(.., params)| params.clone()).collect()
    };
    assert_eq!(
        of("notifications/progress")[2],
        json!({"progress": 3.0, "total": 3.0, "message": "three"})
    );
    assert_eq!(
        of("notifications/message")[0],
        json!({"level": "info", "data": "one"})
    );
}

#[tokio::test]
async fn reports_are_believed_by_the_attempts_token_alone() {
    let (function, taken) = reporting().await;
    told(&function, json!({"progress": true}), "progress", json!({})).await;
    let taken = taken.lock().unwrap();
    let event = taken.first().unwrap();
    assert_eq!(
        (event.ty.as_str(), event.source.as_str()),
        (task::PROGRESSED, "/pools/tests")
    );
    assert_eq!(event.extension(task::TASK_ID).as_deref(), Some("t1"));
    assert_eq!(
        event.extension(task::ATTEMPT_TOKEN).as_deref(),
        Some("0123abcd")
    );
    assert_eq!(event.extension("region").as_deref(), Some("here"));
    assert!(event.extension(task::POOL_TOKEN).is_none());
    let ids: std::collections::HashSet<_> = taken.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), taken.len());
}

#[tokio::test]
async fn what_nobody_wants_is_not_sent() {
    let (function, taken) = reporting().await;
    told(&function, json!({}), "progress", json!({})).await;
    told(
        &function,
        json!({"logLevel": "warning"}),
        "progress",
        json!({}),
    )
    .await;
    assert_eq!(notifications(&taken), []);
    told(
        &function,
        json!({"logLevel": "debug"}),
        "progress",
        json!({}),
    )
    .await;
    assert!(
        notifications(&taken)
            .iter()
            .all(|(_, method, _)| method == "notifications/message")
    );
    assert_eq!(notifications(&taken).len(), 3);
}

#[tokio::test]
async fn the_last_progress_arrives_without_anybody_waiting_for_it() {
    let (function, taken) = reporting().await;
    told(
        &function,
        json!({"progress": true}),
        "sleep",
        json!({"ms": 120}),
    )
    .await;
    let (.., last) = notifications(&taken).pop().unwrap();
    assert_eq!(last["progress"], 120.0);
}

#[tokio::test]
async fn a_sink_that_is_gone_does_not_spoil_the_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let settings = Settings {
        sink: Some(uri.parse().unwrap()),
        ..Settings::default()
    };
    let function = start(crate::fixture::function(), settings).await;
    told(&function, json!({"progress": true}), "progress", json!({})).await;
}
