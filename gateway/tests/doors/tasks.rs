//! Calls that clients follow as tasks, in both eras.

use std::sync::Arc;

use dormouse_broker::TaskFilter;
use dormouse_contract::policy::Stored;
use serde_json::{Value, json};

use crate::http_client::{modern, open_session, post, post_modern, request};
use crate::platform::{Platform, pool};
use crate::socket_client::open;

const EXTENSION: &str = "io.modelcontextprotocol/tasks";

fn declared(id: u32, method: &str, params: Value) -> Value {
    let mut message = modern(id, method, params);
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
        json!({"elicitation": {}, "extensions": {EXTENSION: {}}});
    message
}

/// Sends a modern request about a task, with the header that mirrors its id.
async fn about(platform: &Platform, message: &Value) -> Value {
    let method = message["method"].as_str().unwrap().to_owned();
    let task = message["params"]["taskId"].as_str().unwrap().to_owned();
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", &method),
        ("mcp-name", &task),
    ];
    post(platform.address, &headers, message).await.json().await
}

async fn get(platform: &Platform, task: &Value) -> Value {
    let get = declared(9, "tasks/get", json!({"taskId": task}));
    about(platform, &get).await["result"].take()
}

async fn until(platform: &Platform, task: &Value, status: &str) -> Value {
    loop {
        let seen = get(platform, task).await;
        if seen["status"] == status {
            return seen;
        }
        assert!(matches!(
            seen["status"].as_str(),
            Some("working" | "input_required")
        ));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_long_modern_call_becomes_a_task() {
    let platform = Platform::start().await;
    let call = declared(1, "tools/call", json!({"name": "wait"}));
    let created = post_modern(platform.address, &call).await.json().await["result"].take();
    assert_eq!(created["resultType"], "task", "{created}");
    assert_eq!(created["status"], "working");
    let task = &created["taskId"];
    assert_eq!(get(&platform, task).await["status"], "working");
    platform.functions.go_on.add_permits(1);
    let ended = until(&platform, task, "completed").await;
    assert_eq!(ended["result"]["content"][0]["text"], "waited");
    assert_eq!(ended["resultType"], "complete");
    let again = declared(3, "tasks/cancel", json!({"taskId": task}));
    let again = about(&platform, &again).await;
    assert_eq!(again["result"], json!({"resultType": "complete"}));
}

#[tokio::test]
async fn without_the_extension_a_call_is_waited_for_and_tasks_are_not_there() {
    let platform = Platform::start().await;
    platform.functions.go_on.add_permits(1);
    let call = modern(1, "tools/call", json!({"name": "wait"}));
    let answer = post_modern(platform.address, &call).await.answer().await;
    assert_eq!(answer["result"]["resultType"], "complete");
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let params = json!({"taskId": "nope", "inputResponses": {}});
        let refused = about(&platform, &modern(2, method, params)).await;
        assert_eq!(refused["error"]["code"], -32_021, "{refused}");
        let required = &refused["error"]["data"]["requiredCapabilities"];
        assert!(required["extensions"][EXTENSION].is_object());
    }
    for method in ["tasks/result", "tasks/list"] {
        let params = json!({"taskId": "nope"});
        let refused = about(&platform, &declared(3, method, params)).await;
        assert_eq!(refused["error"]["code"], -32_601, "{refused}");
    }
    let unknown = declared(4, "tasks/get", json!({"taskId": "nope"}));
    assert_eq!(about(&platform, &unknown).await["error"]["code"], -32_602);
}

#[tokio::test]
async fn a_modern_task_is_cancelled() {
    let platform = Platform::start().await;
    let call = declared(1, "tools/call", json!({"name": "wait"}));
    let created = post_modern(platform.address, &call).await.json().await["result"].take();
    let cancel = declared(2, "tasks/cancel", json!({"taskId": created["taskId"]}));
    let done = about(&platform, &cancel).await;
    assert_eq!(done["result"], json!({"resultType": "complete"}));
    until(&platform, &created["taskId"], "cancelled").await;
    platform.functions.cancelled.notified().await;
}

#[tokio::test]
async fn what_is_followed_as_a_task_is_found_although_its_pool_stores_lazily() {
    let platform = Platform::start().await;
    let mut lazy = (*pool("lazy", &["echo", "wait"])).clone();
    lazy.delivery.stored = Stored::Lazily;
    let (slots, limit) = (lazy.slots, lazy.queue_limit);
    let opened = platform.broker.open_pool(lazy.pool.clone(), slots, limit);
    opened.await.unwrap();
    platform.pools.send(Arc::new(vec![Arc::new(lazy)])).unwrap();
    while platform.gateway.tools().len() != 2 {
        tokio::task::yield_now().await;
    }
    let call = declared(1, "tools/call", json!({"name": "wait"}));
    let created = post_modern(platform.address, &call).await.json().await["result"].take();
    let mut socket = open(platform.address, "2025-11-25").await;
    let legacy = socket.ask(&legacy_call(1, "wait")).await["result"]["task"].take();
    platform.functions.go_on.add_permits(2);
    let ended = until(&platform, &created["taskId"], "completed").await;
    assert_eq!(ended["result"]["content"][0]["text"], "waited");
    until(&platform, &legacy["taskId"], "completed").await;
    // Others leave nothing behind.
    let echo = modern(2, "tools/call", json!({"name": "echo"}));
    let echo = post_modern(platform.address, &echo).await.answer().await;
    assert!(echo["result"]["content"].is_array(), "{echo}");
    let tasks = platform.broker.tasks(TaskFilter::default()).await.unwrap();
    assert_eq!(tasks.len(), 2);
}

fn legacy_call(id: u32, tool: &str) -> Value {
    let params = json!({"name": tool, "arguments": {}, "task": {"ttl": 60_000}});
    request(id, "tools/call", params)
}

#[tokio::test]
async fn a_legacy_client_follows_a_call_as_a_task() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let created = socket.ask(&legacy_call(1, "wait")).await["result"].take();
    let task = created["task"]["taskId"].clone();
    assert_eq!(created["task"]["status"], "working", "{created}");
    let params = json!({"taskId": task});
    let seen = socket.ask(&request(2, "tasks/get", params.clone())).await;
    assert_eq!(seen["result"]["status"], "working");
    socket
        .send(&request(3, "tasks/result", params.clone()))
        .await;
    platform.functions.go_on.add_permits(1);
    // The task's end is told as well, before the result or behind it.
    let (one, other) = (socket.receive().await, socket.receive().await);
    let (result, notice) = if one["id"] == 3 {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!(notice["params"]["status"], "completed", "{notice}");
    assert_eq!(result["result"]["content"][0]["text"], "waited");
    let related = &result["result"]["_meta"]["io.modelcontextprotocol/related-task"];
    assert_eq!(related["taskId"], task);
    let list = socket.ask(&request(4, "tasks/list", json!({}))).await;
    assert_eq!(list["result"]["tasks"][0]["taskId"], task);
    assert_eq!(list["result"]["tasks"][0]["status"], "completed");
    let late = socket.ask(&request(5, "tasks/cancel", params)).await;
    assert_eq!(late["error"]["code"], -32_602, "{late}");
}

#[tokio::test]
async fn a_legacy_task_asks_on_the_stream_of_its_result() {
    let platform = Platform::start().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    let created = post(platform.address, &session, &legacy_call(1, "ask")).await;
    let task = created.json().await["result"]["task"]["taskId"].clone();
    let fetch = request(2, "tasks/result", json!({"taskId": task}));
    let mut stream = post(platform.address, &session, &fetch).await;
    for _ in 0..2 {
        let asked = stream.event().await.unwrap();
        let related = &asked["params"]["_meta"]["io.modelcontextprotocol/related-task"];
        assert_eq!(related["taskId"], task, "{asked}");
        let error = json!({"code": -1, "message": "not now"});
        let refusal = json!({"jsonrpc": "2.0", "id": asked["id"], "error": error});
        post(platform.address, &session, &refusal).await;
    }
    let result = stream.event().await.unwrap();
    assert_eq!(result["id"], 2);
    assert!(result.to_string().contains("not now"));
}

#[tokio::test]
async fn a_legacy_task_is_cancelled_and_stays_so() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let created = socket.ask(&legacy_call(1, "wait")).await;
    let params = json!({"taskId": created["result"]["task"]["taskId"]});
    socket.send(&request(2, "tasks/cancel", params)).await;
    for _ in 0..2 {
        // The answer, and the notification that goes before it or behind it.
        let told = socket.receive().await;
        let view = told.get("result").unwrap_or(&told["params"]);
        assert_eq!(view["status"], "cancelled", "{told}");
    }
}

#[tokio::test]
async fn tools_and_revisions_decide_whether_a_call_may_be_a_task() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let refused = socket.ask(&legacy_call(1, "echo")).await;
    assert_eq!(refused["error"]["code"], -32_601, "{refused}");
    let mut older = open(platform.address, "2025-06-18").await;
    let ignored = older.ask(&legacy_call(1, "echo")).await;
    assert!(ignored["result"]["content"].is_array(), "{ignored}");
    let unknown = older.ask(&request(2, "tasks/list", json!({}))).await;
    assert_eq!(unknown["error"]["code"], -32_601);
}

#[tokio::test]
async fn a_legacy_session_hears_what_becomes_of_its_task() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let created = socket.ask(&legacy_call(1, "ask")).await;
    let task = created["result"]["task"]["taskId"].clone();
    let asked = socket.receive().await;
    assert_eq!(asked["method"], "notifications/tasks/status", "{asked}");
    assert_eq!(asked["params"]["taskId"], task);
    assert_eq!(asked["params"]["status"], "input_required");
    let cancel = request(2, "tasks/cancel", json!({"taskId": task}));
    socket.send(&cancel).await;
    let (one, other) = (socket.receive().await, socket.receive().await);
    let notice = if one.get("id").is_some() { other } else { one };
    assert_eq!(notice["params"]["status"], "cancelled", "{notice}");
}

#[tokio::test]
async fn progress_of_a_legacy_task_names_it() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let mut call = legacy_call(1, "tell");
    call["params"]["_meta"]["progressToken"] = "t".into();
    socket.send(&call).await;
    let mut told = Vec::new();
    let task = loop {
        let message = socket.receive().await;
        match message["method"].as_str() {
            Some("notifications/progress") => told.push(message["params"].clone()),
            Some("notifications/tasks/status") => break message["params"]["taskId"].clone(),
            _ => {}
        }
    };
    assert_eq!(told.len(), 3);
    for params in told {
        let related = &params["_meta"]["io.modelcontextprotocol/related-task"];
        assert_eq!(
            (&params["progressToken"], &related["taskId"]),
            (&json!("t"), &task)
        );
    }
}

#[tokio::test]
async fn a_modern_subscription_hears_what_becomes_of_its_tasks() {
    let platform = Platform::start().await;
    let call = declared(1, "tools/call", json!({"name": "wait"}));
    let created = post_modern(platform.address, &call).await.json().await["result"].take();
    let listen = |message: fn(u32, &str, Value) -> Value| {
        let filter = json!({"notifications": {"taskIds": [created["taskId"]]}});
        message(2, "subscriptions/listen", filter)
    };
    let refused = post_modern(platform.address, &listen(modern)).await;
    assert_eq!(refused.json().await["error"]["code"], -32_021);
    let mut stream = post_modern(platform.address, &listen(declared)).await;
    let granted = stream.event().await.unwrap();
    assert_eq!(
        granted["params"]["notifications"]["taskIds"][0],
        created["taskId"]
    );
    platform.functions.go_on.add_permits(1);
    let told = stream.event().await.unwrap();
    assert_eq!(told["method"], "notifications/tasks", "{told}");
    let params = &told["params"];
    assert_eq!(params["status"], "completed");
    assert_eq!(params["result"]["content"][0]["text"], "waited");
    assert_eq!(params["_meta"]["io.modelcontextprotocol/subscriptionId"], 2);
}
