//! The way back to answers that were lost.

use serde_json::{Value, json};

use crate::http_client::{modern, post, post_modern, request};
use crate::platform::Platform;
use crate::socket_client::open;

async fn recent(platform: &Platform) -> Value {
    let mut socket = open(platform.address, "2025-11-25").await;
    let read = request(1, "resources/read", json!({"uri": "tasks://recent"}));
    let answer = socket.ask(&read).await;
    let text = answer["result"]["contents"][0]["text"].as_str().unwrap();
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_client_that_was_cut_off_finds_its_calls_again() {
    let platform = Platform::start_with(|config| config.result_tool = true).await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let call = request(1, "tools/call", json!({"name": "wait"}));
    socket.send(&call).await;
    while platform.runs() == 0 {
        tokio::task::yield_now().await;
    }
    drop(socket);
    let listed = recent(&platform).await;
    let task = &listed["tasks"][0];
    assert_eq!(
        (&task["name"], &task["state"]),
        (&json!("wait"), &json!("running"))
    );

    let get = json!({"name": "get_result", "arguments": {"task": task["task"]}});
    let mut socket = open(platform.address, "2025-11-25").await;
    let not_yet = socket.ask(&request(2, "tools/call", get.clone())).await;
    let said = not_yet["result"]["content"][0]["text"].as_str().unwrap();
    assert!(said.contains("running"), "{said}");
    platform.functions.go_on.add_permits(1);
    loop {
        let result = socket.ask(&request(3, "tools/call", get.clone())).await;
        if result["result"]["content"][0]["text"] == "waited" {
            break;
        }
    }
    assert_eq!(recent(&platform).await["tasks"][0]["state"], "completed");
}

#[tokio::test]
async fn the_tool_lists_and_says_what_is_wrong() {
    let platform = Platform::start_with(|config| config.result_tool = true).await;
    let ask = async |arguments: Value| {
        let call = json!({"name": "get_result", "arguments": arguments});
        let answer = post_modern(platform.address, &modern(1, "tools/call", call)).await;
        answer.answer().await["result"].take()
    };
    let list = ask(json!({})).await;
    assert_eq!(list["resultType"], "complete");
    for (task, named) in [
        ("nonsense", "no such task"),
        ("01890000-0000-7000-8000-000000000000", "no such task"),
    ] {
        let wrong = ask(json!({"task": task})).await;
        assert_eq!(wrong["isError"], true);
        assert!(wrong.to_string().contains(named), "{wrong}");
    }
    assert_eq!(
        ask(json!({"tusk": 1})).await["isError"],
        true,
        "the schema is kept"
    );
}

#[tokio::test]
async fn the_tool_is_there_only_when_asked_for_and_the_resource_always() {
    let platform = Platform::start().await;
    assert!(
        platform
            .gateway
            .tools()
            .iter()
            .all(|tool| tool.name != "get_result")
    );
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "resources/read"),
        ("mcp-name", "tasks://recent"),
    ];
    let read = modern(1, "resources/read", json!({"uri": "tasks://recent"}));
    let read = post(platform.address, &headers, &read).await.json().await["result"].take();
    assert_eq!(read["resultType"], "complete", "{read}");
    assert_eq!(
        (&read["ttlMs"], &read["cacheScope"]),
        (&json!(0), &json!("private"))
    );
}
