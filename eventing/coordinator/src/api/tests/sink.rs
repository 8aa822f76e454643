//! What functions send to their pool's sink.

use dormouse_broker::{Asks, NewTask, TaskId};
use dormouse_contract::announcement::Announcement;
use dormouse_contract::trace::TraceParent;

use super::*;

const SINK: &str = "/pools/reactive/events";

fn call() -> NewTask {
    NewTask {
        id: TaskId::new(),
        pool: "reactive".into(),
        capability: "t".into(),
        work: Work::Call(Bytes::from_static(
            br#"{"method":"tools/call","params":{}}"#,
        )),
        principal: "local/anonymous".into(),
        reply_to: None,
        affinity: None,
        trace: TraceParent::random(),
        idempotency: None,
        delivery: Delivery::default().into(),
    }
}

impl Stage {
    async fn call(&mut self) -> Claim {
        self.broker.accept(call()).await.unwrap();
        self.claims.recv().await.unwrap()
    }

    /// Sends an event as the attempt of a claim.
    async fn say(&self, sink: &str, claim: &Claim, ty: &str, body: &str) -> Answer {
        let (task, token) = (claim.task.to_string(), claim.token.to_string());
        let headers = with(&[
            ("ce-type", ty),
            ("ce-taskid", &task),
            ("ce-attempttoken", &token),
        ]);
        self.post(sink, &headers, body).await
    }
}

fn detail(answer: &Answer) -> String {
    answer.json()["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_step_is_committed_before_it_is_answered() {
    let mut stage = Stage::open(10).await;
    let claim = stage.call().await;
    let step = async |stage: &Stage, claim: &Claim, body: &str| {
        let ty = "dev.dormouse.task.stepped.v1";
        stage.say(SINK, claim, ty, body).await
    };
    let charged = r#"{"step":"charge","result":{ "id":1.0 }}"#;
    for _ in 0..2 {
        let answer = step(&stage, &claim, charged).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    let other = step(&stage, &claim, r#"{"step":"charge","result":2}"#).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert!(detail(&other).contains("`charge` was committed before"));
    for body in ["[]", r#"{"step":"","result":1}"#] {
        let broken = step(&stage, &claim, body).await;
        assert_eq!(broken.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let headers = with(&[("ce-type", "dev.dormouse.task.stepped.v1")]);
    let unproven = stage.post(SINK, &headers, charged).await;
    assert_eq!(unproven.status, StatusCode::FORBIDDEN);

    let done = Report::Completed(Bytes::from_static(b"{}"));
    let settled = stage.broker.settle(claim.task, claim.token, done).await;
    settled.unwrap();
    let late = step(&stage, &claim, r#"{"step":"mail","result":1}"#).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(detail(&late).contains("no running attempt"));

    let event = stage.claim().await;
    let refused = step(&stage, &event, charged).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(detail(&refused).contains("keeps no steps"));
}

#[tokio::test]
async fn a_resource_that_changed_is_announced_for_the_pool_that_proves_itself() {
    let mut stage = Stage::open(10).await;
    let claim = stage.call().await;
    let mut announcements = stage.coordinator.announcements();
    let ty = "dev.dormouse.resource.updated.v1";
    let elsewhere = stage
        .say("/pools/other/events", &claim, ty, r#"{"uri":"x://1"}"#)
        .await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    let broken = stage.say(SINK, &claim, ty, "{}").await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);

    let by_attempt = stage.say(SINK, &claim, ty, r#"{"uri":"x://1"}"#).await;
    assert_eq!(by_attempt.status, StatusCode::ACCEPTED);
    let headers = with(&[("ce-type", ty), ("ce-pooltoken", POOL_TOKEN)]);
    let by_pool = stage.post(SINK, &headers, r#"{"uri":"x://2"}"#).await;
    assert_eq!(by_pool.status, StatusCode::ACCEPTED);
    for uri in ["x://1", "x://2"] {
        let announced = tokio::time::timeout(PATIENCE, announcements.recv()).await;
        let expected = Announcement {
            pool: "reactive".into(),
            uri: uri.into(),
        };
        assert_eq!(announced.unwrap().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_function_that_offers_something_else_says_so_and_is_registered_so() {
    let stage = Stage::open(10).await;
    let mut registrations = stage.coordinator.registrations();
    registrations.mark_unchanged();
    let ty = "dev.dormouse.capabilities.changed.v1";
    let headers = with(&[("ce-type", ty), ("ce-pooltoken", POOL_TOKEN)]);
    let broken = r#"{"contract":1,"tools":[{"name":"no schema"}]}"#;
    for (body, named) in [(broken, "tool 0"), (r#"{"contract":9}"#, "contract 9")] {
        let refused = stage.post(SINK, &headers, body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(detail(&refused).contains(named), "{}", detail(&refused));
    }
    assert!(!registrations.has_changed().unwrap());

    let offer = r#"{"contract":1,"tools":[{"name":"new","inputSchema":{}}]}"#;
    let taken = stage.post(SINK, &headers, offer).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED);
    assert!(registrations.has_changed().unwrap());
    let registered = registrations.borrow_and_update().clone();
    let [registration] = &registered[..] else {
        panic!("one pool is registered");
    };
    assert_eq!(registration.manifest.parsed_tools().unwrap()[0].name, "new");
    assert_eq!((&*registration.pool, registration.slots), ("reactive", 1));
    let shown = stage.get("/pools/reactive").await.json();
    assert_eq!(shown["tools"], json!([{"name": "new"}]));
}

#[tokio::test]
async fn a_suspended_task_shows_what_it_waits_for() {
    let mut stage = Stage::open(10).await;
    let claim = stage.call().await;
    let asks = r#"{"grade":{"method":"elicitation/create","params":{"message":"Which grade?"}},
        "model":{"method":"sampling/createMessage","params":{}}}"#;
    let report = Report::Suspended(Asks {
        asks: Bytes::from_static(asks.as_bytes()),
        revision: None,
    });
    let path = format!("/tasks/{}", claim.task);
    let settled = stage.broker.settle(claim.task, claim.token, report).await;
    settled.unwrap();
    let shown = stage.get(&path).await.json();
    assert_eq!(
        (&shown["state"], &shown["round"]),
        (&json!("suspended"), &json!(1))
    );
    assert_eq!(
        shown["asks"],
        json!([
            {"name": "grade", "method": "elicitation/create", "message": "Which grade?"},
            {"name": "model", "method": "sampling/createMessage"},
        ])
    );
    let answers = Bytes::from_static(br#"{"grade":{"result":1},"model":{"result":2}}"#);
    let answered = stage.broker.answer(claim.task, None, 1, answers).await;
    answered.unwrap();
    let shown = stage.get(&path).await.json();
    assert_eq!((shown.get("asks"), &shown["round"]), (None, &json!(2)));
}
