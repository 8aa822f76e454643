//! Pools that are built from source: those that ship, and one that is rebuilt when it is saved.

use serde_json::json;

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

#[tokio::test]
async fn the_pool_that_ships_does_its_work() {
    const FILE: &str = include_str!("../../config/pools/educational.yaml");
    let platform = Setup::new([])
        .file("pools/educational.yaml", FILE)
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
