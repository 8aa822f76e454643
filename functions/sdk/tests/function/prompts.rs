//! Prompts, and what completes their arguments.

use dormouse_contract::task::Outcome;
use dormouse_function::{
    Answer, Completion, Content, Context, Function, Icon, NoArguments, Prompt, PromptMessage, Role,
    Settings, Theme, ToolError, Typed,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Running, able, requested_by, start};

#[derive(Deserialize, JsonSchema)]
struct Review {
    /// Which language.
    language: String,
    lines: Option<u32>,
}

async fn review(_: Context, args: Review) -> Result<Vec<PromptMessage>, ToolError> {
    if args.language == "none" {
        return Err(ToolError::caller("there is no such language"));
    }
    let text = format!("{} in {:?} lines", args.language, args.lines);
    Ok(vec![
        PromptMessage::user(text),
        PromptMessage::assistant("Go on."),
        PromptMessage::new(Role::User, Content::resource("test://a", "text/plain", "x")),
    ])
}

async fn simple(_: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    Ok("simple")
}

async fn asking(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    match cx.elicit::<Review>("review", "Which?").await? {
        Answer::Accepted(review) => Ok(review.language),
        Answer::Declined | Answer::Cancelled => Ok("any".to_owned()),
    }
}

async fn languages(_: Context, typed: Typed) -> Result<Completion, ToolError> {
    Ok(typed.pick(["Python", "Rust", "Ruby"]))
}

async fn lines(_: Context, typed: Typed) -> Result<Vec<String>, ToolError> {
    let language = typed.arguments.get("language").cloned();
    Ok((0..150).map(|line| format!("{language:?}{line}")).collect())
}

fn prompts() -> Function {
    let review = Prompt::new("review", "Review code.", review)
        .title("Code review")
        .icon(
            Icon::new("data:,x")
                .mime_type("image/png")
                .size("48x48")
                .theme(Theme::Dark),
        )
        .complete("language", languages)
        .complete("lines", lines);
    Function::new("prompts")
        .with_prompt(review)
        .prompt("simple", "Simple.", simple)
        .prompt("asking", "Asks.", asking)
}

async fn function() -> Running {
    start(prompts(), Settings::default()).await
}

async fn get(function: &Running, name: &str, arguments: Value) -> crate::harness::Answer {
    let params = json!({"name": name, "arguments": arguments});
    function
        .deliver(requested_by(able(), "prompts/get", params))
        .await
}

async fn complete(function: &Running, argument: Value) -> Value {
    let reference = json!({"type": "ref/prompt", "name": "review"});
    let params = json!({"ref": reference, "argument": argument,
        "context": {"arguments": {"language": "Rust"}}});
    let event = requested_by(able(), "completion/complete", params);
    function.deliver(event).await.result()["completion"].take()
}

#[test]
fn the_manifest_has_them_as_mcp_does() {
    let manifest = serde_json::to_value(prompts().manifest().unwrap()).unwrap();
    let expected = json!({
        "name": "review", "title": "Code review", "description": "Review code.",
        "arguments": [
            {"name": "language", "description": "Which language.", "required": true},
            {"name": "lines", "required": false},
        ],
        "icons": [{"src": "data:,x", "mimeType": "image/png", "sizes": ["48x48"], "theme": "dark"}],
    });
    assert_eq!(manifest["prompts"][0], expected);
    let simple = json!({"name": "simple", "description": "Simple."});
    assert_eq!(manifest["prompts"][1], simple);
    let reference = json!({"type": "ref/prompt", "name": "review"});
    let completions = json!([
        {"ref": reference, "argument": "language"},
        {"ref": reference, "argument": "lines"},
    ]);
    assert_eq!(manifest["completions"], completions);
}

#[tokio::test]
async fn a_prompt_becomes_messages() {
    let function = function().await;
    let result = get(
        &function,
        "review",
        json!({"language": "Rust", "lines": "40"}),
    )
    .await;
    let messages = result.result()["messages"].take();
    assert_eq!(messages[0]["content"]["text"], "Rust in Some(40) lines");
    assert_eq!(messages[1]["role"], "assistant");
    assert_eq!(messages[2]["content"]["resource"]["uri"], "test://a");
    let simple = get(&function, "simple", json!({})).await.result();
    let message = json!({"role": "user", "content": {"type": "text", "text": "simple"}});
    assert_eq!(simple, json!({"messages": [message]}));
}

#[tokio::test]
async fn mistakes_are_errors_since_a_prompt_has_no_other_way_to_tell() {
    let function = function().await;
    for (name, arguments, said, outcome) in [
        ("review", json!({}), "language", Outcome::Failed),
        (
            "review",
            json!({"language": "none"}),
            "no such language",
            Outcome::Failed,
        ),
        ("review", json!({"language": 5}), "string", Outcome::NotRun),
        ("missing", json!({}), "no prompt `missing`", Outcome::NotRun),
    ] {
        let failed = get(&function, name, arguments).await.failed();
        assert_eq!(
            (failed.error.code, failed.outcome),
            (-32_602, outcome),
            "{failed:?}"
        );
        assert!(failed.error.message.contains(said), "{failed:?}");
    }
}

#[tokio::test]
async fn a_prompt_may_ask() {
    let function = function().await;
    assert_eq!(
        get(&function, "asking", json!({})).await.asked(),
        ["review"]
    );
    let mut event = requested_by(able(), "prompts/get", json!({"name": "asking"}));
    let data = json!({
        "method": "prompts/get", "params": {"name": "asking"}, "client": able(),
        "answers": {"review": {"result": {"action": "decline"}}},
    });
    event.data = Some(data.to_string().into());
    let result = function.deliver(event).await.result();
    assert_eq!(result["messages"][0]["content"]["text"], "any");
}

#[tokio::test]
async fn arguments_are_completed_and_never_too_many() {
    let function = function().await;
    let few = complete(&function, json!({"name": "language", "value": "ru"})).await;
    assert_eq!(
        few,
        json!({"values": ["Rust", "Ruby"], "total": 2, "hasMore": false})
    );
    let many = complete(&function, json!({"name": "lines", "value": ""})).await;
    assert_eq!(many["values"].as_array().unwrap().len(), 100);
    assert_eq!(many["values"][0], "Some(\"Rust\")0");
    assert_eq!(
        (&many["total"], &many["hasMore"]),
        (&json!(150), &json!(true))
    );
    let unknown = complete(&function, json!({"name": "other", "value": ""})).await;
    assert_eq!(unknown, json!({"values": []}));
}
