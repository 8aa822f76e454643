//! Drains, of the platform and of one pool.

use super::*;

#[tokio::test]
async fn a_drained_platform_takes_tasks_and_hands_out_none() {
    let mut stage = Stage::open(10).await;
    for (drain, resume) in [
        ("/drain", "/resume"),
        ("/pools/reactive/drain", "/pools/reactive/resume"),
    ] {
        let drained = stage.post(&format!("{drain}?wait=30s"), &[], "").await;
        assert_eq!(drained.json()["state"], "drained", "{drain}");
        let health = stage.get("/health").await.json();
        assert_eq!(health["status"] == "draining", drain == "/drain");
        assert_eq!(stage.get("/pools/reactive").await.json()["drained"], true);
        let event = with(&[("ce-id", drain)]);
        let taken = stage.post("/events", &event, "{}").await;
        assert_eq!(taken.status, StatusCode::ACCEPTED);
        assert!(
            stage.claims.try_recv().is_err(),
            "{drain}: it was handed out"
        );

        let resumed = stage.post(resume, &[], "").await;
        assert_eq!(resumed.json()["state"], "open");
        let claim = stage.claims.recv().await.unwrap();
        let done = Report::Completed(Bytes::new());
        stage
            .broker
            .settle(claim.task, claim.token, done)
            .await
            .unwrap();
        assert_eq!(stage.get("/health").await.json()["status"], "ok");
    }
}

#[tokio::test]
async fn a_drain_waits_for_what_runs() {
    let mut stage = Stage::open(10).await;
    let claim = stage.claim().await;
    let early = stage.post("/drain", &[], "").await.json();
    assert_eq!(
        (&early["state"], &early["running"]),
        (&json!("draining"), &json!(1))
    );
    let end = async {
        let done = Report::Completed(Bytes::new());
        stage.broker.settle(claim.task, claim.token, done).await
    };
    let (waited, ended) = tokio::join!(stage.post("/drain?wait=60s", &[], ""), end);
    ended.unwrap();
    assert_eq!(waited.json()["state"], "drained");
    for (path, status) in [("/drain?wait=long", 400), ("/pools/none/drain", 404)] {
        assert_eq!(stage.post(path, &[], "").await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_drain_and_a_start_do_not_end_each_other() {
    let mut stage = Stage::open(10).await;
    let first = stage.claim().await;
    let sent = stage.post("/events", &with(&[("ce-id", "2")]), "{}").await;
    assert_eq!(sent.status, StatusCode::ACCEPTED);
    stage.coordinator.hold(true).await;
    let done = Report::Completed(Bytes::new());
    let settled = stage.broker.settle(first.task, first.token, done).await;
    settled.unwrap();
    stage.post("/resume", &[], "").await;
    assert!(stage.claims.try_recv().is_err(), "it still starts");
    stage.post("/drain", &[], "").await;
    stage.coordinator.hold(false).await;
    assert!(stage.claims.try_recv().is_err(), "it is drained");
    assert_eq!(stage.get("/health").await.json()["status"], "draining");
    stage.post("/resume", &[], "").await;
    assert_ne!(stage.claims.recv().await.unwrap().task, first.task);
}
