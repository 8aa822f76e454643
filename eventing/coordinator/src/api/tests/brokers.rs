//! The door of Brokers.

use super::*;

/// As a Broker sends, which knows no bearer token.
async fn send(stage: &Stage, token: &str, headers: &[(&str, &str)]) -> Answer {
    let path = format!("/brokers/{token}/events");
    let mut sent = request(Method::POST, &path, headers, "{}");
    sent.headers_mut().remove("authorization");
    stage.ask(sent).await
}

#[tokio::test]
async fn what_a_broker_sends_is_taken_and_answered_with_nothing() {
    let mut stage = Stage::open(10).await;
    // The second time, because it heard no answer.
    for _ in 0..2 {
        let answer = send(&stage, BROKER_TOKEN, &PUSH).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(answer.body, "", "a Broker takes a body for a reply");
    }
    stage.claims.recv().await.unwrap();
    let logged: EventPage = stage.read("/events").await;
    assert_eq!(logged.events.len(), 1);
}

#[tokio::test]
async fn the_token_in_the_path_admits_to_nothing_else() {
    let stage = Stage::open(10).await;
    // Tried again by Knative, where 401 and 403 are not.
    for wrong in ["x", TOKEN, POOL_TOKEN, "%20", "broker-token-2"] {
        let answer = send(&stage, wrong, &PUSH).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{wrong}");
    }
    let forged = with(&[("ce-type", "dev.dormouse.task.completed.v1")]);
    let answer = send(&stage, BROKER_TOKEN, &forged).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let mut bearer = request(Method::POST, "/events", &PUSH, "{}");
    let value = format!("Bearer {BROKER_TOKEN}").parse().unwrap();
    bearer.headers_mut().insert("authorization", value);
    assert_eq!(stage.ask(bearer).await.status, StatusCode::UNAUTHORIZED);
    let mut rebound = request(
        Method::POST,
        &format!("/brokers/{BROKER_TOKEN}/events"),
        &PUSH,
        "{}",
    );
    let host = "evil.example".parse().unwrap();
    rebound.headers_mut().insert("host", host);
    assert_eq!(stage.ask(rebound).await.status, StatusCode::FORBIDDEN);
    let logged: EventPage = stage.read("/events").await;
    assert_eq!(logged.events, []);
}
