//! What is asked, of whom, and what becomes of the answers.

use dormouse_contract::suspension::MISSING_CAPABILITY;
use dormouse_contract::{Event, task};
use dormouse_function::{
    Answer, Context, Function, NoArguments, SampleRequest, Settings, ToolChoice, ToolError,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Running, Task, start};

#[derive(Deserialize, JsonSchema)]
struct Class {
    #[schemars(range(min = 1, max = 12))]
    grade: u8,
    language: Option<String>,
}

async fn lesson(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    Ok(match cx.elicit::<Class>("class", "Who is it for?").await? {
        Answer::Accepted(class) => format!("grade {}, {:?}", class.grade, class.language),
        Answer::Declined => "declined".to_owned(),
        Answer::Cancelled => "cancelled".to_owned(),
    })
}

async fn verbatim(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let params = json!({"message": "m", "requestedSchema": {"type": "object", "x-own": 1}});
    let answer = cx.elicit_with::<Value>("own", &params).await?;
    Ok(answer
        .accepted()
        .map_or_else(String::new, |content| content.to_string()))
}

async fn page(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let answer = cx
        .elicit_url("pay", "Pay here.", "https://pay.example/1")
        .await?;
    Ok(format!("{answer:?}"))
}

async fn sample(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let said = cx
        .sample("poem", SampleRequest::new(10).user("A poem."))
        .await?;
    Ok(format!("{} by {}", said.text(), said.model))
}

async fn tools(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let request = SampleRequest::new(10).tools(vec![json!({"name": "t"})], ToolChoice::Auto);
    Ok(cx.sample("tools", request).await?.text())
}

async fn roots(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    Ok(format!("{:?}", cx.roots("roots").await?))
}

async fn look(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let client = cx.client();
    Ok(format!(
        "{} {} {} {}",
        client.can_elicit(),
        client.can_elicit_url(),
        client.can_sample(),
        client.has_roots()
    ))
}

async fn fallback(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    match cx.roots("roots").await {
        Ok(roots) => Ok(format!("{} roots", roots.len())),
        Err(error) => Ok(format!("without roots: {error}")),
    }
}

async fn reaction(cx: Context, _: Event) -> Result<(), ToolError> {
    cx.elicit::<Class>("class", "Who is it for?").await?;
    Ok(())
}

async fn function() -> Running {
    let function = Function::new("asking")
        .tool("lesson", "", lesson)
        .tool("verbatim", "", verbatim)
        .tool("page", "", page)
        .tool("sample", "", sample)
        .tool("tools", "", tools)
        .tool("roots", "", roots)
        .tool("look", "", look)
        .tool("fallback", "", fallback)
        .on("org.example", reaction);
    let settings = Settings {
        revision: Some("r7".to_owned()),
        ..Settings::default()
    };
    start(function, settings).await
}

#[tokio::test]
async fn an_unanswered_ask_ends_the_round_with_its_request() {
    let function = function().await;
    let answer = Task::of("lesson").run(&function).await;
    let expected = json!({"class": {"method": "elicitation/create", "params": {
        "mode": "form", "message": "Who is it for?", "requestedSchema": {
            "type": "object", "properties": {
                "grade": {"type": "integer", "minimum": 1, "maximum": 12},
                "language": {"type": "string"},
            }, "required": ["grade"],
        },
    }}});
    assert_eq!(answer.asks(), expected);
    assert_eq!(answer.data()["revision"], "r7");
    let event = answer.event();
    assert_eq!(
        event.extension(task::ATTEMPT_TOKEN).as_deref(),
        Some("0123abcd")
    );

    let own = Task::of("verbatim").run(&function).await.asks();
    assert_eq!(own["own"]["params"]["requestedSchema"]["x-own"], 1);
    let page = Task::of("page").run(&function).await.asks();
    let expected = json!({"mode": "url", "message": "Pay here.", "url": "https://pay.example/1",
        "elicitationId": "t1/pay"});
    assert_eq!(page["pay"]["params"], expected);
    let poem = Task::of("sample").run(&function).await.asks();
    assert_eq!(poem["poem"]["method"], "sampling/createMessage");
    assert_eq!(poem["poem"]["params"]["maxTokens"], 10);
    let roots = Task::of("roots").run(&function).await.asks();
    assert_eq!(roots, json!({"roots": {"method": "roots/list"}}));
}

#[tokio::test]
async fn the_modern_revision_knows_no_elicitation_id() {
    let function = function().await;
    let mut task = Task::of("page");
    task.client["protocolVersion"] = "2026-07-28".into();
    let asks = task.run(&function).await.asks();
    assert_eq!(asks["pay"]["params"].get("elicitationId"), None);
}

#[tokio::test]
async fn answers_are_found_by_the_handler_that_runs_again() {
    let function = function().await;
    for (task, text) in [
        (
            Task::of("lesson").accepted("class", json!({"grade": 4})),
            "grade 4, None",
        ),
        (
            Task::of("lesson").answered("class", json!({"action": "decline"})),
            "declined",
        ),
        (
            Task::of("lesson").answered("class", json!({"action": "cancel"})),
            "cancelled",
        ),
        (
            Task::of("verbatim").accepted("own", json!({"a": 1})),
            r#"{"a":1}"#,
        ),
        (
            Task::of("page").answered("pay", json!({"action": "accept"})),
            "Accepted(())",
        ),
        (
            Task::of("sample").answered(
                "poem",
                json!({"role": "assistant", "model": "m",
                "content": {"type": "text", "text": "Rose"}}),
            ),
            "Rose by m",
        ),
        (
            Task::of("roots").answered("roots", json!({"roots": [{"uri": "file:///a"}]})),
            r#"[Root { uri: "file:///a", name: None }]"#,
        ),
    ] {
        assert_eq!(task.run(&function).await.text(), text);
    }
}

#[tokio::test]
async fn refusals_and_useless_answers_are_told_to_the_model() {
    let function = function().await;
    let mut refused = Task::of("lesson");
    let error = json!({"error": {"code": -1, "message": "User rejected"}});
    refused.answers.insert("class".into(), error);
    let out_of_range = Task::of("lesson").accepted("class", json!({"grade": 40}));
    let unknown = Task::of("lesson").answered("class", json!({"action": "shrug"}));
    for (task, said) in [
        (refused, "User rejected"),
        (out_of_range, "`grade`"),
        (unknown, "shrug"),
    ] {
        let result = task.run(&function).await.result();
        assert_eq!(result["isError"], true);
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(said) && text.contains("`class`"), "{text}");
    }
}

#[tokio::test]
async fn what_the_client_lacks_is_named_in_the_protocols_words() {
    let function = function().await;
    for (tool, capabilities, required) in [
        (
            "lesson",
            json!({"elicitation": {"url": {}}}),
            json!({"elicitation": {"form": {}}}),
        ),
        (
            "page",
            json!({"elicitation": {}}),
            json!({"elicitation": {"url": {}}}),
        ),
        ("sample", json!({}), json!({"sampling": {}})),
        (
            "tools",
            json!({"sampling": {}}),
            json!({"sampling": {"tools": {}}}),
        ),
        ("roots", Value::Null, json!({"roots": {}})),
    ] {
        let mut task = Task::of(tool);
        task.client["capabilities"] = capabilities;
        let failed = task.run(&function).await.failed();
        assert_eq!(
            (failed.error.code, failed.outcome),
            (MISSING_CAPABILITY, task::Outcome::Failed)
        );
        let data = failed.error.data.unwrap();
        assert_eq!(data, json!({"requiredCapabilities": required}));
    }
}

#[tokio::test]
async fn a_function_may_look_before_it_asks_or_do_without() {
    let function = function().await;
    assert_eq!(
        Task::of("look").run(&function).await.text(),
        "true true true true"
    );
    let mut without = Task::of("fallback");
    without.client = json!({});
    let text = without.run(&function).await.text();
    assert!(text.contains("does not support"), "{text}");
}

#[tokio::test]
async fn in_a_task_of_an_event_there_is_nobody_to_ask() {
    let function = function().await;
    let event = Event::new("p1", "/tests", "org.example.ping").with_json("{}");
    let answer = function.deliver(event).await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.words().contains("nobody to ask"),
        "{}",
        answer.words()
    );
}
