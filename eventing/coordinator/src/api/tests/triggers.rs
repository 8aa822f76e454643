//! Triggers: the list, and what they would do with an event.

use super::*;

#[tokio::test]
async fn triggers_are_listed_with_the_delivery_that_holds() {
    let stage = Stage::open(10).await;
    let page: TriggerPage = stage.read("/triggers").await;
    let trigger = &page.triggers[0];
    assert_eq!((&*trigger.pool, &*trigger.name), ("reactive", "0"));
    assert!(trigger.delivery.repeatable);
    let none: TriggerPage = stage.read("/triggers?pool=none").await;
    assert!(none.triggers.is_empty());
}

#[tokio::test]
async fn trying_an_event_says_who_takes_it_and_why_others_do_not() {
    let stage = Stage::open(10).await;
    let taken = stage.post("/triggers/test", &PUSH, "{}").await;
    let taken: TriggerTest = serde_json::from_slice(&taken.body).unwrap();
    assert_eq!(taken.events[0].takers, 1);

    let structured = [("content-type", "application/cloudevents+json")];
    let other = r#"{"specversion":"1.0","id":"1","source":"/s","type":"com.github.release"}"#;
    let left = stage.post("/triggers/test", &structured, other).await;
    let left: TriggerTest = serde_json::from_slice(&left.body).unwrap();
    let trigger = &left.events[0].triggers[0];
    assert!(!trigger.matches);
    assert!(trigger.why[0].contains("com.github.push"), "{trigger:?}");

    let events: EventPage = stage.read("/events").await;
    assert!(events.events.is_empty(), "trying stores nothing");
    let broken = stage.post("/triggers/test", &structured, "{").await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
}
