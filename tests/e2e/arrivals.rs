//! Events for agents: clients are told of them, functions and tools sleep until they come.

use serde_json::{Value, json};

use crate::client::{legacy, node, python};
use crate::http;
use crate::modern::Modern;
use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;
use crate::session::{Session, text};

const ORDER: &str = "com.example.order";

fn fixture() -> Pool {
    Pool::fixture("fixture").with("scaling", json!({"idle": "1s"}))
}

async fn send(platform: &Platform, id: &str) {
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", id),
        ("ce-source", "/shop"),
        ("ce-type", ORDER),
    ];
    let door = &platform.doors().coordinator;
    let taken = http::post(door, "/events", &headers, r#"{"item":"cheese"}"#).await;
    assert_eq!(taken.status, 202, "{taken:?}");
}

async fn asleep(platform: &Platform, tool: &str) {
    platform.task_in(tool, "suspended").await;
    eventually("no process of a function", async || {
        platform.processes().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_function_that_waits_for_an_event_sleeps_and_wakes_also_after_a_kill() {
    let mut platform = Setup::new([fixture()]).fixed_ports().start().await;
    let call = json!({"name": "await", "arguments": {"types": ORDER, "events": 2},
                      "_meta": {"dev.dormouse/idempotencyKey": "orders"}});
    let session = Session::open(platform.mcp()).await;
    let _unanswered = session.start("tools/call", call.clone());
    asleep(&platform, "await").await;
    send(&platform, "first").await;
    eventually("the second wait", async || {
        let task = platform.task_in("await", "suspended").await;
        (task["round"] == 2).then_some(())
    })
    .await;
    asleep(&platform, "await").await;
    platform.kill().await;
    platform.restart().await;

    send(&platform, "second").await;
    platform.task_in("await", "completed").await;
    let session = Session::open(platform.mcp()).await;
    let answer = session.ask("tools/call", call).await.expect("an answer");
    assert_eq!(text(&answer["result"]), "first second", "{answer}");
}

#[tokio::test]
async fn a_modern_call_waits_for_an_event_without_being_asked() {
    let platform = Setup::new([fixture()]).start().await;
    let call = Modern::call("await", json!({"types": ORDER, "events": 1}));
    let (answer, ()) = tokio::join!(call.send(platform.mcp()), async {
        platform.task_in("await", "suspended").await;
        send(&platform, "only").await;
    });
    let result = &answer.json()["result"];
    assert_eq!(result["resultType"], "complete", "{result}");
    assert_eq!(text(result), "only");
}

#[tokio::test]
async fn an_agent_waits_for_an_event_across_a_kill() {
    let setup = Setup::new([]).fixed_ports().argument("--event-tools");
    let mut platform = setup.start().await;
    let wanted = json!({"type": ORDER, "filters": [{"exact": {"source": "/shop"}}],
                        "timeoutSeconds": 600});
    let call = json!({"name": "wait_for_event", "arguments": wanted,
                      "_meta": {"dev.dormouse/idempotencyKey": "order"}});
    let session = Session::open(platform.mcp()).await;
    let (_, lost) = session.start("tools/call", call.clone());
    platform.task_in("wait_for_event", "suspended").await;
    platform.kill().await;
    lost.await.expect_err("the connection broke");
    platform.restart().await;

    let session = Session::open(platform.mcp()).await;
    let (_, answer) = session.start("tools/call", call);
    send(&platform, "order-7").await;
    let answer = answer.await.expect("an answer");
    let content = &answer["result"]["structuredContent"];
    assert_eq!(content["happened"], true, "{answer}");
    assert_eq!(
        (&content["event"]["id"], &content["event"]["data"]["item"]),
        (&json!("order-7"), &json!("cheese"))
    );

    // What it knows already does not count, and nothing more comes.
    let late = json!({"type": ORDER, "after": content["seq"], "timeoutSeconds": 1});
    let late = session.call("wait_for_event", late).await;
    assert_eq!(late["structuredContent"], json!({"happened": false}));
    let wrong = session.call("wait_for_event", json!({})).await;
    assert_eq!(wrong["isError"], true, "{wrong}");
}

/// The newest events of a type, as the gateway reads them out.
async fn read(session: &Session, ty: &str) -> Value {
    let about = json!({"uri": format!("events://{ty}")});
    let read = session
        .ask("resources/read", about)
        .await
        .expect("an answer");
    let text = read["result"]["contents"][0]["text"]
        .as_str()
        .expect("a text");
    let mut read: Value = serde_json::from_str(text).expect("JSON");
    read["events"].take()
}

#[tokio::test]
async fn facts_are_told_to_those_who_ask_for_them() {
    let asks = json!([{"filters": [{"prefix": {"type": "dev.dormouse."}}]}]);
    let all = json!([{"filters": []}]);
    let platform = Setup::new([
        Pool::fixture("asks").with("triggers", asks),
        Pool::fixture("takes-all").with("triggers", all),
    ]);
    let platform = platform.start().await;
    let session = Session::open(platform.mcp()).await;
    session.call("add", json!({"a": 1, "b": 2})).await;
    let finished = "dev.dormouse.task.finished.v1";
    let events = eventually("the fact that it finished", async || {
        let events = read(&session, finished).await;
        let events = events.as_array().expect("a list").clone();
        let is_told = events.iter().any(|it| it["event"]["subject"] == "add");
        is_told.then_some(events)
    })
    .await;
    let of = |subject: &str| -> Vec<&Value> {
        let events = events.iter().map(|it| &it["event"]);
        events.filter(|event| event["subject"] == subject).collect()
    };
    assert_eq!((of("add").len(), of(finished).len()), (1, 0), "{events:?}");
    let data = &of("add")[0]["data"];
    assert_eq!(
        (&data["pool"], &data["state"]),
        (&json!("asks"), &json!("completed"))
    );
    assert!(
        data["acceptedAt"].is_string() && data["task"].is_string(),
        "{data}"
    );
    let registered = read(&session, "dev.dormouse.pool.registered.v1").await;
    let pools = registered.as_array().expect("a list").iter();
    let pools: Vec<_> = pools.map(|fact| &fact["event"]["data"]["pool"]).collect();
    assert!(pools.contains(&&json!("takes-all")), "{pools:?}");
    let takers = platform.tasks(finished).await;
    assert!(
        takers.iter().all(|task| task["pool"] == "asks"),
        "{takers:?}"
    );
}

/// What a subscriber is told, apart from lists.
async fn told(session: &Session) -> Value {
    loop {
        let told = session.next().await.expect("a notification");
        if told["method"] == "notifications/resources/updated" {
            return told["params"]["uri"].clone();
        }
    }
}

#[tokio::test]
async fn a_subscriber_is_told_and_reads_also_after_a_kill() {
    let mut platform = Setup::new([]).fixed_ports().start().await;
    let uri = format!("events://{ORDER}");
    let about = json!({"uri": uri});
    for id in ["one", "two"] {
        let session = Session::open(platform.mcp()).await;
        let subscribed = session.ask("resources/subscribe", about.clone()).await;
        assert_eq!(subscribed.expect("an answer")["result"], json!({}));
        send(&platform, id).await;
        assert_eq!(told(&session).await, uri);
        let read = read(&session, ORDER).await;
        assert_eq!(read[0]["event"]["id"], id, "{read}");
        platform.kill().await;
        platform.restart().await;
    }
}

#[tokio::test]
async fn other_peoples_clients_are_told_and_read() {
    let platform = Platform::start([]).await;
    for (number, (scheme, client)) in [
        ("ws", node("sdk1.mjs")),
        ("http", node("sdk1.mjs")),
        ("http", legacy(node("sdk2.mjs"))),
        ("http", node("sdk2.mjs")),
        ("ws", python("1", "sdk1.py")),
        ("http", legacy(python("2", "sdk2.py"))),
        ("http", python("2", "sdk2.py")),
    ]
    .into_iter()
    .enumerate()
    {
        let mut command = client.command(&format!("{scheme}://{}/mcp", platform.mcp()));
        command.arg("happen");
        let mut running = platform.start_client(command);
        running.read_until("listening").await;
        let id = number.to_string();
        send(&platform, &id).await;
        let seen = running.finish().await;
        let newest = &seen.only("read")["events"][0];
        assert_eq!(
            (&newest["seq"], &newest["event"]["id"]),
            (&json!(number + 1), &json!(id))
        );
    }
}
