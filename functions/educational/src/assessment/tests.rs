//! The whole way of an assessment, with a scripted model.

use serde_json::{Value, json};

use super::*;
use crate::endpoint::{Endpoint, Reply};
use crate::model::{Model, Settings};

fn args(json: Value) -> Args {
    serde_json::from_value(json).unwrap()
}

fn question(level: &str) -> Value {
    json!({"level": level, "question": "Why?", "kind": "open", "options": null,
        "answer": "Because", "rationale": "It is so"})
}

fn answer(levels: &[&str]) -> String {
    let questions: Vec<_> = levels.iter().map(|level| question(level)).collect();
    json!({"questions": questions}).to_string()
}

async fn design(endpoint: &Endpoint) -> Result<Assessment, Failure> {
    let value = |name: &str| match name {
        "OPENAI_BASE_URL" => Some(endpoint.base_url().to_owned()),
        "OPENAI_MODEL" => Some("tiny".to_owned()),
        _ => None,
    };
    let model = Model::new(Settings::read(value));
    let args = args(json!({"topic": "Rain", "levels": {"remember": 1, "apply": 1}}));
    let plan = Plan::new(&args)?;
    plan.carry_out(model.ready().unwrap(), &mut |_: &str| {})
        .await
}

#[tokio::test]
async fn a_sound_answer_needs_one_request() {
    let endpoint = Endpoint::start([Reply::stream(&[&answer(&["apply", "remember"])])]).await;
    let assessment = design(&endpoint).await.unwrap();
    assert!(assessment.complete && assessment.notes.is_empty());
    assert_eq!(assessment.questions.len(), 2);
    assert_eq!(endpoint.requests().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_is_said_and_put_right_once() {
    let replies = [
        Reply::stream(&["Sure! ", &answer(&["apply"])]),
        Reply::stream(&[&answer(&["remember", "apply"])]),
    ];
    let endpoint = Endpoint::start(replies).await;
    assert!(design(&endpoint).await.unwrap().complete);
    let messages = endpoint.requests()[1].body["messages"].clone();
    assert_eq!(messages[2]["role"], "assistant");
    let told = messages[3]["content"].as_str().unwrap();
    assert!(told.contains("level `remember`"), "{told}");
}

#[tokio::test]
async fn counts_that_are_not_met_are_said() {
    let short = || Reply::stream(&[&answer(&["apply", "apply"])]);
    let endpoint = Endpoint::start([short(), short()]).await;
    let assessment = design(&endpoint).await.unwrap();
    assert!(!assessment.complete);
    assert_eq!(assessment.questions.len(), 1);
    assert!(
        assessment
            .summary
            .contains("`remember`: 1 asked for, 0 usable")
    );
}

#[tokio::test]
async fn a_first_answer_survives_a_failed_second_request() {
    let replies = [Reply::stream(&[&answer(&["apply"])]), Reply::new(503, "{}")];
    let endpoint = Endpoint::start(replies).await;
    let assessment = design(&endpoint).await.unwrap();
    assert_eq!(
        (assessment.questions.len(), assessment.complete),
        (1, false)
    );
}

#[tokio::test]
async fn two_useless_answers_are_a_failure_in_words() {
    let endpoint = Endpoint::start([Reply::stream(&["No."]), Reply::stream(&["No!"])]).await;
    let failure = design(&endpoint).await.unwrap_err();
    assert!(matches!(failure, Failure::Unusable(_)));
    assert!(failure.to_string().contains("no JSON object"));
    assert_eq!(endpoint.requests().len(), 2);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    for (json, said) in [
        (json!({}), "neither `topic` nor `text`"),
        (json!({"topic": " "}), "neither `topic` nor `text`"),
        (json!({"topic": "x", "levels": {}}), "at least one"),
        (
            json!({"topic": "x", "levels": {"apply": 1}, "total": 2}),
            "not the sum",
        ),
        (json!({"topic": "x", "total": 61}), "more than 60"),
    ] {
        let words = Plan::new(&args(json)).unwrap_err().to_string();
        assert!(words.contains(said), "{words}");
    }
}

#[test]
fn the_task_names_what_was_asked_for() {
    let plan = Plan::new(&args(json!({
        "text": "Rain falls.", "total": 7, "grade": "6-8", "format": "open", "language": "French",
    })));
    let plan = plan.unwrap();
    let task = plan.messages[1].content();
    for part in [
        "2 x `remember`",
        "1 x `create`",
        "All are open",
        "Grade: 6-8",
        "Language: French",
        "<text>\nRain falls.\n</text>",
    ] {
        assert!(task.contains(part), "{part}: {task}");
    }
}
