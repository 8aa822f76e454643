//! Webhooks: signed requests of others become events, each once.

use serde_json::json;

use crate::http::{Answer, post};
use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;

/// A push in the shape that GitHub documents, and its signature with the secret below.
const PUSH: &str = include_str!("push.json");
const SIGNATURE: &str = "sha256=faed12d47d5012605808369e5ecc3f4828eabbfecb1e0cb3cd2382a5a0a07009";
const SECRET: &str = "It hibernates";

const SOURCES: &str = "
apiVersion: dormouse.dev/v1alpha1
kind: EventSource
metadata: {name: github}
spec:
  github: {secret: {secretKeyRef: {name: github, key: webhook}}}
---
apiVersion: dormouse.dev/v1alpha1
kind: EventSource
metadata: {name: shop}
spec:
  webhook:
    proof: {token: {header: X-Shop-Token, secret: {value: hush}}}
    event:
      type: {prefix: com.example.order., pointer: /kind}
      source: https://shop.example/
      subject: {pointer: /order/id}
      id: {header: X-Delivery}
      data: /order
";

fn pool() -> Pool {
    let trigger = |ty: &str| json!({"filters": [{"prefix": {"type": ty}}]});
    let triggers = json!([trigger("com.github."), trigger("com.example.")]);
    Pool::fixture("fixture").with("triggers", triggers)
}

async fn platform() -> Platform {
    // A token: senders of webhooks know none, and need none.
    Setup::new([pool()])
        .token("platform's own")
        .file("pools/sources.yaml", SOURCES)
        .file("data/secrets/github/webhook", &format!("{SECRET}\n"))
        .start()
        .await
}

async fn deliver(platform: &Platform, signature: Option<&str>, body: &str) -> Answer {
    let mut headers = vec![
        ("content-type", "application/json"),
        ("x-github-event", "push"),
        ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
    ];
    headers.extend(signature.map(|signature| ("x-hub-signature-256", signature)));
    post(
        &platform.doors().coordinator,
        "/webhooks/github",
        &headers,
        body,
    )
    .await
}

#[tokio::test]
async fn a_push_reaches_the_function_once_even_when_it_is_delivered_again() {
    let platform = platform().await;
    let wrong = SIGNATURE.replace('a', "b");
    let changed = PUSH.replace("main", "evil");
    for (what, signature, body, status) in [
        ("no signature", None, PUSH, 401),
        ("a wrong signature", Some(wrong.as_str()), PUSH, 403),
        ("a changed body", Some(SIGNATURE), changed.as_str(), 403),
    ] {
        let answer = deliver(&platform, signature, body).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
    }
    for _ in 0..3 {
        let answer = deliver(&platform, Some(SIGNATURE), PUSH).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let done = platform.task_in("com.github.push", "completed").await;
    assert_eq!(platform.tasks("com.github.push").await.len(), 1, "{done}");

    let github = platform.source("github").await;
    assert_eq!(github["kind"], "github");
    assert!(
        github["lastError"]["detail"].to_string().contains("prove"),
        "{github}"
    );
    assert!(!platform.log().contains(SECRET));
}

#[tokio::test]
async fn any_webhook_becomes_an_event_by_its_mapping() {
    let platform = platform().await;
    let shop = async |token: &str, body: &str| {
        let headers = [("x-shop-token", token), ("x-delivery", "d-1")];
        post(
            &platform.doors().coordinator,
            "/webhooks/shop",
            &headers,
            body,
        )
        .await
    };
    let order = r#"{"kind": "paid", "order": {"id": 17, "total": 1.50}}"#;
    assert_eq!(shop("wrong", order).await.status, 403);
    let unmapped = shop("hush", r#"{"kind": "paid"}"#).await;
    assert_eq!(unmapped.status, 422, "{unmapped:?}");
    assert!(unmapped.body.contains("/order"), "{unmapped:?}");
    let taken = shop("hush", order).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    assert_eq!(taken.json()["id"], "d-1");
    platform
        .task_in("com.example.order.paid", "completed")
        .await;
}

#[tokio::test]
async fn a_source_file_takes_effect_when_it_is_saved() {
    let platform = platform().await;
    platform.write_file(
        "pools/sources.yaml",
        &SOURCES.replace("name: shop", "name: store"),
    );
    eventually("the other name", async || {
        let answer = post(&platform.doors().coordinator, "/webhooks/shop", &[], "").await;
        (answer.status == 404).then_some(())
    })
    .await;
    let broken = SOURCES.replace("github: {secret:", "github: {sekret:");
    platform.write_file("pools/sources.yaml", &broken);
    eventually("the complaint", async || {
        platform.log().contains("sekret").then_some(())
    })
    .await;
    // What is half written takes nothing away.
    assert_eq!(deliver(&platform, Some(SIGNATURE), PUSH).await.status, 202);
    platform.write_file("pools/sources.yaml", "# nothing any more\n");
    eventually("the end of all sources", async || {
        let answer = deliver(&platform, Some(SIGNATURE), PUSH).await;
        (answer.status == 404).then_some(())
    })
    .await;
}
