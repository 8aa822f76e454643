//! Replays that go another way than the rounds before.

use dormouse_contract::suspension::DIFFERENT_REPLAY;
use dormouse_contract::task::Outcome;
use dormouse_function::{Context, Function, NoArguments, SampleRequest, Settings, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Running, Task, start};

#[derive(Deserialize, JsonSchema)]
struct Sure {
    sure: bool,
}

async fn asks(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let answer = cx.elicit::<Sure>("sure", "Sure?").await?;
    Ok(answer
        .accepted()
        .is_some_and(|answer| answer.sure)
        .to_string())
}

async fn steps(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let number: u8 = cx.step("number", async |_| Ok(1)).await?;
    Ok(number.to_string())
}

async fn samples(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    // It cannot talk its way out.
    match cx.sample("sure", SampleRequest::new(1)).await {
        Ok(said) => Ok(said.text()),
        Err(error) => Ok(format!("never mind: {error}")),
    }
}

async fn nothing(_: Context, _: NoArguments) -> Result<String, ToolError> {
    Ok("nothing".to_owned())
}

async fn refuses(_: Context, _: NoArguments) -> Result<String, ToolError> {
    Err(ToolError::caller("no"))
}

async fn asks_another(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    cx.elicit::<Sure>("other", "Sure?").await?;
    Ok(String::new())
}

/// Both are asked; which answer is taken first is left to chance.
async fn either(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let answer = tokio::select! {
        answer = cx.elicit::<Sure>("sure", "Sure?") => answer,
        answer = cx.elicit::<Sure>("other", "Sure?") => answer,
    };
    Ok(format!(
        "{:?}",
        answer?.accepted().map(|answer| answer.sure)
    ))
}

async fn asks_twice(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    cx.elicit::<Sure>("sure", "Sure?").await?;
    cx.elicit::<Sure>("sure", "Really sure?").await?;
    Ok(String::new())
}

async fn function() -> Running {
    let function = Function::new("replaying")
        .tool("asks", "", asks)
        .tool("steps", "", steps)
        .tool("samples", "", samples)
        .tool("nothing", "", nothing)
        .tool("refuses", "", refuses)
        .tool("asks_another", "", asks_another)
        .tool("asks_twice", "", asks_twice)
        .tool("either", "", either);
    let settings = Settings {
        revision: Some("r2".to_owned()),
        ..Settings::default()
    };
    start(function, settings).await
}

fn sure(tool: &'static str) -> Task {
    let mut task = Task::of(tool).accepted("sure", json!({"sure": true}));
    task.revision = Some("r1");
    task
}

async fn differs(function: &Running, task: Task, named: &str) {
    let failed = task.run(function).await.failed();
    assert_eq!(
        (failed.error.code, failed.outcome),
        (DIFFERENT_REPLAY, Outcome::Failed)
    );
    let words = failed.error.message;
    for part in [named, "`r1`", "`r2`"] {
        assert!(words.contains(part), "{part}: {words}");
    }
}

#[tokio::test]
async fn a_replay_that_goes_the_same_way_is_fine() {
    let function = function().await;
    assert_eq!(sure("asks").run(&function).await.text(), "true");
    let stepped = Task::of("steps").stepped("number", json!(7));
    assert_eq!(stepped.run(&function).await.text(), "7");
    let both = sure("either").accepted("other", json!({"sure": true}));
    assert_eq!(both.run(&function).await.text(), "Some(true)");
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_a_difference() {
    let function = function().await;
    differs(&function, sure("nothing"), "`sure`").await;
    differs(&function, sure("refuses"), "`sure`").await;
    differs(&function, sure("asks_another"), "`sure`").await;
    let mut stepped = Task::of("nothing").stepped("number", json!(1));
    stepped.revision = Some("r1");
    differs(&function, stepped, "`number`").await;
}

#[tokio::test]
async fn an_answer_of_another_kind_is_a_difference() {
    let function = function().await;
    differs(&function, sure("samples"), "another kind").await;
    let mut stepped = Task::of("steps").stepped("number", Value::from("seven"));
    stepped.revision = Some("r1");
    differs(&function, stepped, "`number`").await;
}

#[tokio::test]
async fn one_name_is_asked_once() {
    let function = function().await;
    let failed = sure("asks_twice").run(&function).await.failed();
    assert!(failed.error.message.contains("two asks"), "{failed:?}");
}
