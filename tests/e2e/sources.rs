//! Pools that are built from source: those that ship, and one that is rebuilt when it is saved.

use serde_json::json;

use crate::educational;
use crate::platform::{Platform, Setup, eventually};
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
async fn the_pool_that_ships_asks_what_is_open_and_writes_with_the_clients_model() {
    let platform = ships().await;
    educational::asks_and_writes(platform.mcp(), None).await;
}

#[tokio::test]
async fn the_pool_that_ships_does_its_work() {
    let platform = ships().await;
    educational::does_its_work(&Session::open(platform.mcp()).await).await;
}

async fn ships() -> Platform {
    let setup = Setup::new([]);
    setup
        .file("pools/educational.yaml", educational::FILE)
        .start()
        .await
}
