//! Tasks that wait for events: each gets the first one that matches, whatever happens in between.

use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::{
    Answered, Asks, Claim, NewEvent, News, Published, Report, Seq, State, TaskId, Way,
};
use dormouse_contract::Event;
use dormouse_contract::trace::TraceParent;
use proptest::prelude::*;
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

async fn publish(bench: &Bench, id: &str, ty: &str) -> Published {
    let published = bench.broker.publish(vec![event(id, ty)], None).await;
    published.unwrap().remove(0)
}

fn of_type(ty: &str) -> Value {
    wait(json!({"filters": [{"exact": {"type": ty}}]}))
}

fn wait(params: Value) -> Value {
    json!({"method": "dev.dormouse/event", "params": params})
}

fn asking(asks: &Value) -> Report {
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
fn results(claim: &Claim) -> Value {
    let answers = &claim.replay.as_ref().unwrap().answers;
    let mut answers: Value = serde_json::from_slice(answers).unwrap();
    for (_, answer) in answers.as_object_mut().unwrap() {
        *answer = answer["result"].take();
    }
    answers
}

async fn crash(bench: Bench) -> Bench {
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

/// One thing that happens.
#[derive(Debug, Clone)]
enum Deed {
    /// An event of this type comes.
    Publish(u8),
    /// A task is accepted.
    Accept,
    /// The oldest running task goes to sleep over the next event of this type (of any, from the
    /// beginning, for the last one).
    Wait(u8),
    Crash,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => (0..3_u8).prop_map(Deed::Publish),
        2 => Just(Deed::Accept),
        3 => (0..4_u8).prop_map(Deed::Wait),
        1 => Just(Deed::Crash),
    ];
    proptest::collection::vec(deed, 1..40)
}

/// What a task of the model waits for.
struct Model {
    task: TaskId,
    /// The type, and the place behind which it counts.
    wait: Option<(Option<u8>, u64)>,
    seen: u64,
    got: Option<u64>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn no_event_is_lost_in_any_order(deeds in deeds()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(deeds));
    }
}

async fn check(deeds: Vec<Deed>) {
    let mut bench = bench(100, 100).await;
    let mut log: Vec<u8> = Vec::new();
    let mut tasks: Vec<Model> = Vec::new();
    let mut running: Vec<Claim> = Vec::new();
    for deed in deeds {
        match deed {
            Deed::Publish(ty) => {
                let id = log.len().to_string();
                let published = publish(&bench, &id, &format!("t{ty}")).await;
                log.push(ty);
                assert_eq!(published.seq, Seq(log.len() as u64));
            }
            Deed::Accept => {
                let mut new = repeatable(task());
                policy(&mut new).retries = 100;
                let (wait, seen, got) = (None, log.len() as u64, None);
                tasks.push(Model {
                    task: new.id,
                    wait,
                    seen,
                    got,
                });
                bench.broker.accept(new).await.unwrap();
                running.push(bench.claim().await);
            }
            Deed::Wait(ty) => {
                if running.is_empty() {
                    continue;
                }
                let claim = running.remove(0);
                let model = tasks
                    .iter_mut()
                    .find(|model| model.task == claim.task)
                    .unwrap();
                let params = match ty {
                    3 => json!({"after": 0}),
                    ty => json!({"filters": [{"exact": {"type": format!("t{ty}")}}]}),
                };
                bench
                    .settle(&claim, asking(&json!({"e": wait(params)})))
                    .await;
                model.wait = Some(match ty {
                    3 => (None, 0),
                    ty => (Some(ty), model.seen),
                });
            }
            Deed::Crash => {
                bench = bench.crash(100, 100).await;
                // What ran is handed out again; what was woken may be among it.
                running.clear();
            }
        }
        for model in tasks.iter_mut().filter(|model| model.got.is_none()) {
            let Some((ty, after)) = model.wait else {
                continue;
            };
            let mut behind = (1..=log.len() as u64).skip(usize::try_from(after).unwrap());
            model.got = behind.find(|seq| {
                let of = log[usize::try_from(seq - 1).unwrap()];
                ty.is_none_or(|ty| ty == of)
            });
        }
        let expected = |model: &&Model| model.wait.is_none() || model.got.is_some();
        let live = tasks.iter().filter(expected).count();
        let mut woken = take_claims(&mut bench, live, &running).await;
        running.append(&mut woken);
        for model in &tasks {
            let claim = running.iter().find(|claim| claim.task == model.task);
            match (model.wait, model.got) {
                (Some(_), None) => assert_eq!(bench.state(model.task).await, State::Suspended),
                (Some(_), Some(seq)) => {
                    assert_eq!(results(claim.unwrap())["e"]["seq"], seq);
                }
                (None, _) => assert!(claim.is_some()),
            }
        }
        running.sort_by_key(|claim| claim.task);
        // A task that has its event does not wait again.
        running.retain(|claim| tasks.iter().any(|model| model.task == claim.task));
        let (mut waiting, done): (Vec<_>, Vec<_>) =
            running.drain(..).partition(|claim| claim.round == 1);
        for claim in done {
            bench.settle(&claim, crate::stage::done()).await;
            tasks.retain(|model| model.task != claim.task);
        }
        running.append(&mut waiting);
    }
}

/// Claims until as many tasks are in hand as should be.
async fn take_claims(bench: &mut Bench, live: usize, running: &[Claim]) -> Vec<Claim> {
    let mut woken = Vec::new();
    while running.len() + woken.len() < live {
        woken.push(bench.claim().await);
    }
    tokio::time::timeout(Duration::ZERO, bench.claims.recv())
        .await
        .expect_err("nobody else is woken");
    woken
}
