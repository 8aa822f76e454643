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
    let Work::Event {
        attributes, data, ..
    } = claim.work
    else {
        panic!("an event is delivered as an event");
    };
    assert_eq!(data, r#"{ "ref":"main" }"#);
    let attributes: Value = serde_json::from_slice(&attributes).unwrap();
    assert_eq!(attributes["branch"], "main");
    assert!(!attributes.to_string().contains("secret"), "{attributes}");
}

#[tokio::test]
async fn an_event_that_comes_before_all_pools_are_there_waits_for_them() {
    let mut stage = Stage::open(10).await;
    stage.coordinator.hold(true).await;
    let headers = with(&[]);
    let (answer, ()) = tokio::join!(stage.post("/events", &headers, "{}"), async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let logged = stage.broker.events(Default::default()).await.unwrap();
        assert_eq!(logged, []);
        stage.coordinator.hold(false).await;
    });
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(stage.claims.recv().await.is_some());
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
}

const BATCH: [(&str, &str); 1] = [("content-type", "application/cloudevents-batch+json")];
const BATCHED: &str = r#"[
    {"specversion":"1.0","id":"1","source":"/repos/x","type":"com.github.push","data":1},
    {"specversion":"1.0","id":"2","source":"/repos/x","type":"other"},
    {"specversion":"1.0","id":"3","source":"/repos/x","type":"com.github.push","data":"3"}
]"#;

#[tokio::test]
async fn a_batch_is_stored_whole_or_not_at_all() {
    let mut stage = Stage::open(10).await;
    let broken = BATCHED.replace(r#""id":"3","#, "");
    let refused = stage.post("/events", &BATCH, &broken).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let detail = refused.json()["detail"].to_string();
    assert!(
        detail.contains("event 2 ") && detail.contains("`id`"),
        "{detail}"
    );
    let forged = BATCHED.replace("other", "dev.dormouse.x");
    let refused = stage.post("/events", &BATCH, &forged).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let answer = stage.post("/events", &BATCH, BATCHED).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let receipts: Vec<Receipt> = serde_json::from_slice(&answer.body).unwrap();
    let takers: Vec<_> = receipts
        .iter()
        .map(|it| (it.id.as_str(), it.takers.len()))
        .collect();
    assert_eq!(takers, [("1", 1), ("2", 0), ("3", 1)]);
    // The pool has one slot, so the first event is all that is claimed.
    let claim = stage.claims.recv().await.unwrap();
    let Work::Event { data, .. } = claim.work else {
        panic!("an event is delivered as an event");
    };
    assert_eq!(data, "1");

    let empty = stage.post("/events", &BATCH, "[]").await;
    assert_eq!(
        (empty.status, &empty.body[..]),
        (StatusCode::ACCEPTED, &b"[]"[..])
    );
}

#[tokio::test]
async fn a_batch_at_a_sink_proves_each_event_and_brings_no_platform_events() {
    let stage = Stage::open(10).await;
    let sink = "/pools/reactive/events";
    let unproven = stage.post(sink, &BATCH, BATCHED).await;
    assert_eq!(unproven.status, StatusCode::FORBIDDEN);
    let token = format!(r#""pooltoken":"{POOL_TOKEN}","id""#);
    let one_proven = BATCHED.replacen("\"id\"", &token, 1);
    let unproven = stage.post(sink, &BATCH, &one_proven).await;
    assert_eq!(unproven.status, StatusCode::FORBIDDEN);

    let proven = BATCHED.replace("\"id\"", &token);
    let taken = stage.post(sink, &BATCH, &proven).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED);
    assert_eq!(taken.json().as_array().unwrap().len(), 3);
    let platform = proven.replace("other", "dev.dormouse.resource.updated.v1");
    let refused = stage.post(sink, &BATCH, &platform).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let detail = refused.json()["detail"].to_string();
    assert!(detail.contains("one at a time"), "{detail}");
}

#[tokio::test]
async fn permission_to_send_is_given_as_the_webhook_specification_says() {
    let stage = Stage::open(10).await;
    let options = |headers: &[(&str, &str)]| request(Method::OPTIONS, "/events", headers, "");
    let plain = stage.ask(options(&[])).await;
    assert_eq!(plain.status, StatusCode::OK);
    assert_eq!(plain.header("allow"), "GET, HEAD, OPTIONS, POST");
    assert_eq!(plain.header("webhook-allowed-origin"), "");

    let asked = [
        ("WebHook-Request-Origin", "eventemitter.example.com"),
        ("WebHook-Request-Callback", "https://example.com/confirm"),
        ("WebHook-Request-Rate", "120"),
    ];
    let granted = stage.ask(options(&asked)).await;
    assert_eq!(granted.status, StatusCode::OK);
    assert_eq!(granted.header("allow"), "GET, HEAD, OPTIONS, POST");
    assert_eq!(
        granted.header("webhook-allowed-origin"),
        "eventemitter.example.com"
    );
    assert_eq!(granted.header("webhook-allowed-rate"), "*");

    for (broken, named) in [
        (&[("webhook-request-origin", "https://a/b")][..], "origin"),
        (
            &[asked[0], ("webhook-request-origin", "other.example")],
            "origin",
        ),
        (&[asked[0], ("webhook-request-rate", "0")], "rate"),
    ] {
        let refused = stage.ask(options(broken)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.header("webhook-allowed-origin"), "");
        assert!(refused.json()["detail"].to_string().contains(named));
    }

    let mut stranger = options(&asked);
    stranger.headers_mut().remove("authorization");
    let stranger = stage.ask(stranger).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.header("webhook-allowed-origin"), "");
}

#[tokio::test]
async fn other_methods_are_told_which_ones_are_taken() {
    let stage = Stage::open(10).await;
    for method in [Method::PATCH, Method::PUT, Method::DELETE] {
        let refused = stage
            .ask(request(method.clone(), "/events", &PUSH, ""))
            .await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        let allowed = refused.header("allow");
        assert!(
            allowed.contains("POST") && allowed.contains("OPTIONS"),
            "{allowed}"
        );
    }
}

#[tokio::test]
async fn an_authority_is_a_host_to_the_door() {
    let stage = Stage::open(10).await;
    for (uri, status) in [
        ("http://localhost:8888/events", StatusCode::ACCEPTED),
        ("http://evil.example/events", StatusCode::FORBIDDEN),
        (
            "http://evil.example/pools/reactive/events",
            StatusCode::FORBIDDEN,
        ),
    ] {
        let mut request = request(Method::POST, uri, &PUSH, "{}");
        request.headers_mut().remove("host");
        let answer = stage.ask(request).await;
        assert_eq!(answer.status, status, "{uri}");
    }
}

#[tokio::test]
async fn an_event_that_comes_again_is_acknowledged_and_dropped() {
    let stage = Stage::open(10).await;
    let first = stage.post("/events", &PUSH, "{}").await.json();
    let again = stage.post("/events", &PUSH, "{}").await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    let again = again.json();
    assert_eq!(
        (&again["duplicate"], &again["seq"]),
        (&json!(true), &first["seq"])
    );
    assert_eq!(again["takers"], json!([]));
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let stage = Stage::open(1).await;
    let mut statuses = Vec::new();
    for id in ["1", "2", "3", "4"] {
        let event = with(&[("ce-id", id)]);
        let answer = stage.post("/events", &event, "{}").await;
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
