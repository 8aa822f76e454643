//! Functions that sleep while somebody thinks: the platform may die between question and answer.

use serde_json::{Value, json};

use crate::modern::Modern;
use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;
use crate::session::{Session, text};

const QUESTIONS: u32 = 5;

fn fixture() -> Pool {
    Pool::fixture("fixture").with("scaling", json!({"idle": "1s"}))
}

fn quiz(platform: &Platform) -> Value {
    let file = platform.folder().join("prepared");
    json!({"file": file, "questions": QUESTIONS})
}

fn prepared(platform: &Platform) -> usize {
    let file = platform.folder().join("prepared");
    std::fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .count()
}

fn ask(platform: &Platform) -> Modern {
    Modern::call("quiz", quiz(platform)).meta(
        "io.modelcontextprotocol/clientCapabilities",
        json!({"elicitation": {}}),
    )
}

fn grade(grade: u32) -> Value {
    json!({"action": "accept", "content": {"grade": grade}})
}

#[tokio::test]
async fn a_modern_call_survives_a_kill_before_every_answer() {
    let mut platform = Setup::new([fixture()]).fixed_ports().start().await;
    let mut answer = ask(&platform).send(platform.mcp()).await.json();
    for question in 1..=QUESTIONS {
        let result = &answer["result"];
        assert_eq!(result["resultType"], "input_required", "{answer}");
        let name = format!("grade-{question}");
        assert!(result["inputRequests"][&name].is_object(), "{answer}");
        platform.kill().await;
        platform.restart().await;
        let responses = json!({name: grade(question)});
        answer = ask(&platform)
            .param("requestState", result["requestState"].clone())
            .param("inputResponses", responses)
            .send(platform.mcp())
            .await
            .json();
    }
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    let told = text(&answer["result"]);
    assert!(told.ends_with("grades 1 2 3 4 5"), "{told}");
    assert_eq!(prepared(&platform), 1, "a step runs once");
    let task = platform.task_in("quiz", "completed").await;
    assert_eq!(task["round"], QUESTIONS + 1);
}

#[tokio::test]
async fn while_a_question_is_open_nothing_runs() {
    let platform = Setup::new([fixture()]).start().await;
    let answer = ask(&platform).send(platform.mcp()).await.json();
    assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
    eventually("the pool asleep", async || {
        let pool = platform.pool("fixture").await?;
        (pool["state"] == "asleep").then_some(())
    })
    .await;
    platform.task_in("quiz", "suspended").await;
}

#[tokio::test]
async fn a_legacy_client_takes_its_questions_over_by_its_key() {
    let mut platform = Setup::new([fixture()]).fixed_ports().start().await;
    let call = json!({"name": "quiz", "arguments": quiz(&platform),
                      "_meta": {"dev.dormouse/idempotencyKey": "monday"}});
    let session = Session::open_asking(platform.mcp()).await;
    let _unanswered = session.start("tools/call", call.clone());
    let asked = session.next().await.expect("a question");
    assert_eq!(asked["method"], "elicitation/create", "{asked}");
    platform.kill().await;
    platform.restart().await;

    let session = Session::open_asking(platform.mcp()).await;
    let (_, answer) = session.start("tools/call", call);
    for question in 1..=QUESTIONS {
        let asked = session.next().await.expect("a question");
        let reply = json!({"jsonrpc": "2.0", "id": asked["id"], "result": grade(question)});
        session.say(reply.to_string());
    }
    let answer = answer.await.expect("an answer");
    assert!(
        text(&answer["result"]).ends_with("grades 1 2 3 4 5"),
        "{answer}"
    );
    assert_eq!(prepared(&platform), 1, "a step runs once");
}

#[tokio::test]
async fn who_cannot_be_asked_is_told_so_in_the_way_of_its_era() {
    let platform = Setup::new([fixture()]).start().await;
    let modern = Modern::call("quiz", quiz(&platform));
    let refused = modern.send(platform.mcp()).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let refused = refused.json();
    assert_eq!(refused["error"]["code"], -32_021, "{refused}");
    let required = &refused["error"]["data"]["requiredCapabilities"];
    assert!(required["elicitation"].is_object(), "{refused}");

    let session = Session::open(platform.mcp()).await;
    let result = session.call("quiz", quiz(&platform)).await;
    assert_eq!(result["isError"], true, "{result}");
    assert!(text(&result).contains("elicitation"), "{result}");
}
