//! A task's way from acceptance to its one ending.

use std::sync::Arc;

use bytes::Bytes;
use dormouse_broker::{Accepted, Broker, Config, Ending, Error, NewTask, News, Refusal, State};
use dormouse_contract::policy::Stored;
use dormouse_contract::task::Outcome;

use crate::stage::*;

#[tokio::test]
async fn a_task_is_claimed_at_once_runs_and_ends_once() {
    let mut bench = bench(1, 10).await;
    let task = task();
    let mut waiter = bench.broker.wait(task.id);
    assert_eq!(bench.broker.accept(task.clone()).await, Ok(Accepted::New));
    let claim = bench.claim().await;
    assert_eq!(
        (claim.task, claim.attempt, &claim.work),
        (task.id, 1, &task.work)
    );
    assert!(
        bench
            .broker
            .progress(claim.task, claim.token, &Bytes::from_static(b"half"))
    );
    assert_eq!(
        waiter.next().await,
        Some(News::Progress(Bytes::from_static(b"half")))
    );
    assert_eq!(bench.settle(&claim, done()).await, Some(State::Completed));
    assert_eq!(
        bench.settle(&claim, done()).await,
        None,
        "a second settlement is ignored"
    );
    let expected = Ending::Completed(Bytes::from_static(b"{\"ok\":1}"));
    assert_eq!(ending(&mut waiter).await, (task.id, expected.clone()));
    assert_eq!(bench.broker.ending(task.id).await.unwrap(), Some(expected));
    assert!(
        !bench
            .broker
            .progress(claim.task, claim.token, &Bytes::new())
    );
    let history = bench.broker.task(task.id).await.unwrap().unwrap().history;
    let states: Vec<_> = history.iter().map(|entry| entry.to).collect();
    assert_eq!(states, [State::Accepted, State::Running, State::Completed]);
}

#[tokio::test]
async fn slots_and_queue_are_bounded_and_what_waits_runs_in_turn() {
    let mut bench = bench(1, 2).await;
    let tasks: Vec<_> = (0..4).map(|_| task()).collect();
    for task in &tasks[..3] {
        assert_eq!(bench.broker.accept(task.clone()).await, Ok(Accepted::New));
    }
    let refusal = bench.broker.accept(tasks[3].clone()).await.unwrap_err();
    assert!(
        matches!(refusal, Refusal::Busy { queued: 2, .. }),
        "{refusal:?}"
    );
    for task in &tasks[..3] {
        let claim = bench.claim().await;
        assert_eq!(claim.task, task.id);
        assert!(
            bench.claims.try_recv().is_err(),
            "one slot, one running task"
        );
        bench.settle(&claim, done()).await;
    }
    let unknown = NewTask {
        pool: "nowhere".into(),
        ..task()
    };
    let refusal = bench.broker.accept(unknown).await.unwrap_err();
    assert_eq!(refusal, Refusal::UnknownPool("nowhere".into()));
}

#[tokio::test]
async fn cancelling_ends_a_waiting_and_a_running_task_but_only_ones_own() {
    let mut bench = bench(1, 10).await;
    let (running, waiting) = (task(), task());
    for task in [&running, &waiting] {
        bench.broker.accept(task.clone()).await.unwrap();
    }
    let claim = bench.claim().await;
    let cancel = async |task, who| bench.broker.cancel(task, who, "enough").await.unwrap();
    assert_eq!(cancel(running.id, Some("someone/else")).await, None);
    assert_eq!(
        cancel(waiting.id, Some("local/anonymous")).await,
        Some(State::Cancelled)
    );
    assert_eq!(cancel(running.id, None).await, Some(State::Cancelled));
    assert!(claim.cancelled.is_cancelled());
    assert_eq!(bench.settle(&claim, done()).await, None);
    assert_eq!(bench.state(waiting.id).await, State::Cancelled);
    bench.broker.accept(task()).await.unwrap();
    bench.claim().await;
    assert!(
        bench.claims.try_recv().is_err(),
        "the cancelled one does not run"
    );
}

#[tokio::test]
async fn a_directory_belongs_to_one_process() {
    let bench = bench(1, 1).await;
    let second = Broker::open(Config::new(bench.dir.path()));
    assert!(matches!(second, Err(Error::Locked(_))));
}

#[tokio::test]
async fn stopping_waits_for_what_runs_and_refuses_what_comes() {
    let mut bench = bench(1, 10).await;
    bench.broker.accept(task()).await.unwrap();
    let claim = bench.claim().await;
    let broker = bench.broker.clone();
    let stopping = tokio::spawn(async move { broker.stop().await });
    while bench.broker.accept(task()).await != Err(Refusal::Stopping) {
        tokio::task::yield_now().await;
    }
    assert!(!stopping.is_finished());
    assert_eq!(bench.settle(&claim, done()).await, Some(State::Completed));
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_closed_pool_keeps_what_waits_and_takes_nothing_new() {
    let mut bench = bench(1, 10).await;
    let (first, second) = (task(), task());
    for task in [&first, &second] {
        bench.broker.accept(task.clone()).await.unwrap();
    }
    let claim = bench.claim().await;
    let pool: Arc<str> = "pool".into();
    bench.broker.close_pool(Arc::clone(&pool)).await.unwrap();
    bench.settle(&claim, done()).await;
    assert!(matches!(
        bench.broker.accept(task()).await,
        Err(Refusal::UnknownPool(_))
    ));
    assert_eq!(bench.state(second.id).await, State::Accepted);
    bench.broker.open_pool(pool, 1, 10).await.unwrap();
    assert_eq!(bench.claim().await.task, second.id);
}

#[tokio::test]
async fn a_lazily_stored_task_has_a_row_only_when_it_must_wait() {
    let mut bench = bench(1, 10).await;
    let lazily = || {
        let mut task = repeatable(task());
        policy(&mut task).stored = Stored::Lazily;
        task
    };
    let task = lazily();
    let mut waiter = bench.broker.wait(task.id);
    bench.broker.accept(task.clone()).await.unwrap();
    let claim = bench.claim().await;
    assert!(bench.broker.task(task.id).await.unwrap().is_none());
    assert_eq!(
        bench.settle(&claim, failed(Outcome::Unknown)).await,
        Some(State::Accepted)
    );
    let again = bench.claim().await;
    assert_eq!((again.task, again.attempt), (task.id, 2));
    assert_eq!(bench.settle(&again, done()).await, Some(State::Completed));
    assert!(matches!(ending(&mut waiter).await.1, Ending::Completed(_)));

    let (running, cancelled) = (lazily(), lazily());
    bench.broker.accept(running.clone()).await.unwrap();
    let claim = bench.claim().await;
    bench.broker.accept(cancelled.clone()).await.unwrap();
    assert_eq!(
        bench.state(cancelled.id).await,
        State::Accepted,
        "what waits is stored"
    );
    let who = Some("local/anonymous");
    let state = bench
        .broker
        .cancel(running.id, who, "enough")
        .await
        .unwrap();
    assert_eq!(state, Some(State::Cancelled));
    assert!(claim.cancelled.is_cancelled());
    assert_eq!(bench.claim().await.task, cancelled.id);
}
