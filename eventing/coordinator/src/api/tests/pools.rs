//! Pools: what they offer, how they are, their manifest.

use super::*;

#[tokio::test]
async fn pools_show_what_they_offer_and_how_they_are() {
    let mut stage = Stage::open(10).await;
    let _running = stage.claim().await;
    let other = with(&[("ce-id", "e2")]);
    stage.post("/events", &other, "{}").await;
    // The numbers are published after the answer.
    let published = async {
        while stage.broker.depths() != [("reactive".into(), 1, 1)] {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, published).await.unwrap();
    let page = stage.get("/pools").await.json();
    let pool = stage.get("/pools/reactive").await.json();
    assert_eq!(page["pools"], json!([pool]));
    assert_eq!(pool["state"], "asleep");
    assert_eq!(pool["tools"], json!([{"name": "t", "title": "T"}]));
    assert_eq!((&pool["running"], &pool["queued"]), (&json!(1), &json!(1)));
    assert_eq!(pool["prompts"], json!([{"name": "p"}]));
    assert_eq!(pool["resources"], json!([{"uri": "x://1", "name": "one"}]));
    let template = json!({"uriTemplate": "x://{id}", "name": "many"});
    assert_eq!(pool["resourceTemplates"], json!([template]));
    let trigger = &pool["triggers"][0];
    assert_eq!(trigger["name"], "0");
    assert_eq!(trigger["delivery"]["repeatable"], true);
    assert_eq!(
        pool["triggers"][0]["filters"][0]["exact"]["type"],
        "com.github.push"
    );
}

#[tokio::test]
async fn a_manifest_is_shown_to_the_letter() {
    let stage = Stage::open(10).await;
    let answer = stage.get("/pools/reactive/manifest").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.contains(r#"{"name":"t","title":"T","inputSchema":{"properties":{"key":{"writeOnly":true}}}, "x":1.0}"#));
}
