//! Dead letters: sent on, redriven, discarded.

use bytes::Bytes;
use dormouse_broker::{
    Accepted, Asks, DeadLetter, Report, SINKS, Selection, Seq, State, TaskFilter, TaskId, Work,
};
use dormouse_contract::http_binding;
use dormouse_contract::policy::{DeadLetterSink, Delivery, PoolKind, PoolRef};
use dormouse_contract::task::{Failed, Outcome, TaskError};

use crate::asking::*;
use crate::events::{event, publish, route};
use crate::stage::*;

async fn dead(bench: &Bench) -> Vec<TaskId> {
    let filter = TaskFilter {
        dead: true,
        ..TaskFilter::default()
    };
    let dead = bench.broker.tasks(filter).await.unwrap();
    dead.into_iter().map(|task| task.id).collect()
}

/// Fails all attempts of the next task.
async fn fail(bench: &mut Bench, attempts: u32) -> TaskId {
    for _ in 1..attempts {
        let claim = bench.claim().await;
        bench.settle(&claim, failed(Outcome::Unknown)).await;
    }
    let claim = bench.claim().await;
    assert_eq!(
        bench.settle(&claim, failed(Outcome::Unknown)).await,
        Some(State::Failed)
    );
    claim.task
}

#[tokio::test]
async fn a_redrive_is_a_new_task_with_the_same_event() {
    let mut bench = bench(1, 10).await;
    publish(&bench, event("1", vec![route("pool")])).await;
    let old = fail(&mut bench, 2).await;
    assert_eq!(dead(&bench).await, [old]);
    let redriven = bench.broker.redrive(Selection::One(old)).await.unwrap();
    let [(from, new)] = redriven[..] else {
        panic!("one is redriven: {redriven:?}");
    };
    assert_eq!(from, old);
    assert_eq!(bench.broker.redrive(Selection::One(old)).await.unwrap(), []);
    assert_eq!(dead(&bench).await, []);
    let claim = bench.claim().await;
    assert_eq!(claim.task, new);
    assert!(matches!(&claim.work, Work::Event { data, .. } if data == r#"{"a":1}"#));
    bench.settle(&claim, Report::Completed(Bytes::new())).await;
    let stored = bench.broker.event(Seq(1)).await.unwrap().unwrap();
    assert_eq!(stored.tasks[0].redriven_as, Some(new));
    assert_eq!(stored.tasks[0].dead_letter, Some(DeadLetter::Redriven));
    assert_eq!(stored.tasks[1].redrive_of, Some(old));
    assert_eq!(stored.tasks[1].state, State::Completed);
    assert!(
        stored.tasks[0]
            .history
            .last()
            .unwrap()
            .why
            .contains(&new.to_string())
    );
}

#[tokio::test]
async fn a_redriven_call_keeps_its_key_its_answers_and_its_steps() {
    let mut bench = bench(1, 10).await;
    let call = keyed("k");
    bench.broker.accept(call.clone()).await.unwrap();
    let claim = bench.claim().await;
    let step = Bytes::from_static(b"7");
    bench
        .broker
        .step(claim.task, claim.token, "s", step)
        .await
        .unwrap();
    bench
        .settle(&claim, asking(&[r#""q":{"method":"roots/list"}"#]))
        .await;
    answer(&bench.broker, call.id, 1, r#"{"q":{"result":1}}"#).await;
    let old = fail(&mut bench, 1).await;
    let new = bench.broker.redrive(Selection::One(old)).await.unwrap()[0].1;
    let claim = bench.claim().await;
    let replay = claim.replay.as_ref().unwrap();
    assert_eq!(replay.answers, r#"{"q":{"result":1}}"#);
    assert_eq!(replay.steps, r#"{"s":7}"#);
    bench.settle(&claim, done()).await;
    let again = bench.broker.accept(keyed("k")).await.unwrap();
    assert_eq!(again, Accepted::Repeated(new));
}

#[tokio::test]
async fn dead_letters_are_redriven_and_discarded_by_filter() {
    let mut bench = bench(1, 10).await;
    bench.broker.open_pool("other".into(), 1, 10).await.unwrap();
    let mut tasks = Vec::new();
    for (id, pool) in [("1", "pool"), ("2", "other"), ("3", "pool")] {
        publish(&bench, event(id, vec![route(pool)])).await;
        tasks.push(fail(&mut bench, 2).await);
    }
    let of_pool = TaskFilter {
        pool: Some("pool".to_owned()),
        ..TaskFilter::default()
    };
    let oldest = TaskFilter {
        limit: Some(1),
        ..of_pool.clone()
    };
    let discarded = bench
        .broker
        .discard(Selection::Matching(oldest), "no use")
        .await;
    assert_eq!(discarded.unwrap(), [tasks[0]]);
    let record = bench.broker.task(tasks[0]).await.unwrap().unwrap();
    assert_eq!(
        (record.state, record.dead_letter),
        (State::Failed, Some(DeadLetter::Discarded))
    );
    assert!(record.history.last().unwrap().why.contains("no use"));
    let redriven = bench
        .broker
        .redrive(Selection::Matching(of_pool))
        .await
        .unwrap();
    assert_eq!(
        redriven.iter().map(|pair| pair.0).collect::<Vec<_>>(),
        [tasks[2]]
    );
    assert_eq!(dead(&bench).await, [tasks[1]]);
}

#[tokio::test]
async fn what_has_an_order_is_redriven_in_it() {
    let mut bench = bench(1, 10).await;
    let ordered = || dormouse_broker::Route {
        ordered: true,
        ..route("pool")
    };
    let mut tasks = Vec::new();
    for id in ["1", "2", "3"] {
        publish(&bench, event(id, vec![ordered()])).await;
        tasks.push(fail(&mut bench, 2).await);
    }
    let all = Selection::Matching(TaskFilter::default());
    let redriven = bench.broker.redrive(all).await.unwrap();
    let old: Vec<_> = redriven.iter().map(|pair| pair.0).collect();
    assert_eq!(old, tasks);
    for (_, new) in redriven {
        let claim = bench.claim().await;
        assert_eq!(claim.task, new);
        bench.settle(&claim, Report::Completed(Bytes::new())).await;
    }
}

fn refused() -> Report {
    Report::Failed {
        failure: Failed {
            error: TaskError {
                code: -32603,
                message: "refused".to_owned(),
                data: Some(serde_json::json!({"status": 422, "body": "no such thing"})),
            },
            outcome: Outcome::Failed,
        },
        last: true,
        retry_after: None,
    }
}

#[tokio::test]
async fn a_dead_letter_sink_gets_the_event_and_what_went_wrong() {
    let mut bench = bench(1, 10).await;
    let to_pool = DeadLetterSink::Ref(PoolRef {
        api_version: None,
        kind: PoolKind::AgentPool,
        name: "sink".to_owned(),
    });
    let to_uri = DeadLetterSink::Uri("http://sink.example/".to_owned());
    bench.broker.open_pool("sink".into(), 1, 10).await.unwrap();
    bench.broker.open_pool(SINKS.into(), 1, 10).await.unwrap();
    for (id, sink, pool, capability) in [
        ("1", to_pool, "sink", "org.example.thing"),
        ("2", to_uri, SINKS, "http://sink.example/"),
    ] {
        let mut route = route("pool");
        route.delivery = Delivery {
            dead_letter_sink: Some(sink),
            ..Delivery::clone(&route.delivery)
        }
        .into();
        publish(&bench, event(id, vec![route])).await;
        let claim = bench.claim().await;
        bench.settle(&claim, refused()).await;
        let sent_on = bench.claim().await;
        assert_eq!((&*sent_on.pool, &*sent_on.capability), (pool, capability));
        let Work::Event {
            attributes, data, ..
        } = &sent_on.work
        else {
            panic!("a sink gets events");
        };
        assert_eq!(data, r#"{"a":1}"#);
        let event = http_binding::read_structured(attributes).unwrap();
        assert_eq!((event.id.as_str(), event.source.as_str()), (id, "/source"));
        let extension = |name| event.extension(name).map(String::from);
        assert_eq!(extension("knativeerrordest").unwrap(), "/pools/pool");
        assert_eq!(extension("knativeerrorcode").unwrap(), "422");
        assert_eq!(
            extension("knativeerrordata").unwrap(),
            "bm8gc3VjaCB0aGluZw=="
        );
        let record = bench.broker.task(claim.task).await.unwrap().unwrap();
        assert_eq!(record.dead_letter, Some(DeadLetter::Forwarded));
        // A sink that fails has no sink of its own.
        bench.settle(&sent_on, refused()).await;
        assert_eq!(dead(&bench).await[0], sent_on.task);
        // What is redriven there is the event as it was sent on.
        bench
            .broker
            .redrive(Selection::One(sent_on.task))
            .await
            .unwrap();
        let again = bench.claim().await;
        assert_eq!((&again.work, &again.pool), (&sent_on.work, &sent_on.pool));
        bench.settle(&again, Report::Completed(Bytes::new())).await;
    }
    assert_eq!(dead(&bench).await, []);
}

#[tokio::test]
async fn a_suspended_event_is_refused_and_dead() {
    let mut bench = bench(1, 10).await;
    publish(&bench, event("1", vec![route("pool")])).await;
    let claim = bench.claim().await;
    let asks = Report::Suspended(Asks {
        asks: Bytes::from_static(br#"{"q":{"method":"roots/list"}}"#),
        revision: None,
    });
    assert_eq!(bench.settle(&claim, asks).await, Some(State::Failed));
    assert_eq!(dead(&bench).await, [claim.task]);
}
