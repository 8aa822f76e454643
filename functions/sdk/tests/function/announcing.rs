//! What a function announces: resources that changed, and what it offers now.

use dormouse_contract::announcement::{CAPABILITIES_CHANGED, RESOURCE_UPDATED};
use dormouse_contract::{Manifest, task};
use dormouse_function::{Context, Function, NoArguments, Offer, Prompt, Settings, Tool, ToolError};
use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Running, start};
use crate::sink::{Taken, answering};

async fn nothing(_: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    Ok("nothing")
}

async fn update(cx: Context, _: NoArguments) -> Result<(), ToolError> {
    cx.resource_updated("test://a").await?;
    cx.resource_updated("test://b").await
}

async fn unlock(cx: Context, _: NoArguments) -> Result<(), ToolError> {
    cx.offer("secret", true).await?;
    cx.offer("secret", true).await?;
    cx.offer(Offer::Prompt("riddle"), false).await
}

async fn unknown(cx: Context, _: NoArguments) -> Result<(), ToolError> {
    cx.offer("no-such-tool", true).await
}

async fn function(status: StatusCode) -> (Running, Taken) {
    let function = Function::new("announcing")
        .tool("update", "", update)
        .tool("unlock", "", unlock)
        .tool("unknown", "", unknown)
        .with_tool(Tool::new("secret", "", nothing).hidden())
        .with_prompt(Prompt::new("riddle", "", nothing));
    let (sink, taken) = answering(status).await;
    let settings = Settings {
        sink: Some(sink),
        ..Settings::default()
    };
    (start(function, settings).await, taken)
}

#[tokio::test]
async fn updated_resources_are_told_under_the_attempts_token() {
    let (function, taken) = function(StatusCode::ACCEPTED).await;
    function.call("update", json!({})).await.result();
    let taken = taken.lock().unwrap();
    let uris: Vec<Value> = taken
        .iter()
        .map(|event| serde_json::from_slice(event.data.as_ref().unwrap()).unwrap())
        .collect();
    assert_eq!(
        uris,
        [json!({"uri": "test://a"}), json!({"uri": "test://b"})]
    );
    assert_ne!(taken[0].id, taken[1].id);
    for event in taken.iter() {
        assert_eq!(event.ty, RESOURCE_UPDATED);
        let token = event.extension(task::ATTEMPT_TOKEN);
        assert_eq!(token.as_deref(), Some("0123abcd"));
    }
}

#[tokio::test]
async fn what_is_offered_changes_and_is_announced_whole() {
    let (function, taken) = function(StatusCode::ACCEPTED).await;
    let offered = async || -> (Vec<String>, usize) {
        let manifest = Manifest::parse(&function.get("/capabilities").await.body).unwrap();
        let tools = manifest.parsed_tools().unwrap();
        let names = tools.into_iter().map(|tool| tool.name).collect();
        (names, manifest.prompts.len())
    };
    assert_eq!(
        offered().await,
        (vec!["update".into(), "unlock".into(), "unknown".into()], 1)
    );
    // Another instance may have shown it.
    assert_eq!(function.call("secret", json!({})).await.text(), "nothing");
    function.call("unlock", json!({})).await.result();
    let (names, prompts) = offered().await;
    assert_eq!((names[3].as_str(), prompts), ("secret", 0));

    let taken = taken.lock().unwrap();
    assert_eq!(taken.len(), 2, "what is so already is not announced");
    assert!(taken.iter().all(|event| event.ty == CAPABILITIES_CHANGED));
    let first = Manifest::parse(taken[0].data.as_ref().unwrap()).unwrap();
    let last = Manifest::parse(taken[1].data.as_ref().unwrap()).unwrap();
    assert_eq!((first.tools.len(), first.prompts.len()), (4, 1));
    assert_eq!((last.tools.len(), last.prompts.len()), (4, 0));
}

#[tokio::test]
async fn what_the_platform_did_not_take_may_be_tried_again() {
    let (function, _) = function(StatusCode::SERVICE_UNAVAILABLE).await;
    let answer = function.call("update", json!({})).await;
    assert_eq!(answer.status, 503);
    assert!(
        answer.words().contains("not announced"),
        "{}",
        answer.words()
    );
    let failed = function.call("unknown", json!({})).await.failed();
    assert!(
        failed.error.message.contains("never declared"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn without_a_platform_there_is_nobody_to_tell() {
    assert_eq!(update(Context::detached(), NoArguments {}).await, Ok(()));
    assert_eq!(unlock(Context::detached(), NoArguments {}).await, Ok(()));
}
