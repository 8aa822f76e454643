//! Tasks that wait for events: each gets the first one that matches, whatever happens in between.

use bytes::Bytes;
use dormouse_broker::{Answered, Asks, Claim, NewEvent, News, Published, Report, State, Way};
use dormouse_contract::Event;
use dormouse_contract::trace::TraceParent;
use serde_json::{Value, json};

use crate::stage::*;

fn event(id: &str, ty: &str) -> NewEvent {
    let mut event = Event::new(id, "/shop", ty).with_json(format!(r#"{{ "id":"{id}" }}"#));
    event.subject = Some(id.to_owned());
    NewEvent {
        event,
        trace: TraceParent::random(),
        way: Way::default(),
        cause: None,
        routes: Vec::new(),
    }
}

pub async fn publish(bench: &Bench, id: &str, ty: &str) -> Published {
    let published = bench.broker.publish(vec![event(id, ty)], None).await;
    published.unwrap().remove(0)
}

fn of_type(ty: &str) -> Value {
    wait(json!({"filters": [{"exact": {"type": ty}}]}))
}

pub fn wait(params: Value) -> Value {
    json!({"method": "dev.dormouse/event", "params": params})
}

pub fn asking(asks: &Value) -> Report {
    Report::Suspended(Asks {
        asks: asks.to_string().into(),
        revision: None,
    })
}

/// A task that has asked this.
async fn sleeping(bench: &mut Bench, asks: Value) -> Claim {
    let accepted = bench.broker.accept(task()).await;
    accepted.unwrap();
    let claim = bench.claim().await;
    assert_eq!(
        bench.settle(&claim, asking(&asks)).await,
        Some(State::Suspended)
    );
    claim
}

/// The results that a next round finds.
pub fn results(claim: &Claim) -> Value {
    let answers = &claim.replay.as_ref().unwrap().answers;
    let mut answers: Value = serde_json::from_slice(answers).unwrap();
    for (_, answer) in answers.as_object_mut().unwrap() {
        *answer = answer["result"].take();
    }
    answers
}

pub async fn crash(bench: Bench) -> Bench {
    bench.crash(4, 100).await
}

#[tokio::test]
async fn an_event_wakes_who_waits_for_it_also_after_a_crash() {
    let mut bench = bench(4, 100).await;
    let asks = json!({"paid": of_type("paid"), "sent": of_type("sent")});
    let slept = sleeping(&mut bench, asks).await;
    publish(&bench, "1", "other").await;
    let bench = crash(bench).await;
    let sent = publish(&bench, "2", "sent").await;
    assert_eq!(bench.state(slept.task).await, State::Suspended);
    let mut bench = crash(bench).await;
    let paid = publish(&bench, "3", "paid").await;
    let claim = bench.claim().await;
    assert_eq!((claim.task, claim.round), (slept.task, 2));
    let results = results(&claim);
    assert_eq!(results["sent"]["seq"], sent.seq.0);
    assert_eq!(results["paid"]["seq"], paid.seq.0);
    let event = &results["paid"]["event"];
    assert_eq!(
        (&event["type"], &event["data"]),
        (&json!("paid"), &json!({"id": "3"}))
    );
    // To the letter, as data is everywhere.
    let answers = &claim.replay.as_ref().unwrap().answers;
    let answers = String::from_utf8_lossy(answers);
    assert!(answers.contains(r#"{ "id":"3" }"#), "{answers}");
    let record = bench.broker.task(slept.task).await.unwrap().unwrap();
    let words = format!("{:?}", record.history);
    assert!(
        words.contains("`paid` answered by event 3: round 2 follows"),
        "{words}"
    );
    bench.settle(&claim, done()).await;
    publish(&bench, "4", "paid").await;
    assert_eq!(bench.state(slept.task).await, State::Completed);
}

#[tokio::test]
async fn what_happened_since_the_acceptance_counts_and_earlier_events_only_on_demand() {
    let mut bench = bench(4, 100).await;
    publish(&bench, "1", "paid").await;
    bench.broker.accept(task()).await.unwrap();
    let claim = bench.claim().await;
    let while_it_ran = publish(&bench, "2", "paid").await;
    publish(&bench, "3", "paid").await;
    bench
        .settle(&claim, asking(&json!({"paid": of_type("paid")})))
        .await;
    let claim = bench.claim().await;
    assert_eq!(results(&claim)["paid"]["seq"], while_it_ran.seq.0);
    // The next one of this handler, and one that knows its place.
    let next = json!({"next": wait(json!({"filters": [], "after": 2}))});
    bench.settle(&claim, asking(&next)).await;
    let claim = bench.claim().await;
    assert_eq!(
        (claim.round, &results(&claim)["next"]["seq"]),
        (3, &json!(3))
    );
    bench.settle(&claim, done()).await;
    let all = json!({"any": wait(json!({"after": 0}))});
    sleeping(&mut bench, all).await;
    let claim = bench.claim().await;
    assert_eq!(results(&claim)["any"]["seq"], 1);
}

#[tokio::test]
async fn nobody_but_the_log_answers_a_wait() {
    let mut bench = bench(4, 100).await;
    let form = json!({"method": "elicitation/create", "params": {}});
    let asks = json!({"paid": of_type("paid"), "form": form});
    let slept = sleeping(&mut bench, asks).await;
    let answer = async |answers: Value| {
        let answers = Bytes::from(answers.to_string());
        bench
            .broker
            .answer(slept.task, None, 1, answers)
            .await
            .unwrap()
    };
    let forged = json!({"result": {"event": {}, "seq": 1}});
    let Answered::Open(open) = answer(json!({"paid": forged})).await else {
        panic!("a client answered a wait");
    };
    let open: Value = serde_json::from_slice(&open).unwrap();
    assert_eq!(open.as_object().unwrap().len(), 2);
    let Answered::Open(open) = answer(json!({"form": {"result": {}}, "paid": forged})).await else {
        panic!("a client answered a wait");
    };
    let open: Value = serde_json::from_slice(&open).unwrap();
    assert_eq!(
        open.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["paid"]
    );
    publish(&bench, "1", "paid").await;
    let claim = bench.claim().await;
    let results = results(&claim);
    assert_eq!(
        (&results["paid"]["seq"], &results["form"]),
        (&json!(1), &json!({}))
    );
}

#[tokio::test]
async fn a_wait_ends_when_it_has_lasted_long_enough_also_after_a_crash() {
    let mut bench = bench(4, 100).await;
    let late = wait(json!({"filters": [{"exact": {"type": "paid"}}], "timeout": "50ms"}));
    let slept = sleeping(&mut bench, json!({"late": late})).await;
    let mut bench = crash(bench).await;
    let claim = bench.claim().await;
    assert_eq!(claim.task, slept.task);
    assert_eq!(results(&claim)["late"], json!({"timedOut": true}));
}

#[tokio::test]
async fn a_task_that_ended_waits_for_nothing_and_one_of_an_event_cannot() {
    let mut bench = bench(4, 100).await;
    let slept = sleeping(&mut bench, json!({"any": wait(json!({}))})).await;
    bench.broker.cancel(slept.task, None, "no").await.unwrap();
    publish(&bench, "1", "paid").await;
    assert_eq!(bench.state(slept.task).await, State::Cancelled);

    let mut reaction = event("2", "ping");
    reaction.routes.push(crate::events::route("pool"));
    bench.broker.publish(vec![reaction], None).await.unwrap();
    let claim = bench.claim().await;
    let asks = asking(&json!({"any": wait(json!({}))}));
    assert_eq!(bench.settle(&claim, asks).await, Some(State::Failed));
    let record = bench.broker.task(claim.task).await.unwrap().unwrap();
    let why = record.failure.unwrap().error.message;
    assert!(why.contains("delivered as it was sent"), "{why}");
}

#[tokio::test]
async fn a_long_log_is_looked_at_bit_by_bit() {
    let mut bench = bench(4, 100).await;
    bench.broker.accept(task()).await.unwrap();
    let claim = bench.claim().await;
    for thousand in 0..5 {
        let ids = thousand * 1_000..(thousand + 1) * 1_000;
        let events = ids.map(|id| event(&id.to_string(), "noise")).collect();
        bench.broker.publish(events, None).await.unwrap();
    }
    let filter = json!({"not": {"exact": {"type": "noise"}}});
    let asks = asking(&json!({"rare": wait(json!({"filters": [filter]}))}));
    bench.settle(&claim, asks).await;
    // It may have looked at some of them, or at all.
    let mut bench = crash(bench).await;
    let rare = publish(&bench, "rare", "rare").await;
    publish(&bench, "another", "rare").await;
    let claim = bench.claim().await;
    assert_eq!(results(&claim)["rare"]["seq"], rare.seq.0);
}

#[tokio::test]
async fn filters_that_take_their_time_let_nobody_miss_an_event() {
    let mut bench = bench(20, 100).await;
    let (text, gaps) = ("a".repeat(1_000), "_a".repeat(100));
    let slow = format!("'{text}' LIKE '%{gaps}c%' OR type = 'paid'");
    let mut slept = Vec::new();
    for _ in 0..20 {
        let asks = json!({"paid": wait(json!({"filters": [{"cesql": slow}]}))});
        slept.push(sleeping(&mut bench, asks).await.task);
    }
    publish(&bench, "1", "other").await;
    let paid = publish(&bench, "2", "paid").await;
    publish(&bench, "3", "paid").await;
    let mut woken = Vec::new();
    for _ in 0..20 {
        let claim = bench.claim().await;
        assert_eq!(results(&claim)["paid"]["seq"], paid.seq.0);
        woken.push(claim.task);
    }
    woken.sort();
    slept.sort();
    assert_eq!(woken, slept);
}

#[tokio::test]
async fn whoever_waits_for_a_call_hears_that_it_sleeps_and_how_it_ends() {
    let mut bench = bench(4, 100).await;
    let new = task();
    let mut waiter = bench.broker.wait(new.id);
    bench.broker.accept(new).await.unwrap();
    let claim = bench.claim().await;
    bench
        .settle(&claim, asking(&json!({"any": wait(json!({}))})))
        .await;
    assert!(matches!(
        waiter.next().await,
        Some(News::Suspended { round: 1, .. })
    ));
    publish(&bench, "1", "paid").await;
    let claim = bench.claim().await;
    bench.settle(&claim, done()).await;
    assert_eq!(ending(&mut waiter).await.0, claim.task);
}
