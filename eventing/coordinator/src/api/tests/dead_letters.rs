//! Dead letters: looked at, redriven, discarded, one by one and by filter.

use super::*;

/// So many dead letters of the pool, each of an event of its own.
async fn fail(stage: &mut Stage, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let id = format!("dead-{number}");
        let event = with(&[("ce-id", id.as_str())]);
        stage.post("/events", &event, r#"{ "ref":"main" }"#).await;
        let claim = stage.claims.recv().await.unwrap();
        stage.fail(&claim).await;
        ids.push(claim.task.to_string());
    }
    ids
}

#[tokio::test]
async fn a_dead_letter_runs_again_as_a_task_of_its_own() {
    let mut stage = Stage::open(10).await;
    let dead = fail(&mut stage, 1).await.remove(0);
    let path = format!("/dead-letters/{dead}");
    let listed: TaskPage = stage.read("/dead-letters").await;
    assert_eq!(listed.tasks[0].id.to_string(), dead);
    let shown: DeadLetterView = stage.read(&path).await;
    let event = shown.event.unwrap().to_string();
    assert!(event.contains(r#"{ "ref":"main" }"#), "{event}");
    assert_eq!(shown.task.attempts.len(), 1);

    let redriven = stage.post(&format!("{path}/redrive"), &[], "").await;
    let redriven: Redriven = serde_json::from_slice(&redriven.body).unwrap();
    let claim = stage.claims.recv().await.unwrap();
    assert_eq!(claim.task, redriven.task);
    let (old, new): (TaskRecord, TaskRecord) = (
        stage.read(&format!("/tasks/{dead}")).await,
        stage.read(&format!("/tasks/{}", redriven.task)).await,
    );
    assert_eq!(old.redriven_as, Some(new.id));
    assert_eq!(new.redrive_of, Some(old.id));
    assert_eq!(
        old.attempts.len(),
        1,
        "a redrive is no attempt of the old task"
    );

    for again in ["redrive", "discard"] {
        let again = stage.post(&format!("{path}/{again}"), &[], "").await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        let detail = again.json()["detail"].to_string();
        assert!(detail.contains("redriven"), "{detail}");
    }
    let listed: TaskPage = stage.read("/dead-letters").await;
    assert!(listed.tasks.is_empty());
}

#[tokio::test]
async fn dead_letters_go_by_filter_a_bounded_number_at_a_time() {
    let mut stage = Stage::open(10).await;
    fail(&mut stage, 5).await;
    let many = "/dead-letters/discard";
    let empty = stage.post(many, &[], "{}").await;
    assert_eq!(empty.status, StatusCode::BAD_REQUEST);
    assert!(empty.json()["detail"].to_string().contains("all"));

    let some = r#"{"pool":"reactive","limit":2,"reason":"old"}"#;
    let some = stage.post(many, &[], some).await;
    let some: DiscardedPage = serde_json::from_slice(&some.body).unwrap();
    assert_eq!((some.discarded.len(), some.left), (2, 3));
    let task = stage.get(&format!("/tasks/{}", some.discarded[0].id)).await;
    assert!(task.json().to_string().contains("discarded: old"));

    let none = r#"{"capability":"other"}"#;
    let none = stage.post("/dead-letters/redrive", &[], none).await;
    let none: RedrivenPage = serde_json::from_slice(&none.body).unwrap();
    assert_eq!((none.redriven.len(), none.left), (0, 0));
    let all = stage
        .post("/dead-letters/redrive", &[], r#"{"all":true}"#)
        .await;
    let all: RedrivenPage = serde_json::from_slice(&all.body).unwrap();
    assert_eq!((all.redriven.len(), all.left), (3, 0));
}

#[tokio::test]
async fn a_call_is_shown_without_what_its_schema_marks_as_secret() {
    let mut stage = Stage::open(10).await;
    let data = r#"{"method":"tools/call","params":{"name":"t","arguments":{"key":"hush","n":1}}}"#;
    let task = dormouse_broker::NewTask {
        id: TaskId::new(),
        pool: "reactive".into(),
        capability: "t".into(),
        work: Work::Call(Bytes::from_static(data.as_bytes())),
        principal: "local/anonymous".into(),
        reply_to: None,
        affinity: None,
        trace: dormouse_contract::trace::TraceParent::random(),
        idempotency: None,
        delivery: Arc::new(Delivery::default()),
    };
    stage.broker.accept(task).await.unwrap();
    let claim = stage.claims.recv().await.unwrap();
    let path = format!("/dead-letters/{}", claim.task);
    let live = stage.post(&format!("{path}/redrive"), &[], "").await;
    assert_eq!(live.status, StatusCode::CONFLICT);
    stage.fail(&claim).await;
    let shown = stage.get(&path).await.json();
    let arguments = &shown["request"]["params"]["arguments"];
    assert_eq!(arguments, &json!({"key": "(not shown)", "n": 1}), "{shown}");
}
