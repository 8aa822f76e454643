//! Calls that ask: a person for what is open, the client's model where no endpoint is configured.

use serde_json::{Value, json};

use crate::endpoint::{Endpoint, Reply};
use crate::serving::{Serving, text_of, with_model};

const CONTENT: &str = "content-generation";
const ASSESSMENT: &str = "assessment-design";

fn able() -> Value {
    json!({"elicitation": {}, "sampling": {}})
}

fn accepted(content: Value) -> Value {
    json!({"result": {"action": "accept", "content": content}})
}

fn said(text: &str) -> Value {
    let content = json!({"type": "text", "text": text});
    json!({"result": {"role": "assistant", "model": "m", "stopReason": "endTurn", "content": content}})
}

fn topic() -> Value {
    json!({"topic": "Rain", "kind": "text"})
}

/// The one ask of a suspended round.
fn ask<'a>(data: &'a Value, name: &str) -> &'a Value {
    let asks = data["asks"].as_object().unwrap();
    assert_eq!(asks.keys().collect::<Vec<_>>(), [name], "{data}");
    &asks[name]
}

#[tokio::test]
async fn what_is_open_is_asked_and_then_the_clients_model_writes() {
    let serving = Serving::start(vec![]).await;
    let round = async |answers| {
        serving
            .deliver_round(CONTENT, topic(), able(), answers)
            .await
            .1
    };

    let first = round(json!({})).await;
    let wishes = ask(&first, "wishes");
    assert_eq!(wishes["method"], "elicitation/create");
    let fields = &wishes["params"]["requestedSchema"]["properties"];
    assert_eq!(fields["amount"]["default"], 400);
    assert!(
        fields["grade"].is_object() && fields["language"].is_object(),
        "{fields}"
    );

    let wished = accepted(json!({"grade": "6-8", "amount": 900, "language": "German"}));
    let second = round(json!({"wishes": wished})).await;
    let draft = ask(&second, "draft-1");
    assert_eq!(draft["method"], "sampling/createMessage");
    assert_eq!(draft["params"]["maxTokens"], 2_300);
    let task = draft["params"]["messages"][0]["content"]["text"]
        .as_str()
        .unwrap();
    for part in [
        "Grade: 6-8",
        "about 900 words",
        "Language: German",
        "Topic: Rain",
    ] {
        assert!(task.contains(part), "{part}: {task}");
    }

    let third = round(json!({"wishes": wished, "draft-1": said("Rain falls.")})).await;
    assert_eq!(text_of(&third["result"]), "Rain falls.");
}

#[tokio::test]
async fn who_declines_gets_defaults() {
    let serving = Serving::start(vec![]).await;
    for answer in [
        json!({"result": {"action": "decline"}}),
        json!({"result": {"action": "cancel"}}),
        json!({"error": {"code": -1, "message": "no"}}),
        accepted(json!({"amount": "many"})),
    ] {
        let answers = json!({"wishes": answer});
        let (_, data) = serving
            .deliver_round(CONTENT, topic(), able(), answers)
            .await;
        let task = &ask(&data, "draft-1")["params"]["messages"][0]["content"]["text"];
        let task = task.as_str().unwrap();
        for part in [
            "write for a general class",
            "about 400 words",
            "that of the topic",
        ] {
            assert!(task.contains(part), "{part}: {task}");
        }
    }
}

#[tokio::test]
async fn nothing_is_asked_that_was_said_or_that_the_client_cannot_show() {
    let serving = Serving::start(vec![]).await;
    let said_all = json!({"topic": "Rain", "kind": "text", "grade": 4, "length": 100,
        "language": "en"});
    let (_, data) = serving
        .deliver_round(CONTENT, said_all, able(), json!({}))
        .await;
    ask(&data, "draft-1");
    let cannot = json!({"sampling": {}});
    let (_, data) = serving
        .deliver_round(CONTENT, topic(), cannot, json!({}))
        .await;
    ask(&data, "draft-1");
    let no_model = json!({"elicitation": {}});
    let (_, data) = serving
        .deliver_round(CONTENT, topic(), no_model, json!({}))
        .await;
    assert!(
        text_of(&data["result"]).contains("OPENAI_BASE_URL"),
        "{data}"
    );
}

#[tokio::test]
async fn a_configured_endpoint_writes_even_if_the_client_could() {
    let endpoint = Endpoint::start([Reply::stream(&["Rain"])]).await;
    let serving = Serving::start(with_model(&endpoint)).await;
    let (_, data) = serving
        .deliver_round(CONTENT, topic(), able(), json!({}))
        .await;
    ask(&data, "wishes");
    assert!(
        endpoint.requests().is_empty(),
        "nothing is written before the answer"
    );
    let answers = json!({"wishes": accepted(json!({"language": "Czech"}))});
    let (_, data) = serving
        .deliver_round(CONTENT, topic(), able(), answers)
        .await;
    assert_eq!(text_of(&data["result"]), "Rain");
    let task = endpoint.requests()[0].body["messages"][1]["content"].clone();
    assert!(task.as_str().unwrap().contains("Language: Czech"), "{task}");
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_told_not_worked_around() {
    let wrong = vec![
        ("OPENAI_BASE_URL", "nowhere".to_owned()),
        ("OPENAI_MODEL", "m".to_owned()),
    ];
    let serving = Serving::start(wrong).await;
    let (_, data) = serving
        .deliver_round(CONTENT, topic(), able(), json!({}))
        .await;
    assert!(
        text_of(&data["result"]).contains("OPENAI_BASE_URL"),
        "{data}"
    );
}

#[tokio::test]
async fn an_assessment_of_the_clients_model_is_checked_and_put_right_once() {
    let serving = Serving::start(vec![]).await;
    let arguments = json!({"topic": "Rain", "levels": {"apply": 1}});
    let round = async |answers| {
        serving
            .deliver_round(ASSESSMENT, arguments.clone(), able(), answers)
            .await
            .1
    };
    let first = round(json!({})).await;
    let fields = &ask(&first, "wishes")["params"]["requestedSchema"]["properties"];
    assert_eq!(fields.get("amount"), None, "the levels say how many");

    let mut answers = json!({"wishes": accepted(json!({"grade": "5"}))});
    let second = round(answers.clone()).await;
    let draft = ask(&second, "draft-1");
    assert_eq!(draft["params"]["maxTokens"], 1_300);
    assert!(draft["params"]["systemPrompt"].is_string());

    answers["draft-1"] = said("Sure!");
    let third = round(answers.clone()).await;
    let messages = &ask(&third, "draft-2")["params"]["messages"];
    assert_eq!(messages[1]["role"], "assistant");

    let question = json!({"level": "apply", "question": "Why?", "kind": "open", "options": null,
        "answer": "Because", "rationale": "It is so"});
    answers["draft-2"] = said(&json!({"questions": [question]}).to_string());
    let last = round(answers).await;
    assert_eq!(last["result"]["structuredContent"]["complete"], true);
}

#[tokio::test]
async fn a_client_that_refuses_to_write_is_told_so() {
    let serving = Serving::start(vec![]).await;
    let refused = json!({"error": {"code": -1, "message": "User rejected sampling"}});
    let answers = json!({"wishes": {"result": {"action": "decline"}}, "draft-1": refused});
    let (status, data) = serving
        .deliver_round(CONTENT, topic(), able(), answers)
        .await;
    assert_eq!((status, &data["result"]["isError"]), (200, &json!(true)));
    assert!(
        text_of(&data["result"]).contains("User rejected sampling"),
        "{data}"
    );
}
