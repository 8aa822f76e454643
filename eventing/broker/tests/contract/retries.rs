//! What is repeated, what is not, and how attempts end.

use std::time::Duration;

use dormouse_broker::{Accepted, Ending, State, TaskFilter};
use dormouse_contract::task::Outcome;

use crate::asking::lazily;
use crate::stage::*;

#[tokio::test]
async fn only_what_is_safe_is_repeated() {
    let mut bench = bench(4, 10).await;
    for (task, outcome, repeats) in [
        (task(), Outcome::NotRun, true),
        (task(), Outcome::Unknown, false),
        (task(), Outcome::Failed, false),
        (repeatable(task()), Outcome::Unknown, true),
    ] {
        bench.broker.accept(task.clone()).await.unwrap();
        let first = bench.claim().await;
        let state = bench.settle(&first, failed(outcome)).await;
        if repeats {
            assert_eq!(state, Some(State::Accepted), "{outcome:?}");
            let second = bench.claim().await;
            assert_eq!((second.task, second.attempt), (task.id, 2));
            assert_ne!(second.token, first.token);
            assert_eq!(bench.settle(&second, done()).await, Some(State::Completed));
        } else {
            assert_eq!(state, Some(State::Failed), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn attempts_end_and_leave_a_dead_letter() {
    let mut bench = bench(1, 10).await;
    let mut task = repeatable(task());
    policy(&mut task).retries = 2;
    let mut waiter = bench.broker.wait(task.id);
    bench.broker.accept(task.clone()).await.unwrap();
    for _ in 0..3 {
        let claim = bench.claim().await;
        bench.settle(&claim, failed(Outcome::Unknown)).await;
    }
    assert!(matches!(ending(&mut waiter).await.1, Ending::Failed(_)));
    let dead = TaskFilter {
        dead: true,
        ..TaskFilter::default()
    };
    let letters = bench.broker.tasks(dead).await.unwrap();
    assert_eq!(
        letters.iter().map(|letter| letter.id).collect::<Vec<_>>(),
        [task.id]
    );
    let record = bench.broker.task(task.id).await.unwrap().unwrap();
    assert_eq!(record.attempt, 3);
    assert!(record.history.last().unwrap().why.contains("used up"));
}

#[tokio::test]
async fn what_never_left_uses_up_no_attempt() {
    let mut bench = bench(1, 10).await;
    let mut task = task();
    policy(&mut task).retries = 0;
    bench.broker.accept(task.clone()).await.unwrap();
    for _ in 0..3 {
        let claim = bench.claim().await;
        assert_eq!((claim.task, claim.attempt), (task.id, 1));
        assert_eq!(bench.settle(&claim, held(1)).await, Some(State::Accepted));
    }
    let claim = bench.claim().await;
    assert_eq!(claim.attempt, 1);
    assert_eq!(bench.settle(&claim, done()).await, Some(State::Completed));
    let record = bench.broker.task(task.id).await.unwrap().unwrap();
    assert_eq!((record.attempt, record.attempts.len()), (1, 1));
    let states: Vec<_> = record.history.iter().map(|entry| entry.to).collect();
    let expected = [State::Accepted, State::Running, State::Completed];
    assert_eq!(states, expected, "it is as if it had not been claimed");
}

#[tokio::test]
async fn time_in_which_a_pool_is_left_alone_is_not_part_of_the_budget() {
    let mut bench = bench(1, 10).await;
    let mut task = repeatable(task());
    policy(&mut task).total_budget = Some(Duration::from_millis(600));
    policy(&mut task).retries = 2;
    bench.broker.accept(task.clone()).await.unwrap();
    for attempt in 1..=3 {
        let claim = bench.claim().await;
        assert_eq!(claim.attempt, attempt);
        bench.settle(&claim, held(700)).await;
        let claim = bench.claim().await;
        assert_eq!(claim.attempt, attempt);
        bench.settle(&claim, failed(Outcome::Unknown)).await;
    }
    let record = bench.broker.task(task.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.attempts.len()), (State::Failed, 3));
    assert!(record.history.last().unwrap().why.contains("all attempts"));
}

#[tokio::test]
async fn while_a_pool_is_left_alone_nothing_else_of_it_is_handed_out() {
    let mut bench = bench(1, 10).await;
    let tasks = [task(), task(), task()];
    for task in &tasks {
        bench.broker.accept(task.clone()).await.unwrap();
    }
    let claim = bench.claim().await;
    assert_eq!(claim.task, tasks[0].id);
    bench.settle(&claim, held(600_000)).await;
    for task in &tasks {
        let record = bench.broker.task(task.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.history.len()), (State::Accepted, 1));
    }
    // Another deployment is another chance.
    bench.broker.open_pool("pool".into(), 1, 10).await.unwrap();
    assert_eq!(bench.claim().await.task, tasks[0].id, "it kept its place");
}

#[tokio::test]
async fn what_never_leaves_expires_and_says_why() {
    let mut bench = bench(1, 10).await;
    let mut task = repeatable(lazily(task()));
    policy(&mut task).queue_expiry = Duration::from_millis(1);
    policy(&mut task).total_budget = Some(Duration::from_millis(1));
    let mut waiter = bench.broker.wait(task.id);
    bench.broker.accept(task.clone()).await.unwrap();
    let claim = bench.claim().await;
    let state = bench.settle(&claim, held(600_000)).await;
    assert_eq!(state, Some(State::Accepted));
    let Ending::Failed(failed) = ending(&mut waiter).await.1 else {
        panic!("it never leaves");
    };
    assert_eq!(failed.outcome, Outcome::NotRun);
    assert!(failed.error.message.contains("left alone"), "{failed:?}");
}

#[tokio::test]
async fn a_late_result_of_an_earlier_attempt_counts_and_a_late_failure_does_not() {
    let mut bench = bench(1, 10).await;
    let task = repeatable(task());
    let mut waiter = bench.broker.wait(task.id);
    bench.broker.accept(task.clone()).await.unwrap();
    let first = bench.claim().await;
    bench.settle(&first, failed(Outcome::Unknown)).await;
    let second = bench.claim().await;
    assert_eq!(bench.settle(&first, failed(Outcome::Unknown)).await, None);
    assert_eq!(bench.settle(&first, done()).await, Some(State::Completed));
    assert!(
        second.cancelled.is_cancelled(),
        "the attempt that is no longer wanted is aborted"
    );
    assert!(matches!(ending(&mut waiter).await.1, Ending::Completed(_)));
    assert_eq!(bench.settle(&second, done()).await, None);
    // The slot is free again.
    bench.broker.accept(self::task()).await.unwrap();
    bench.claim().await;
}

#[tokio::test]
async fn a_task_that_waits_too_long_expires_without_having_run() {
    let mut bench = bench(1, 10).await;
    let mut late = keyed("k");
    policy(&mut late).queue_expiry = Duration::from_millis(1);
    bench.broker.accept(task()).await.unwrap();
    let mut waiter = bench.broker.wait(late.id);
    bench.broker.accept(late).await.unwrap();
    let (_, Ending::Failed(failed)) = ending(&mut waiter).await else {
        panic!("it must have failed");
    };
    assert_eq!(failed.outcome, Outcome::NotRun);
    let claim = bench.claim().await;
    bench.settle(&claim, done()).await;
    assert_eq!(bench.broker.accept(keyed("k")).await, Ok(Accepted::New));
}

#[tokio::test]
async fn what_may_have_run_once_is_never_told_as_not_run() {
    let mut bench = bench(1, 10).await;
    let mut task = repeatable(keyed("k"));
    policy(&mut task).retries = 1;
    let mut waiter = bench.broker.wait(task.id);
    bench.broker.accept(task.clone()).await.unwrap();
    for outcome in [Outcome::Unknown, Outcome::NotRun] {
        let claim = bench.claim().await;
        bench.settle(&claim, failed(outcome)).await;
    }
    let (_, Ending::Failed(failed)) = ending(&mut waiter).await else {
        panic!("its attempts are used up");
    };
    assert_eq!(failed.outcome, Outcome::Unknown);
    let again = bench.broker.accept(keyed("k")).await;
    assert_eq!(
        again,
        Ok(Accepted::Repeated(task.id)),
        "its key still stands for it"
    );
}

#[tokio::test]
async fn a_retry_that_no_pool_takes_expires() {
    let mut bench = bench(1, 10).await;
    let mut task = repeatable(task());
    policy(&mut task).queue_expiry = Duration::from_millis(1);
    let mut waiter = bench.broker.wait(task.id);
    bench.broker.accept(task).await.unwrap();
    let claim = bench.claim().await;
    bench.broker.close_pool("pool".into()).await.unwrap();
    bench.settle(&claim, failed(Outcome::Unknown)).await;
    let (_, Ending::Failed(failed)) = ending(&mut waiter).await else {
        panic!("nobody takes it");
    };
    assert_eq!(
        failed.outcome,
        Outcome::Unknown,
        "its first attempt may have run"
    );
}
