//! Steps: committed once, and brought along.

use bytes::Bytes;
use dormouse_broker::{
    Answered, Claim, Ending, NewTask, Report, State, Stepped, TaskFilter, Way, Work,
};
use dormouse_contract::suspension::DIFFERENT_REPLAY;
use dormouse_contract::task::{Failed, Outcome, TaskError};

use crate::asking::*;
use crate::stage::*;

#[tokio::test]
async fn steps_and_answers_are_kept_over_retry_and_restart() {
    let mut bench = bench(1, 10).await;
    let task = repeatable(task());
    let (_waiter, _) = suspended(&mut bench, &task).await;
    answer(&bench.broker, task.id, 1, SEVEN).await;
    let claim = bench.claim().await;
    let step = async |bench: &Bench, claim: &Claim, name, result: &'static str| {
        let result = Bytes::from_static(result.as_bytes());
        let stepped = bench.broker.step(claim.task, claim.token, name, result);
        stepped.await.unwrap()
    };
    assert_eq!(
        step(&bench, &claim, "charge", r#"{ "id":1.0 }"#).await,
        Stepped::Stored
    );
    assert_eq!(
        step(&bench, &claim, "charge", r#"{ "id":1.0 }"#).await,
        Stepped::Known
    );
    assert_eq!(
        step(&bench, &claim, "charge", "2").await,
        Stepped::Different
    );
    bench.settle(&claim, failed(Outcome::Unknown)).await;
    assert_eq!(step(&bench, &claim, "mail", "1").await, Stepped::NotRunning);

    let second = bench.claim().await;
    assert_eq!((second.round, second.attempt), (2, 2));
    let replay = second.replay.clone().unwrap();
    assert_eq!(replay.steps, r#"{"charge":{ "id":1.0 }}"#);
    assert_eq!(replay.answers, SEVEN);
    assert_eq!(step(&bench, &second, "mail", "null").await, Stepped::Stored);

    let mut bench = bench.crash(1, 10).await;
    let third = bench.claim().await;
    assert_eq!((third.task, third.round, third.attempt), (task.id, 2, 3));
    let replay = third.replay.unwrap();
    assert_eq!(replay.steps, r#"{"charge":{ "id":1.0 },"mail":null}"#);
    assert_eq!(replay.revision.as_deref(), Some("r1"));
}

#[tokio::test]
async fn an_unstored_task_gets_its_row_when_it_steps_or_asks() {
    let mut bench = bench(2, 10).await;
    let (asks, steps) = (lazily(task()), repeatable(lazily(task())));
    bench.broker.accept(asks.clone()).await.unwrap();
    let claim = bench.claim().await;
    assert!(bench.broker.task(asks.id).await.unwrap().is_none());
    let standing = bench.broker.standing(asks.id).await.unwrap().unwrap();
    assert_eq!(
        (standing.state, standing.round, standing.work),
        (State::Running, 1, asks.work.clone())
    );
    let early = answer(&bench.broker, asks.id, 1, SEVEN).await;
    assert_eq!(early, Answered::TooLate(State::Running));
    bench.settle(&claim, asking(&[GRADE])).await;

    bench.broker.accept(steps.clone()).await.unwrap();
    let claim = bench.claim().await;
    let result = Bytes::from_static(b"1");
    let stepped = bench.broker.step(steps.id, claim.token, "s", result).await;
    assert_eq!(stepped.unwrap(), Stepped::Stored);
    assert_eq!(bench.state(steps.id).await, State::Running);

    let mut bench = bench.crash(2, 10).await;
    let again = bench.claim().await;
    assert_eq!((again.task, again.attempt), (steps.id, 2));
    assert_eq!(again.replay.unwrap().steps, r#"{"s":1}"#);
    let answered = answer(&bench.broker, asks.id, 1, SEVEN).await;
    assert_eq!(answered, Answered::Continued);
    assert_eq!(bench.claim().await.round, 2);
}

#[tokio::test]
async fn a_task_of_an_event_keeps_no_steps() {
    let mut bench = bench(1, 10).await;
    let event = NewTask {
        work: Work::Event {
            attributes: Bytes::from_static(b"{}"),
            data: Bytes::new(),
            way: Way::default(),
        },
        ..task()
    };
    bench.broker.accept(event).await.unwrap();
    let claim = bench.claim().await;
    let result = Bytes::from_static(b"1");
    let stepped = bench
        .broker
        .step(claim.task, claim.token, "s", result)
        .await;
    assert_eq!(stepped.unwrap(), Stepped::NotKept);
}

#[tokio::test]
async fn steps_hold_no_more_than_a_round_can_carry() {
    let mut bench = bench(1, 10).await;
    bench.broker.accept(task()).await.unwrap();
    let claim = bench.claim().await;
    let half = Bytes::from(format!("\"{}\"", "x".repeat(2 << 20)));
    for (name, expected) in [
        ("a", Stepped::Stored),
        ("b", Stepped::TooMuch),
        ("a", Stepped::Known),
    ] {
        let result = match name {
            "a" => half.clone(),
            _ => Bytes::from(format!("{{\"x\":{}}}", String::from_utf8_lossy(&half))),
        };
        let stepped = bench.broker.step(claim.task, claim.token, name, result);
        assert_eq!(stepped.await.unwrap(), expected, "{name}");
    }
    let small = Bytes::from_static(b"1");
    let stepped = bench.broker.step(claim.task, claim.token, "c", small).await;
    assert_eq!(stepped.unwrap(), Stepped::Stored);
}

#[tokio::test]
async fn a_replay_that_differs_is_a_dead_letter() {
    let mut bench = bench(1, 10).await;
    let task = task();
    let (mut waiter, _) = suspended(&mut bench, &task).await;
    answer(&bench.broker, task.id, 1, SEVEN).await;
    let claim = bench.claim().await;
    let differs = Report::Failed {
        failure: Failed {
            error: TaskError {
                code: DIFFERENT_REPLAY,
                message: "it asked for something else".to_owned(),
                data: None,
            },
            outcome: Outcome::Failed,
        },
        last: true,
        retry_after: None,
    };
    assert_eq!(bench.settle(&claim, differs).await, Some(State::Failed));
    assert!(matches!(ending(&mut waiter).await.1, Ending::Failed(_)));
    let dead = TaskFilter {
        dead: true,
        ..TaskFilter::default()
    };
    let letters = bench.broker.tasks(dead).await.unwrap();
    assert_eq!((letters.len(), letters[0].id), (1, task.id));
}
