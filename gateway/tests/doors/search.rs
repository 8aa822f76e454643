//! Small contexts: two tools instead of the whole catalogue.

use dormouse_gateway::ToolsMode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::http_client::{initialize, modern, post, post_modern, request};
use crate::platform::Platform;
use crate::socket_client::{connect, connect_with, open};

const MODE: &str = "dev.dormouse/tools";

fn names(list: &Value) -> Vec<&str> {
    let tools = list["result"]["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_request_a_session_or_the_configuration_chooses() {
    let platform = Platform::start().await;
    let modern_list = |meta: Value| modern(1, "tools/list", json!({"_meta":meta}));
    let all = post_modern(platform.address, &modern_list(json!({}))).await;
    assert!(names(&all.json().await).len() > 2);
    let search = modern_list(json!({MODE:"search"}));
    let search = post_modern(platform.address, &search).await.json().await;
    assert_eq!(names(&search), ["find_tools", "call_tool"]);
    assert_eq!(search["result"]["resultType"], "complete");
    let wrong = modern_list(json!({MODE:"some"}));
    let wrong = post_modern(platform.address, &wrong).await.json().await;
    assert_eq!(wrong["error"]["code"], -32_602);

    let mut opening = initialize("2025-11-25");
    opening["params"]["_meta"][MODE] = "search".into();
    let opened = post(platform.address, &[], &opening).await;
    let id = opened.headers["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let list = request(1, "tools/list", json!({}));
    let ask = async |mode: Option<&str>| {
        let mut headers = vec![("mcp-session-id", id.as_str())];
        headers.extend(mode.map(|mode| ("dormouse-tools", mode)));
        post(platform.address, &headers, &list).await.json().await
    };
    assert_eq!(names(&ask(None).await), ["find_tools", "call_tool"]);
    assert!(names(&ask(Some("all")).await).len() > 2);

    let configured = Platform::start_with(|config| config.tools = ToolsMode::Search).await;
    let mut socket = open(configured.address, "2025-06-18").await;
    assert_eq!(names(&socket.ask(&list).await).len(), 2);
}

#[tokio::test]
async fn an_upgrade_chooses_for_its_socket() {
    let platform = Platform::start().await;
    let header = [("dormouse-tools", "search")];
    let (mut socket, _) = connect_with(platform.address, &header).await.unwrap();
    let list = socket.ask(&modern(1, "tools/list", json!({}))).await;
    assert_eq!(names(&list).len(), 2);
    socket.ask(&initialize("2025-11-25")).await;
    let list = socket.ask(&request(2, "tools/list", json!({}))).await;
    assert_eq!(names(&list).len(), 2);
    let (mut other, _) = connect(platform.address, "/", "mcp").await.unwrap();
    let list = other.ask(&modern(1, "tools/list", json!({}))).await;
    assert!(names(&list).len() > 2);
    let wrong = [("dormouse-tools", "some")];
    let refused = connect_with(platform.address, &wrong).await;
    assert!(matches!(refused, Err(Error::Http(response)) if response.status() == 400));
}

#[tokio::test]
async fn a_found_tool_is_called_as_itself() {
    let platform = Platform::start_with(|config| config.tools = ToolsMode::Search).await;
    let call = |name: &str, arguments: Value| {
        let meta = json!({"dev.dormouse/idempotencyKey":"k"});
        modern(
            1,
            "tools/call",
            json!({"name":name,"arguments":arguments,"_meta":meta}),
        )
    };
    let find = call("find_tools", json!({"query":"echo","limit":1}));
    let found = post_modern(platform.address, &find).await.json().await;
    let tools = &found["result"]["structuredContent"]["tools"];
    assert_eq!(tools[0]["name"], "echo");
    assert!(tools[0]["inputSchema"].is_object());

    let inner = json!({"name":"echo","arguments":{"text":"hi"}});
    let call_tool = call("call_tool", inner);
    for _ in 0..2 {
        let answer = post_modern(platform.address, &call_tool)
            .await
            .answer()
            .await;
        assert_eq!(answer["result"]["content"][0]["text"], r#"{"text":"hi"}"#);
    }
    assert_eq!(platform.runs(), 1, "the key is the named tool's");
    let seen = platform.functions.seen.lock().unwrap()[0].clone();
    assert_eq!(seen["params"]["name"], "echo");

    let wrong = call("call_tool", json!({"name":"echo","arguments":{"text":5}}));
    let wrong = post_modern(platform.address, &wrong).await.json().await;
    assert_eq!(wrong["result"]["isError"], true);
    let unknown = call("call_tool", json!({"name":"nothing"}));
    let unknown = post_modern(platform.address, &unknown).await.json().await;
    assert_eq!(unknown["error"]["message"], "Unknown tool: nothing");
}
