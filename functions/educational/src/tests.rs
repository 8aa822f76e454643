//! The function as the platform uses it: over HTTP, with a scripted model behind it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::endpoint::{End, Endpoint, Reply};
use crate::serving::{Serving, text_of, with_model};

#[test]
fn the_manifest_tells_what_the_platform_needs() {
    let json = serde_json::to_vec(&crate::function(|_| None).manifest().unwrap()).unwrap();
    let manifest = dormouse_contract::Manifest::parse(&json).unwrap();
    assert_eq!(manifest.agent_type, "educational");
    let tools = manifest.parsed_tools().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "curriculum-alignment",
            "content-generation",
            "assessment-design"
        ]
    );
    assert!(tools.iter().all(|tool| tool.annotations.read_only_hint));
    let described: Vec<Value> = manifest
        .tools
        .iter()
        .map(|tool| serde_json::from_str(tool.get()).unwrap())
        .collect();
    assert_eq!(described[0]["annotations"]["idempotentHint"], true);
    for (index, members) in [
        (0, vec!["matches", "considered"]),
        (2, vec!["questions", "complete"]),
    ] {
        let properties = &described[index]["outputSchema"]["properties"];
        assert!(
            members.iter().all(|name| properties[name].is_object()),
            "{properties}"
        );
    }
    assert_eq!(
        described[0]["inputSchema"]["required"],
        json!(["text"]),
        "everything else has a default"
    );
}

#[tokio::test]
async fn alignment_works_without_a_model_and_reads_files() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ours.csv"), "id;text\nX1;Bake bread\n").unwrap();
    let dir = dir.path().to_str().unwrap().to_owned();
    let serving = Serving::start(vec![("STANDARDS_DIR", dir)]).await;
    let tool = "curriculum-alignment";

    let found = serving.call(tool, json!({"text": "The water cycle"})).await;
    let matches = &found["structuredContent"]["matches"];
    assert_eq!(matches[0]["id"], "SC.5.1");
    assert_eq!(matches[0]["rank"], 1);

    let arguments = json!({"text": "Baking", "standardsFile": "ours.csv"});
    let found = serving.call(tool, arguments).await;
    let expected = json!(["Baking"]);
    assert_eq!(found["structuredContent"]["matches"][0]["terms"], expected);

    for (arguments, said) in [
        (
            json!({"text": "x", "standardsFile": "none.csv"}),
            "none.csv",
        ),
        (json!({"text": "x", "limit": 0}), "limit"),
        (json!({}), "text"),
    ] {
        let refused = serving.call(tool, arguments).await;
        assert_eq!(refused["isError"], true);
        assert!(text_of(&refused).contains(said), "{refused}");
    }
}

#[tokio::test]
async fn without_a_model_the_answer_says_how_to_configure_one() {
    let serving = Serving::start(vec![]).await;
    for (tool, arguments) in [
        (
            "content-generation",
            json!({"topic": "Rain", "kind": "text"}),
        ),
        ("assessment-design", json!({"topic": "Rain"})),
    ] {
        let answer = serving.call(tool, arguments).await;
        assert_eq!(answer["isError"], true);
        for part in [tool, "OPENAI_BASE_URL", "DATA_DIR/secrets/openai/key"] {
            assert!(text_of(&answer).contains(part), "{answer}");
        }
    }
}

#[tokio::test]
async fn content_is_generated_with_progress() {
    let line = "Rain falls from the clouds on field and wood. ";
    let endpoint = Endpoint::start([Reply::stream(&[line, line, line])]).await;
    let serving = Serving::start(with_model(&endpoint)).await;
    let arguments = json!({"topic": "Rain", "kind": "text", "grade": 3});
    let result = serving.call("content-generation", arguments).await;
    assert_eq!(text_of(&result), line.repeat(3));
    assert_eq!(endpoint.requests()[0].authorization, None);

    let told = serving.told.lock().unwrap().clone();
    let last = &told.last().unwrap()["notification"];
    assert_eq!(last["method"], "notifications/progress");
    assert_eq!(last["params"]["progress"].as_f64(), Some(138.0));
    assert_eq!(last["params"]["message"], "138 characters written");
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_request_to_the_model() {
    let endpoint = Endpoint::start([Reply::open(&["Rain"]).ending(End::Hang)]).await;
    let serving = Arc::new(Serving::start(with_model(&endpoint)).await);
    let caller = tokio::spawn({
        let serving = Arc::clone(&serving);
        async move {
            let arguments = json!({"topic": "Rain", "kind": "text"});
            serving.call("content-generation", arguments).await
        }
    });
    endpoint.arrived().await;
    caller.abort();
    endpoint.hung_up().await;
}

#[tokio::test]
async fn what_passes_is_a_failure_and_what_does_not_is_an_answer() {
    let replies = [
        Reply::new(429, r#"{"error":"slow down"}"#).header("retry-after", "7"),
        Reply::open(&["Ra"]).ending(End::Cut),
        Reply::new(401, "{}"),
    ];
    let endpoint = Endpoint::start(replies).await;
    let serving = Serving::start(with_model(&endpoint)).await;
    let call = async || {
        let arguments = json!({"topic": "Rain", "kind": "exercise"});
        serving.deliver("content-generation", arguments).await
    };
    for said in ["slow down", "broke off after 2 characters"] {
        let (status, data) = call().await;
        assert_eq!(status, 503, "{data}");
        assert!(data.to_string().contains(said), "{data}");
    }
    let (status, data) = call().await;
    assert_eq!((status, &data["result"]["isError"]), (200, &json!(true)));
    assert!(text_of(&data["result"]).contains("OPENAI_API_KEY"));
}

#[tokio::test]
async fn assessments_come_as_structured_data() {
    let written = json!({"questions": [{
        "level": "analyse", "question": "Which causes which?", "kind": "multiple-choice",
        "options": ["rain", "clouds"], "answer": "B", "rationale": "Clouds bring rain.",
    }]});
    let fenced = format!("```json\n{written}\n```");
    let endpoint = Endpoint::start([Reply::stream(&[&fenced])]).await;
    let serving = Serving::start(with_model(&endpoint)).await;
    let arguments = json!({"topic": "Rain", "levels": {"analyze": 1}, "format": "multiple-choice"});
    let result = serving.call("assessment-design", arguments).await;
    assert_eq!(
        result["structuredContent"],
        json!({
            "summary": "1 question, as many of each level as asked for.",
            "questions": [{
                "level": "analyze", "question": "Which causes which?", "kind": "multiple-choice",
                "options": ["rain", "clouds"], "answer": "clouds",
                "rationale": "Clouds bring rain.",
            }],
            "complete": true,
        })
    );
}
