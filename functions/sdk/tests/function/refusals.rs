//! What is refused, each in its way.

use bytes::Bytes;
use dormouse_contract::{Event, http_binding, task};
use dormouse_function::Settings;
use http::{HeaderMap, Method};
use serde_json::json;

use crate::harness::{fixture, requested, start};

#[tokio::test]
async fn who_lacks_the_delivery_secret_stays_outside() {
    let settings = Settings {
        secret: Some("hush".to_owned()),
        ..Settings::default()
    };
    let function = start(crate::fixture::function(), settings).await;
    for (secret, status) in [(None, 401), (Some("hus"), 401), (Some("hush"), 200)] {
        let (mut headers, body) =
            http_binding::write_binary(requested("echo", json!({"text": ""})));
        if let Some(secret) = secret {
            headers.insert(task::DELIVERY_SECRET_HEADER, secret.parse().unwrap());
        }
        let answer = function.send(Method::POST, "/", headers, body).await;
        assert_eq!((answer.status, answer.not_run()), (status, status == 401));
    }
    assert_eq!(function.get("/health/readiness").await.status, 200);
}

#[tokio::test]
async fn an_attempt_whose_time_is_up_does_not_run() {
    let function = fixture().await;
    let late = requested("echo", json!({"text": ""}))
        .with_extension(task::DEADLINE, "2020-01-01T00:00:00Z");
    let answer = function.deliver(late).await;
    assert_eq!((answer.status, answer.not_run()), (503, true));
    let early = requested("echo", json!({"text": ""}))
        .with_extension(task::DEADLINE, "2999-01-01T00:00:00Z");
    assert_eq!(function.deliver(early).await.status, 200);
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let function = fixture().await;
    let answer = function
        .call("echo", json!({"text": "x".repeat(4 << 20)}))
        .await;
    assert_eq!(answer.status, 200, "what a client may send fits");
    let answer = function
        .call("echo", json!({"text": "x".repeat(17 << 20)}))
        .await;
    assert_eq!(answer.status, 413);
    assert!(answer.words().contains("larger than"));
}

#[tokio::test]
async fn what_is_no_event_is_refused_in_words() {
    let function = fixture().await;
    let call = || requested("echo", json!({"text": ""}));
    let binary = |spoil: &dyn Fn(&mut HeaderMap)| {
        let (mut headers, body) = http_binding::write_binary(call());
        spoil(&mut headers);
        (headers, body)
    };
    let typed = |media: &str, body: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", media.parse().unwrap());
        (headers, Bytes::from_static(body.as_bytes()))
    };
    let not_json = Event {
        data: Some(Bytes::from_static(b"{")),
        ..call()
    };
    let cases = [
        ((HeaderMap::new(), Bytes::new()), 400, "no CloudEvent"),
        (
            binary(&|headers| drop(headers.remove("ce-id"))),
            400,
            "`id`",
        ),
        (
            binary(&|headers| drop(headers.insert("ce-specversion", "0.3".parse().unwrap()))),
            400,
            "0.3",
        ),
        (
            binary(&|headers| drop(headers.insert("ce-round", "x".parse().unwrap()))),
            400,
            "`round`",
        ),
        (http_binding::write_binary(not_json), 400, "data"),
        (
            typed("application/cloudevents+json", "[]"),
            400,
            "JSON object",
        ),
        (
            typed("application/cloudevents+json", "{}"),
            400,
            "specversion",
        ),
        (
            typed("application/cloudevents-batch+json", "[]"),
            415,
            "one event",
        ),
        (typed("application/cloudevents+avro", ""), 415, "avro"),
        (
            http_binding::write_binary(Event::new("1", "/s", "org.example.other")),
            422,
            "org.example.other",
        ),
    ];
    for ((headers, body), status, named) in cases {
        let answer = function.send(Method::POST, "/", headers, body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(
            answer.words().contains(named),
            "{} should name {named}",
            answer.words()
        );
    }
}

#[tokio::test]
async fn other_doors_are_told_apart() {
    let function = fixture().await;
    let send = |method, path| function.send(method, path, HeaderMap::new(), Bytes::new());
    assert_eq!(send(Method::GET, "/").await.status, 405);
    assert_eq!(
        send(Method::POST, "/capabilities").await.headers["allow"],
        "GET"
    );
    assert_eq!(send(Method::GET, "/elsewhere").await.status, 404);
    assert_eq!(function.get("/health/liveness").await.status, 200);
}

#[tokio::test]
async fn the_manifest_says_everything_that_is_offered() {
    let function = fixture().await;
    let answer = function.get("/capabilities").await;
    let manifest = dormouse_contract::Manifest::parse(&answer.body).unwrap();
    assert!(manifest.marked);
    let tools = manifest.parsed_tools().unwrap();
    let offered = crate::fixture::function().manifest().unwrap().tools.len();
    assert_eq!((tools.len(), manifest.pool.as_str()), (offered, "fixture"));
    let repeatable = |name: &str| {
        let tool = tools.iter().find(|tool| tool.name == name).unwrap();
        tool.delivery(&Default::default(), None).repeatable
    };
    assert!(repeatable("echo") && repeatable("count_idempotent") && !repeatable("count"));
}
