//! The event log: lists, one event with its deliveries, types.

use super::*;

#[tokio::test]
async fn events_are_listed_filtered_and_paged() {
    let stage = Stage::open(10).await;
    for (id, ty, source) in [
        ("1", "com.github.push", "/repos/x"),
        ("2", "com.example.note", "/notes"),
        ("3", "com.github.push", "/repos/y"),
    ] {
        let event = with(&[("ce-id", id), ("ce-type", ty), ("ce-source", source)]);
        let taken = stage.post("/events", &event, "{}").await;
        assert_eq!(taken.status, StatusCode::ACCEPTED);
    }
    let ids = async |query: &str| {
        let page: EventPage = stage.read(&format!("/events{query}")).await;
        let ids: Vec<_> = page.events.iter().map(|event| event.id.clone()).collect();
        (ids.join(" "), page.next)
    };
    assert_eq!(ids("").await.0, "3 2 1");
    assert_eq!(ids("?type=com.github.push").await.0, "3 1");
    assert_eq!(ids("?source=/notes").await.0, "2");
    assert_eq!(ids("?id=1").await.0, "1");
    assert_eq!(ids("?subject=none").await.0, "");
    let (newest, next) = ids("?limit=2").await;
    assert_eq!(newest, "3 2");
    let next = next.unwrap();
    assert_eq!(ids(&format!("?before={next}")).await, ("1".into(), None));
    assert_eq!(ids(&format!("?after={next}")).await.0, "3");

    let types: EventTypePage = stage.read("/event-types").await;
    let types: Vec<_> = types.types.iter().map(|it| it.ty.as_str()).collect();
    assert_eq!(types, ["com.github.push", "com.example.note"]);
}

#[tokio::test]
async fn an_event_is_shown_with_its_data_to_the_letter_and_each_attempt() {
    let mut stage = Stage::open(10).await;
    let body = r#"{ "ref":"main", "z":1.0, "a":12345678901234567890123 }"#;
    stage.post("/events", &PUSH, body).await;
    let claim = stage.claims.recv().await.unwrap();
    stage.fail(&claim).await;
    let page: EventPage = stage.read("/events").await;
    let answer = stage.get(&format!("/events/{}", page.events[0].seq)).await;
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.contains(body), "{text}");

    let view: EventView = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(view.record, page.events[0]);
    let delivery = &view.deliveries[0];
    assert_eq!((delivery.id, &*delivery.pool), (claim.task, "reactive"));
    let attempt = &delivery.attempts[0];
    assert_eq!((attempt.round, attempt.attempt), (1, 1));
    assert!(attempt.error.as_deref().unwrap().contains("no such branch"));
    assert!(attempt.ended_at.as_ref().unwrap() >= &attempt.started_at);

    for (path, status) in [("/events/9999", 404), ("/events/first", 400)] {
        assert_eq!(stage.get(path).await.status, status, "{path}");
    }
}
