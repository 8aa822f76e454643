//! Tasks: lists, results, cancellation.

use super::*;

#[tokio::test]
async fn results_are_given_to_the_letter_once_there_is_one() {
    let mut stage = Stage::open(10).await;
    let claim = stage.claim().await;
    let path = format!("/tasks/{}/result", claim.task);
    let early = stage.get(&path).await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    assert!(early.json()["detail"].as_str().unwrap().contains("running"));

    let result = r#"{ "content":[], "z":1.0, "a":2 }"#;
    let report = Report::Completed(Bytes::from_static(result.as_bytes()));
    stage
        .broker
        .settle(claim.task, claim.token, report)
        .await
        .unwrap();
    let answer = stage.get(&path).await;
    assert_eq!(
        (answer.status, &answer.body[..]),
        (StatusCode::OK, result.as_bytes())
    );
    assert_eq!(answer.header("content-type"), "application/json");

    let late = stage
        .post(&format!("/tasks/{}/cancel", claim.task), &[], "")
        .await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(
        late.json()["detail"]
            .as_str()
            .unwrap()
            .contains("completed")
    );
}

#[tokio::test]
async fn a_task_is_cancelled_for_a_reason_that_people_find_again() {
    let mut stage = Stage::open(10).await;
    let claim = stage.claim().await;
    let path = format!("/tasks/{}/cancel", claim.task);
    let answer = stage.post(&path, &[], r#"{"reason":"wrong branch"}"#).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["state"], "cancelled");
    claim.cancelled.cancelled().await;
    let shown = stage.get(&format!("/tasks/{}", claim.task)).await.json();
    assert!(shown.to_string().contains("wrong branch"), "{shown}");
    let result = stage.get(&format!("/tasks/{}/result", claim.task)).await;
    assert_eq!(result.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let mut stage = Stage::open(10).await;
    let _running = stage.claim().await;
    for id in ["e2", "e3"] {
        stage.post("/events", &with(&[("ce-id", id)]), "{}").await;
    }
    let first = stage.get("/tasks?pool=reactive&limit=2").await.json();
    assert_eq!(first["tasks"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let second = stage
        .get(&format!("/tasks?limit=2&before={next}"))
        .await
        .json();
    assert_eq!(second["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(second.get("next"), None);
    for (principal, count) in [("event%2F%2Frepos%2Fx", 3), ("someone", 0)] {
        let theirs = stage.get(&format!("/tasks?principal={principal}")).await;
        assert_eq!(theirs.json()["tasks"].as_array().unwrap().len(), count);
    }
    let running = stage.get("/tasks?state=running").await.json();
    assert_eq!(running["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(
        stage.get("/dead-letters").await.json(),
        json!({"tasks": []})
    );
}
