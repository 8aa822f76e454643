//! Events: into the log and to the pools, once, with replies that come back in.

use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::{
    Config, EventFilter, Fact, NewEvent, Note, Published, Refusal, Report, Route, Seq, State,
    TaskFilter, Way, Work,
};
use dormouse_contract::Event;
use dormouse_contract::policy::Delivery;
use dormouse_contract::task::Outcome;
use dormouse_contract::trace::TraceParent;

use crate::stage::*;

pub fn route(pool: &str) -> Route {
    Route {
        capability: None,
        pool: pool.into(),
        trigger: "t".into(),
        ordered: false,
        delivery: Delivery {
            repeatable: true,
            retries: 1,
            backoff_delay: Duration::from_millis(1),
            ..Delivery::default()
        }
        .into(),
    }
}

pub fn event(id: &str, routes: Vec<Route>) -> NewEvent {
    let mut event = Event::new(id, "/source", "org.example.thing").with_json(&br#"{"a":1}"#[..]);
    event.subject = Some("s".to_owned());
    NewEvent {
        event,
        trace: TraceParent::random(),
        way: Way::default(),
        cause: None,
        routes,
    }
}

pub async fn publish(bench: &Bench, event: NewEvent) -> Published {
    let published = bench.broker.publish(vec![event], None).await.unwrap();
    published.into_iter().next().unwrap()
}

#[tokio::test]
async fn an_event_becomes_a_task_for_each_route_and_its_data_is_stored_once() {
    let mut bench = bench(1, 10).await;
    let sent = event("1", vec![route("pool"), route("pool")]);
    let published = publish(&bench, sent.clone()).await;
    assert_eq!((published.seq, published.tasks.len()), (Seq(1), 2));
    for task in &published.tasks {
        let claim = bench.claim().await;
        assert_eq!((claim.task, &*claim.principal), (*task, "event//source"));
        let Work::Event { data, .. } = &claim.work else {
            panic!("a task of an event delivers an event");
        };
        assert_eq!(data, r#"{"a":1}"#);
        bench.settle(&claim, Report::Completed(Bytes::new())).await;
    }
    let stored = bench.broker.event(Seq(1)).await.unwrap().unwrap();
    assert_eq!(stored.event, sent.event);
    assert_eq!(stored.record.tasks, 2);
    let states: Vec<_> = stored
        .tasks
        .iter()
        .map(|task| (task.id, task.state))
        .collect();
    assert_eq!(
        states,
        published
            .tasks
            .iter()
            .map(|it| (*it, State::Completed))
            .collect::<Vec<_>>()
    );
    assert_eq!(stored.tasks[0].trigger.as_deref(), Some("t"));
}

#[tokio::test]
async fn an_event_that_comes_again_is_dropped_also_after_a_crash() {
    let bench = bench(1, 10).await;
    let first = publish(&bench, event("1", vec![route("pool")])).await;
    for _ in 0..2 {
        let again = publish(&bench, event("1", vec![route("pool")])).await;
        assert!(again.is_duplicate && again.tasks.is_empty());
        assert_eq!(again.seq, first.seq);
    }
    let bench = bench.crash(1, 10).await;
    assert!(
        publish(&bench, event("1", vec![route("pool")]))
            .await
            .is_duplicate
    );
    let mut other = event("1", vec![]);
    other.event.source = "/elsewhere".to_owned();
    let other = publish(&bench, other).await;
    assert_eq!((other.is_duplicate, other.seq), (false, Seq(2)));
    let batch = vec![event("2", vec![]), event("2", vec![])];
    let batch = bench.broker.publish(batch, None).await.unwrap();
    assert_eq!(
        [false, true],
        [batch[0].is_duplicate, batch[1].is_duplicate]
    );
}

#[tokio::test]
async fn a_full_backlog_refuses_the_whole_batch_and_leaves_calls_alone() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut config = Config::new(dir.path());
    config.max_backlog = 3;
    let mut bench = open(dir, config, 1, 1).await;
    publish(&bench, event("running", vec![route("pool")])).await;
    publish(&bench, event("waiting", vec![route("pool"), route("pool")])).await;
    let two = vec![
        event("a", vec![route("pool")]),
        event("b", vec![route("pool")]),
    ];
    let refused = bench.broker.publish(two, None).await;
    assert!(
        matches!(refused, Err(Refusal::Backlog { waiting: 2, .. })),
        "{refused:?}"
    );
    assert_eq!(
        bench
            .broker
            .events(EventFilter::default())
            .await
            .unwrap()
            .len(),
        2
    );
    // Events that nobody takes need no room, and calls have a queue of their own.
    publish(&bench, event("c", vec![])).await;
    bench.broker.accept(task()).await.unwrap();
    for _ in 0..4 {
        let claim = bench.claim().await;
        bench.settle(&claim, done()).await;
    }
    assert!(
        !publish(&bench, event("a", vec![route("pool")]))
            .await
            .is_duplicate
    );
}

#[tokio::test]
async fn a_pool_that_is_down_closes_no_door_for_the_others() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut config = Config::new(dir.path());
    config.max_backlog = 20;
    let bench = open(dir, config, 1, 1).await;
    for id in 0..20 {
        publish(&bench, event(&id.to_string(), vec![route("down")])).await;
    }
    let backlog = async |id: &str, routes: Vec<Route>| {
        let published = bench.broker.publish(vec![event(id, routes)], None).await;
        matches!(published, Err(Refusal::Backlog { .. }))
    };
    assert!(backlog("a", vec![route("down")]).await);
    assert!(backlog("b", vec![route("up"), route("down")]).await);
    assert!(!backlog("c", vec![route("up")]).await);
    assert!(backlog("d", vec![route("up"), route("up")]).await);
    assert!(!backlog("e", vec![route("up")]).await);
    assert!(backlog("f", vec![route("up")]).await);
}

#[tokio::test]
async fn a_disk_without_room_refuses_what_is_new() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut config = Config::new(dir.path());
    config.disk_reserve = u64::MAX;
    let bench = open(dir, config, 1, 1).await;
    let refused = bench.broker.publish(vec![event("1", vec![])], None).await;
    assert!(matches!(refused, Err(Refusal::DiskFull { .. })));
    let refused = bench.broker.accept(task()).await;
    assert!(matches!(refused, Err(Refusal::DiskFull { .. })));
}

#[tokio::test]
async fn a_reply_is_taken_with_the_completion_and_only_once() {
    let mut bench = bench(2, 10).await;
    let published = publish(&bench, event("1", vec![route("pool")])).await;
    let claim = bench.claim().await;
    let mut reply = event("reply", vec![route("pool")]);
    reply.way = Way::default().through("pool");
    reply.cause = Some(claim.task);
    let replied = || Report::Replied {
        reply: Bytes::from_static(b"{}"),
        event: Box::new(reply.clone()),
    };
    assert_eq!(
        bench.settle(&claim, replied()).await,
        Some(State::Completed)
    );
    assert_eq!(bench.settle(&claim, replied()).await, None);
    let stored = bench.broker.event(Seq(2)).await.unwrap().unwrap();
    assert_eq!(stored.record.cause, Some(published.tasks[0]));
    assert_eq!(
        (stored.record.hops, stored.record.via.as_deref()),
        (1, Some("pool"))
    );
    let next = bench.claim().await;
    let Work::Event { way, .. } = &next.work else {
        panic!("the reply is an event");
    };
    assert_eq!(way.hops, 1);
    assert!(bench.broker.event(Seq(3)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_reply_may_be_the_event_itself_with_another_type() {
    let mut bench = bench(1, 10).await;
    let mut sent = event("1", vec![route("pool")]);
    publish(&bench, sent.clone()).await;
    let claim = bench.claim().await;
    sent.event.ty = "com.example.answered".to_owned();
    let report = Report::Replied {
        reply: Bytes::new(),
        event: Box::new(sent.clone()),
    };
    bench.settle(&claim, report).await;
    let reply = bench.broker.event(Seq(2)).await.unwrap().unwrap();
    assert_eq!(reply.record.ty, "com.example.answered");
    assert_eq!(
        bench.claim().await.capability,
        "com.example.answered".into()
    );
    // Who sends it again is still known by it.
    assert!(publish(&bench, sent).await.is_duplicate);
}

#[tokio::test]
async fn a_loop_ends_in_a_dead_letter_that_says_so() {
    let mut bench = bench(1, 10).await;
    let mut sent = event("0", vec![route("pool")]);
    publish(&bench, sent.clone()).await;
    for hop in 1..=16 {
        let claim = bench.claim().await;
        let Work::Event { way, .. } = &claim.work else {
            panic!("it is an event");
        };
        sent.way = way.through("pool");
        sent.event.id = hop.to_string();
        let report = Report::Replied {
            reply: Bytes::new(),
            event: Box::new(sent.clone()),
        };
        bench.settle(&claim, report).await;
    }
    let claim = bench.claim().await;
    sent.way = sent.way.through("pool");
    sent.event.id = "one too many".to_owned();
    let report = Report::Replied {
        reply: Bytes::new(),
        event: Box::new(sent.clone()),
    };
    assert_eq!(bench.settle(&claim, report).await, Some(State::Completed));
    let dead = TaskFilter {
        dead: true,
        ..TaskFilter::default()
    };
    let dead = bench.broker.tasks(dead).await.unwrap();
    let failure = dead[0].failure.as_ref().unwrap();
    assert_eq!((dead.len(), failure.outcome), (1, Outcome::NotRun));
    assert!(failure.error.message.contains("17 pools"), "{failure:?}");
    assert!(
        failure.error.message.contains("pool, pool, pool"),
        "{failure:?}"
    );
    assert!(bench.claims.try_recv().is_err(), "nothing goes further");
}

#[tokio::test]
async fn events_are_found_by_what_they_are() {
    let bench = bench(1, 10).await;
    for (id, ty, subject) in [("1", "a", "x"), ("2", "b", "x"), ("3", "a", "y")] {
        let mut sent = event(id, vec![]);
        sent.event.ty = ty.to_owned();
        sent.event.subject = Some(subject.to_owned());
        publish(&bench, sent).await;
    }
    let found = async |filter: EventFilter| -> Vec<u64> {
        let events = bench.broker.events(filter).await.unwrap();
        events.iter().map(|event| event.seq.0).collect()
    };
    let all = EventFilter::default();
    assert_eq!(found(all.clone()).await, [3, 2, 1]);
    let ty = Some("a".to_owned());
    assert_eq!(found(EventFilter { ty, ..all.clone() }).await, [3, 1]);
    let subject = Some("x".to_owned());
    assert_eq!(
        found(EventFilter {
            subject,
            ..all.clone()
        })
        .await,
        [2, 1]
    );
    let id = Some("2".to_owned());
    assert_eq!(found(EventFilter { id, ..all.clone() }).await, [2]);
    let (after, before) = (Some(Seq(1)), Some(Seq(3)));
    assert_eq!(
        found(EventFilter {
            after,
            before,
            ..all.clone()
        })
        .await,
        [2]
    );
    let limit = Some(1);
    assert_eq!(found(EventFilter { limit, ..all }).await, [3]);
    let types = bench.broker.event_types().await.unwrap();
    let types: Vec<_> = types.iter().map(|it| (&*it.ty, it.last)).collect();
    assert_eq!(types, [("a", Seq(3)), ("b", Seq(2))]);
}

#[tokio::test]
async fn notes_are_kept_alone_and_with_events() {
    let bench = bench(1, 10).await;
    let note = |name: &str, value: Option<&'static str>| Note {
        kind: "k",
        name: name.to_owned(),
        value: value.map(Bytes::from),
    };
    bench.broker.note(note("a", Some("1"))).await.unwrap();
    bench.broker.note(note("b", Some("2"))).await.unwrap();
    let with = Some(note("a", Some("3")));
    bench
        .broker
        .publish(vec![event("1", vec![])], with)
        .await
        .unwrap();
    let bench = bench.crash(1, 10).await;
    bench.broker.note(note("b", None)).await.unwrap();
    let notes = bench.broker.notes("k").await.unwrap();
    assert_eq!(notes, [("a".to_owned(), Bytes::from("3"))]);
    assert_eq!(bench.broker.notes("other").await.unwrap(), []);
}

#[tokio::test]
async fn who_looks_on_hears_of_each_change() {
    let mut bench = bench(1, 10).await;
    let mut feed = bench.broker.feed();
    publish(&bench, event("1", vec![route("pool")])).await;
    let claim = bench.claim().await;
    bench.settle(&claim, failed(Outcome::Unknown)).await;
    let claim = bench.claim().await;
    bench.settle(&claim, failed(Outcome::Unknown)).await;
    let mut heard = Vec::new();
    while let Ok(fact) = feed.try_recv() {
        heard.push(match fact {
            Fact::Event { seq, .. } => format!("event {seq}"),
            Fact::Task { state, is_dead, .. } => format!("{} {is_dead}", state.name()),
        });
    }
    let expected = [
        "running false",
        "event 1",
        "accepted false",
        "running false",
        "failed true",
    ];
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn while_held_nothing_is_handed_out_and_everything_is_taken() {
    let mut bench = bench(2, 10).await;
    bench.broker.hold(None, true).await.unwrap();
    publish(&bench, event("1", vec![route("pool")])).await;
    bench.broker.accept(task()).await.unwrap();
    assert!(bench.claims.try_recv().is_err());
    bench.broker.hold(None, false).await.unwrap();
    bench.claim().await;
    bench.claim().await;
    bench.broker.hold(Some("pool".into()), true).await.unwrap();
    publish(&bench, event("2", vec![route("pool")])).await;
    assert!(bench.claims.try_recv().is_err());
}
