//! Pools that are built from source: those that ship, and one that is rebuilt when it is saved.

use serde_json::json;

use crate::modern::Modern;
use crate::platform::{Setup, eventually};
use crate::pools::Pool;
use crate::session::{Session, text};

const SOURCE: &str = include_str!("../functions/plain.rs");
const CARGO: &str = r#"
[package]
name = "plain"
version = "0.1.0"
edition = "2024"

[workspace]
"#;

#[tokio::test]
async fn saving_a_source_file_swaps_the_revision() {
    let platform = Setup::new([Pool::cargo("plain", "plain")])
        .file("Cargo.toml", CARGO)
        .file("src/main.rs", SOURCE)
        .building()
        .start()
        .await;
    let session = Session::open(platform.mcp()).await;
    assert_eq!(text(&session.call("say", json!({})).await), "first");

    platform.write_file("src/main.rs", &SOURCE.replace("first", "second"));
    eventually("the rebuilt function", async || {
        let said = session.call("say", json!({})).await;
        (text(&said) == "second").then_some(())
    })
    .await;

    // What does not compile replaces nothing.
    platform.write_file("src/main.rs", "fn main() { this is no Rust }");
    eventually("the compiler to complain", async || {
        platform.log().contains("could not compile").then_some(())
    })
    .await;
    assert_eq!(text(&session.call("say", json!({})).await), "second");
}

const EDUCATIONAL: &str = include_str!("../../config/pools/educational.yaml");

#[tokio::test]
async fn the_pool_that_ships_asks_what_is_open_and_writes_with_the_clients_model() {
    let platform = Setup::new([])
        .file("pools/educational.yaml", EDUCATIONAL)
        .start()
        .await;
    let topic = json!({"topic": "photosynthesis", "kind": "text"});
    let call = Modern::call("content-generation", topic).meta(
        "io.modelcontextprotocol/clientCapabilities",
        json!({"elicitation": {}, "sampling": {}}),
    );
    let mut request = call.clone();
    let mut asked = Vec::new();
    let written = loop {
        let result = request.send(platform.mcp()).await.json()["result"].take();
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

#[tokio::test]
async fn the_pool_that_ships_does_its_work() {
    let platform = Setup::new([])
        .file("pools/educational.yaml", EDUCATIONAL)
        .start()
        .await;
    let session = Session::open(platform.mcp()).await;
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
