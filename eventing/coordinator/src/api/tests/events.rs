//! The ingress, and the sink of a pool.

use super::*;

fn progressed<'a>(id: &'a str, token: &'a str) -> Vec<(&'a str, &'a str)> {
    with(&[
        ("ce-type", "dev.dormouse.task.progressed.v1"),
        ("ce-taskid", id),
        ("ce-attempttoken", token),
    ])
}

#[tokio::test]
async fn an_event_becomes_a_task_before_it_is_answered_and_its_tokens_go_no_further() {
    let mut stage = Stage::open(10).await;
    let headers = with(&[
        ("ce-pooltoken", "secret-1"),
        ("ce-attempttoken", "secret-2"),
    ]);
    let answer = stage.post("/events", &headers, r#"{ "ref":"main" }"#).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let receipt: Receipt = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (receipt.id.as_str(), receipt.takers[0].pool.as_str()),
        ("e1", "reactive")
    );

    let shown = stage
        .get(&format!("/tasks/{}", receipt.takers[0].task))
        .await
        .json();
    assert_eq!(shown["principal"], "event//repos/x");
    assert_eq!(shown["capability"], "com.github.push");
    assert!(
        shown["history"]
            .as_array()
            .is_some_and(|history| !history.is_empty())
    );

    let claim = stage.claims.recv().await.unwrap();
    assert!(claim.delivery.repeatable);
    let Work::Event { attributes, data } = claim.work else {
        panic!("an event is delivered as an event");
    };
    assert_eq!(data, r#"{ "ref":"main" }"#);
    let attributes: Value = serde_json::from_slice(&attributes).unwrap();
    assert_eq!(attributes["branch"], "main");
    assert!(!attributes.to_string().contains("secret"), "{attributes}");
}

#[tokio::test]
async fn an_event_that_nobody_takes_is_answered_in_words() {
    let stage = Stage::open(10).await;
    let answer = stage
        .post("/events", &with(&[("ce-type", "other")]), "{}")
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .starts_with("0 pools")
    );
    let methods = stage
        .ask(request(Method::OPTIONS, "/events", &[], ""))
        .await;
    assert_eq!(methods.header("allow"), "OPTIONS, POST");
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let stage = Stage::open(1).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let answer = stage.post("/events", &PUSH, "{}").await;
        let is_busy = answer.status == StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(is_busy, !answer.header("retry-after").is_empty());
        statuses.push(answer.status);
    }
    assert_eq!(statuses.first(), Some(&StatusCode::ACCEPTED));
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test]
async fn progress_reaches_the_waiter_by_the_attempts_token_only() {
    let mut stage = Stage::open(10).await;
    let claim = stage.claim().await;
    let mut waiter = stage.broker.wait(claim.task);
    let (id, token) = (claim.task.to_string(), claim.token.to_string());
    let body = r#"{"seq":1,"notification":{ "method":"notifications/progress","params":{}}}"#;
    let sink = "/pools/reactive/events";

    let wrong = stage.post(sink, &progressed(&id, "0"), body).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert!(
        wrong.json()["detail"]
            .as_str()
            .unwrap()
            .contains("running attempt")
    );
    let broken = stage.post(sink, &progressed(&id, &token), "[]").await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);

    let right = stage.post(sink, &progressed(&id, &token), body).await;
    assert_eq!(right.status, StatusCode::ACCEPTED);
    let news = tokio::time::timeout(PATIENCE, waiter.next()).await;
    let expected = r#"{ "method":"notifications/progress","params":{}}"#;
    assert_eq!(
        news.unwrap(),
        Some(News::Progress(Bytes::from_static(expected.as_bytes())))
    );

    let forged = [
        ("ce-type", "dev.dormouse.pool.failed.v1"),
        ("ce-pooltoken", POOL_TOKEN),
    ];
    assert_eq!(stage.post(sink, &with(&forged), "{}").await.status, 403);
    let emitted = [
        ("ce-taskid", id.as_str()),
        ("ce-attempttoken", token.as_str()),
    ];
    assert_eq!(stage.post(sink, &with(&emitted), "{}").await.status, 202);
}
