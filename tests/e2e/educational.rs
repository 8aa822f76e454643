//! What holds of the pool that ships, wherever its file is deployed: the tests of the laptop and
//! those of the cluster check the same.

use serde_json::json;

use crate::modern::Modern;
use crate::session::{Session, text};

/// Its file.
pub const FILE: &str = include_str!("../../config/pools/educational.yaml");

/// It offers its tools; the one that needs no model does its work, and the others say what they
/// need.
pub async fn does_its_work(session: &Session) {
    let listed = session.ask("tools/list", json!({})).await.expect("a list");
    let tools = listed["result"]["tools"].as_array().expect("tools");
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].clone()).collect();
    for name in [
        "curriculum-alignment",
        "content-generation",
        "assessment-design",
    ] {
        assert!(names.contains(&json!(name)), "{name} is in {names:?}");
    }

    let text_of_lesson = "Children add fractions with unlike denominators by drawing them.";
    let lesson = json!({"text": text_of_lesson});
    let aligned = session.call("curriculum-alignment", lesson).await;
    assert_ne!(aligned["isError"], true, "{aligned}");
    assert!(aligned.to_string().contains("fraction"), "{aligned}");

    // Without a model there is nothing to write with, and the answer says what to do.
    let topic = json!({"topic": "photosynthesis", "kind": "text"});
    let unwritten = session.call("content-generation", topic).await;
    assert_eq!(unwritten["isError"], true, "{unwritten}");
    assert!(text(&unwritten).contains("OPENAI_BASE_URL"), "{unwritten}");
}

/// It asks a person what is open, and writes with the model that the client lends. The client says
/// this of itself in `authorization`, if anything.
pub async fn asks_and_writes(address: &str, authorization: Option<&str>) {
    let topic = json!({"topic": "photosynthesis", "kind": "text"});
    let mut call = Modern::call("content-generation", topic).meta(
        "io.modelcontextprotocol/clientCapabilities",
        json!({"elicitation": {}, "sampling": {}}),
    );
    if let Some(authorization) = authorization {
        call = call.header("authorization", authorization);
    }
    let mut request = call.clone();
    let mut asked = Vec::new();
    let written = loop {
        let result = request.send(address).await.json()["result"].take();
        if result["resultType"] != "input_required" {
            break result;
        }
        let requests = result["inputRequests"].as_object().expect("requests");
        let (name, ask) = requests.iter().next().expect("one");
        let method = ask["method"].as_str().expect("a method").to_owned();
        let response = match method.as_str() {
            "elicitation/create" => json!({"action": "accept", "content": {"grade": "5"}}),
            _ => json!({"role": "assistant", "model": "theirs", "stopReason": "endTurn",
                        "content": {"type": "text", "text": "Leaves catch light."}}),
        };
        request = call
            .clone()
            .param("requestState", result["requestState"].clone())
            .param("inputResponses", json!({name: response}));
        asked.push(method);
    };
    assert_eq!(asked, ["elicitation/create", "sampling/createMessage"]);
    assert_ne!(written["isError"], true, "{written}");
    assert!(text(&written).contains("Leaves catch light."), "{written}");
}
