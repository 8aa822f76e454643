//! Webhooks at their door, and the list of event sources.

use dormouse_source::{
    Kind as SourceKind, Mapping, Proof, Reading, Schedule, Secret, Source, Webhook,
};

use super::*;
use crate::SourceDeclaration;

/// A push as GitHub sends it, signed with the secret `hush`.
const BODY: &str = r#"{"ref":"refs/heads/main","repository":{"url":"https://github.com/a/b"}}"#;
const SIGNATURE: &str = "sha256=5cef7c3bef716c62e6d5ceb053a97056e93add7e8c4ce1353daf78afe25348ae";

fn declare(name: &str, word: &'static str, kind: SourceKind) -> SourceDeclaration {
    let name = name.to_owned();
    SourceDeclaration {
        name: name.clone(),
        word,
        source: Ok(Source { name, kind }),
    }
}

fn webhook(proof: Proof, reading: Reading) -> SourceKind {
    SourceKind::Webhook(Webhook { proof, reading })
}

async fn stage() -> Stage {
    let stage = Stage::open(10).await;
    let sources = stage.coordinator.sources();
    let proof = Proof::github(Secret::new("hush"));
    sources.put(declare("github", "github", webhook(proof, Reading::Github)));
    let mapping: Mapping = serde_json::from_str(
        r#"{"type": {"pointer": "/kind"}, "source": "/shop", "id": {"header": "x-id"}}"#,
    )
    .unwrap();
    let proof = Proof::Bearer {
        secret: Secret::new("hush"),
    };
    let reading = Reading::Mapped(Box::new(mapping));
    sources.put(declare("shop", "webhook", webhook(proof, reading)));
    let schedule = Box::new(Schedule::hourly("t", "/s"));
    sources.put(declare(
        "hourly",
        "schedule",
        SourceKind::Schedule(schedule),
    ));
    sources.put(SourceDeclaration {
        name: "broken".to_owned(),
        word: "github",
        source: Err("variable SECRET is not set".to_owned()),
    });
    stage
}

fn delivery(signature: &str) -> Vec<(&str, &str)> {
    vec![
        ("content-type", "application/json"),
        ("x-github-event", "push"),
        ("x-github-delivery", "d-1"),
        ("x-hub-signature-256", signature),
    ]
}

impl Stage {
    /// Posts without the platform's token, as senders of webhooks do.
    async fn deliver(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = request(Method::POST, path, &[], body);
        request.headers_mut().remove("authorization");
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        self.ask(request).await
    }
}

#[tokio::test]
async fn a_signed_delivery_becomes_an_event_without_the_platforms_token() {
    let mut stage = stage().await;
    let answer = stage
        .deliver("/webhooks/github", &delivery(SIGNATURE), BODY)
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.body);
    let receipt: Receipt = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((receipt.id.as_str(), receipt.takers.len()), ("d-1", 1));
    let claim = stage.claims.recv().await.unwrap();
    assert_eq!(&*claim.capability, "com.github.push");

    let page = stage.get("/sources").await.json();
    let github = page["sources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|source| source["name"] == "github")
        .unwrap();
    assert_eq!(github["path"], "/webhooks/github");
    assert_eq!(
        (&github["events"], &github["lastEvent"]["id"]),
        (&json!(1), &json!("d-1"))
    );
}

#[tokio::test]
async fn whoever_proves_nothing_is_let_in_nowhere() {
    let stage = stage().await;
    let wrong = SIGNATURE.replace('1', "2");
    let mut unsigned = delivery(SIGNATURE);
    unsigned.pop();
    let mut strange = delivery(SIGNATURE);
    strange.push(("host", "evil.example"));
    for (path, headers, body, status, named) in [
        (
            "/webhooks/github",
            &delivery(&wrong),
            BODY,
            403,
            "x-hub-signature-256",
        ),
        // What is no JSON is not looked at before its signature.
        (
            "/webhooks/github",
            &delivery(SIGNATURE),
            "{",
            403,
            "x-hub-signature-256",
        ),
        (
            "/webhooks/github",
            &unsigned,
            BODY,
            401,
            "x-hub-signature-256",
        ),
        ("/webhooks/github", &strange, BODY, 403, "Host"),
        (
            "/webhooks/gitlab",
            &delivery(SIGNATURE),
            BODY,
            404,
            "gitlab",
        ),
        (
            "/webhooks/hourly",
            &delivery(SIGNATURE),
            BODY,
            404,
            "hourly",
        ),
        (
            "/webhooks/broken",
            &delivery(SIGNATURE),
            BODY,
            503,
            "SECRET",
        ),
        (
            "/webhooks/shop",
            &vec![("x-id", "1")],
            BODY,
            401,
            "authorization",
        ),
        (
            "/webhooks/shop",
            &vec![("authorization", "Bearer x")],
            BODY,
            403,
            "authorization",
        ),
    ] {
        let answer = stage.deliver(path, headers, body).await;
        let detail = answer.json()["detail"].to_string();
        assert_eq!(answer.status, status, "{path}: {detail}");
        assert!(detail.contains(named), "{path}: {detail}");
        assert_eq!(status == 401, !answer.header("www-authenticate").is_empty());
    }
    let mut stranger = request(Method::GET, "/sources", &[], "");
    stranger.headers_mut().remove("authorization");
    assert_eq!(stage.ask(stranger).await.status, StatusCode::UNAUTHORIZED);
    let page = stage.get("/sources").await.json().to_string();
    assert!(
        page.contains("does not prove") && !page.contains("hush"),
        "{page}"
    );
}

#[tokio::test]
async fn what_a_mapping_misses_is_said() {
    let stage = stage().await;
    let proof = ("authorization", "Bearer hush");
    for (headers, body, status, named) in [
        (
            vec![proof, ("x-id", "1")],
            r#"{"kind": "org.example.paid"}"#,
            202,
            "0 pools",
        ),
        (vec![proof, ("x-id", "1")], r#"{"king": 1}"#, 422, "`/kind`"),
        (vec![proof], r#"{"kind": "paid"}"#, 422, "`x-id`"),
        (
            vec![proof, ("x-id", "1")],
            r#"{"kind": "dev.dormouse.x"}"#,
            422,
            "dev.dormouse.x",
        ),
        (vec![proof, ("x-id", "1")], "kind=paid", 400, "JSON"),
    ] {
        let answer = stage.deliver("/webhooks/shop", &headers, body).await;
        let detail = answer.json()["detail"].to_string();
        assert_eq!(answer.status, status, "{detail}");
        assert!(detail.contains(named), "{detail}");
    }
    let large = "x".repeat(BODY_LIMIT + 1);
    let answer = stage.deliver("/webhooks/shop", &[proof], &large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_source_that_is_gone_is_served_no_more_and_one_that_stays_keeps_its_story() {
    let stage = stage().await;
    stage
        .deliver("/webhooks/github", &delivery(SIGNATURE), BODY)
        .await;
    let sources = stage.coordinator.sources();
    let proof = Proof::github(Secret::new("hush"));
    assert!(!sources.put(declare("github", "github", webhook(proof, Reading::Github))));
    sources.keep_only(|name| name == "github");
    let page = stage.get("/sources").await.json();
    assert_eq!(page["sources"].as_array().unwrap().len(), 1);
    assert_eq!(page["sources"][0]["events"], 1);
    let gone = stage.deliver("/webhooks/shop", &[], "").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);

    let proof = Proof::github(Secret::new("other"));
    assert!(sources.put(declare("github", "github", webhook(proof, Reading::Github))));
    let answer = stage
        .deliver("/webhooks/github", &delivery(SIGNATURE), BODY)
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}
