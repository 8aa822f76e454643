//! Prompts, resources and completions, served by functions as tools are.

use http::StatusCode;
use serde_json::{Value, json};

use crate::http_client::{modern, open_session, post, post_modern, request};
use crate::platform::{Platform, library, pool};
use crate::socket_client::open;

/// A platform whose catalogue holds two libraries and a pool of tools.
async fn platform() -> Platform {
    let platform = Platform::start().await;
    let pools = vec![library("books"), library("more"), pool("tools", &["echo"])];
    platform.register(pools).await;
    while platform.gateway.tools().len() != 1 {
        tokio::task::yield_now().await;
    }
    platform
}

#[tokio::test]
async fn everything_is_listed_in_both_eras() {
    let platform = platform().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    for (method, member, names) in [
        (
            "prompts/list",
            "prompts",
            json!(["greet", "broken", "more__greet", "more__broken"]),
        ),
        (
            "resources/list",
            "resources",
            json!(["fixed", "recent-tasks"]),
        ),
        (
            "resources/templates/list",
            "resourceTemplates",
            json!(["item", "events"]),
        ),
        ("tools/list", "tools", json!(["echo"])),
    ] {
        let legacy = socket.ask(&request(1, method, json!({}))).await["result"].take();
        let modern = post_modern(platform.address, &modern(1, method, json!({}))).await;
        let modern = modern.json().await["result"].take();
        for result in [&legacy, &modern] {
            let listed = result[member].as_array().unwrap();
            let listed: Vec<&Value> = listed.iter().map(|one| &one["name"]).collect();
            assert_eq!(json!(listed), names, "{method}");
        }
        assert!(legacy.get("resultType").is_none());
        assert_eq!(modern["resultType"], "complete");
        assert!(modern["ttlMs"].is_u64() && modern["cacheScope"].is_string());
    }
}

#[tokio::test]
async fn each_is_a_task_of_its_function() {
    let platform = platform().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let mut ask = async |method, params: Value| {
        let legacy = socket.ask(&request(1, method, params.clone())).await;
        let modern = post_modern(platform.address, &modern(1, method, params)).await;
        assert_eq!(modern.status, StatusCode::OK);
        (legacy, modern.answer().await)
    };
    let got = json!({"name":"more__greet","arguments":{"whom":"you"}});
    let (legacy, modern) = ask("prompts/get", got).await;
    let text = &legacy["result"]["messages"][0]["content"]["text"];
    assert_eq!(text, r#"{"whom":"you"}"#);
    assert_eq!(modern["result"]["resultType"], "complete");
    assert!(modern["result"].get("ttlMs").is_none());

    for uri in ["test://fixed", "test://item/7"] {
        let (legacy, modern) = ask("resources/read", json!({"uri":uri})).await;
        assert_eq!(legacy["result"]["contents"][0]["uri"], uri);
        assert_eq!(
            (&modern["result"]["ttlMs"], &modern["result"]["cacheScope"]),
            (&json!(0), &json!("private"))
        );
    }

    let complete = json!({"ref":{"type":"ref/prompt","name":"more__greet"},
                          "argument":{"name":"whom","value":"y"}});
    let (legacy, modern) = ask("completion/complete", complete).await;
    assert_eq!(legacy["result"]["completion"]["values"], json!(["one"]));
    assert_eq!(modern["result"]["resultType"], "complete");

    let seen = platform.functions.seen.lock().unwrap().clone();
    assert_eq!(seen[0]["params"]["name"], "greet");
    assert_eq!(seen[6]["params"]["ref"]["name"], "greet");
    assert_eq!(seen[7]["client"]["protocolVersion"], "2026-07-28");
}

#[tokio::test]
async fn what_is_not_there_or_fails_is_an_error() {
    let platform = platform().await;
    let id = open_session(platform.address, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    for (method, params, legacy_code, modern_code) in [
        (
            "resources/read",
            json!({"uri":"test://nothing"}),
            -32_002,
            -32_602,
        ),
        (
            "resources/read",
            json!({"uri":"test://item/gone"}),
            -32_002,
            -32_602,
        ),
        ("prompts/get", json!({"name":"nothing"}), -32_602, -32_602),
        ("prompts/get", json!({"name":"greet"}), -32_602, -32_602),
        ("prompts/get", json!({"name":"broken"}), -32_603, -32_603),
        ("completion/complete", json!({}), -32_602, -32_602),
    ] {
        let legacy = request(1, method, params.clone());
        let legacy = post(platform.address, &session, &legacy)
            .await
            .answer()
            .await;
        assert_eq!(legacy["error"]["code"], legacy_code, "{method} {params}");
        let modern = modern(1, method, params.clone());
        let modern = post_modern(platform.address, &modern).await.answer().await;
        assert_eq!(modern["error"]["code"], modern_code, "{method} {params}");
        if params["uri"] == "test://nothing" {
            assert_eq!(modern["error"]["message"], "Resource not found");
            assert_eq!(modern["error"]["data"], json!({"uri":"test://nothing"}));
        }
        if params["name"] == "broken" {
            assert_eq!(modern["error"]["data"]["dev.dormouse/outcome"], "unknown");
        }
    }
}

#[tokio::test]
async fn the_name_header_mirrors_names_and_uris() {
    let platform = platform().await;
    let read = modern(1, "resources/read", json!({"uri":"test://fixed"}));
    let send = async |name| {
        let headers = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "resources/read"),
            ("mcp-name", name),
        ];
        post(platform.address, &headers, &read).await.json().await
    };
    assert!(send("test://fixed").await["result"].is_object());
    assert_eq!(send("test://other").await["error"]["code"], -32_020);
}
