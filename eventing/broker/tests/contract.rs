//! What every backend of the broker must do, told through its public door.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::{
    Accepted, Broker, Claim, Claims, Config, Ending, Error, Idempotency, NewTask, News, Refusal,
    Report, State, TaskFilter, TaskId, Work,
};
use dormouse_contract::policy::{Delivery, Stored};
use dormouse_contract::task::{Failed, Outcome, TaskError};
use dormouse_contract::trace::TraceParent;
use tempfile::TempDir;

struct Bench {
    broker: Broker,
    claims: Claims,
    dir: TempDir,
}

async fn bench(slots: usize, queue_limit: usize) -> Bench {
    reopen(TempDir::new().unwrap(), slots, queue_limit).await
}

async fn reopen(dir: TempDir, slots: usize, queue_limit: usize) -> Bench {
    let broker = Broker::open(Config::new(dir.path())).unwrap();
    let claims = broker.claims();
    broker
        .open_pool("pool".into(), slots, queue_limit)
        .await
        .unwrap();
    Bench {
        broker,
        claims,
        dir,
    }
}

impl Bench {
    /// Lets the process "die": nothing is drained, the store is opened again.
    async fn crash(self, slots: usize, queue_limit: usize) -> Self {
        let Self {
            broker,
            claims,
            dir,
        } = self;
        drop(claims);
        drop(broker);
        // The writer's thread lets go of the lock once it has seen that all handles are gone.
        for _ in 0..500 {
            match Broker::open(Config::new(dir.path())) {
                Ok(broker) => {
                    let claims = broker.claims();
                    broker
                        .open_pool("pool".into(), slots, queue_limit)
                        .await
                        .unwrap();
                    return Self {
                        broker,
                        claims,
                        dir,
                    };
                }
                Err(Error::Locked(_) | Error::Sqlite(_)) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(other) => panic!("{other}"),
            }
        }
        panic!("the store stayed locked");
    }

    async fn claim(&mut self) -> Claim {
        tokio::time::timeout(Duration::from_secs(20), self.claims.recv())
            .await
            .unwrap()
            .unwrap()
    }

    async fn settle(&self, claim: &Claim, report: Report) -> Option<State> {
        self.broker
            .settle(claim.task, claim.token, report)
            .await
            .unwrap()
    }

    async fn state(&self, task: TaskId) -> State {
        self.broker.task(task).await.unwrap().unwrap().state
    }
}

fn task() -> NewTask {
    NewTask {
        id: TaskId::new(),
        pool: "pool".into(),
        capability: "tool".into(),
        work: Work::Call(Bytes::from_static(b"{}")),
        principal: "local/anonymous".into(),
        reply_to: None,
        affinity: None,
        trace: TraceParent::random(),
        idempotency: None,
        delivery: Delivery {
            backoff_delay: Duration::from_millis(1),
            ..Delivery::default()
        },
    }
}

fn keyed(key: &str) -> NewTask {
    let idempotency = Idempotency {
        key: key.to_owned(),
        arguments: [7; 32],
    };
    NewTask {
        idempotency: Some(idempotency),
        ..task()
    }
}

fn repeatable(mut task: NewTask) -> NewTask {
    task.delivery.repeatable = true;
    task
}

fn failed(outcome: Outcome) -> Report {
    let error = TaskError {
        code: -32000,
        message: "broke".to_owned(),
        data: None,
    };
    Report::Failed {
        failure: Failed { error, outcome },
        last: false,
        retry_after: None,
    }
}

fn done() -> Report {
    Report::Completed(Bytes::from_static(b"{\"ok\":1}"))
}

async fn ending(waiter: &mut dormouse_broker::Waiter) -> (TaskId, Ending) {
    loop {
        let news = tokio::time::timeout(Duration::from_secs(20), waiter.next())
            .await
            .unwrap();
        match news.unwrap() {
            News::Progress(_) => {}
            News::Ended(task, ending) => return (task, ending),
        }
    }
}

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
    task.delivery.retries = 2;
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
async fn an_idempotency_key_joins_then_repeats_then_refuses_other_arguments() {
    let mut bench = bench(1, 10).await;
    let (first, second, third) = (keyed("k"), keyed("k"), keyed("k"));
    let mut waiters = [&first, &second].map(|task| bench.broker.wait(task.id));
    assert_eq!(bench.broker.accept(first.clone()).await, Ok(Accepted::New));
    assert_eq!(
        bench.broker.accept(second).await,
        Ok(Accepted::Joined(first.id))
    );
    let claim = bench.claim().await;
    bench.settle(&claim, done()).await;
    for waiter in &mut waiters {
        assert_eq!(ending(waiter).await.0, first.id);
    }
    let mut waiter = bench.broker.wait(third.id);
    assert_eq!(
        bench.broker.accept(third).await,
        Ok(Accepted::Repeated(first.id))
    );
    assert_eq!(ending(&mut waiter).await.0, first.id);
    let mut other = keyed("k");
    other.idempotency = Some(Idempotency {
        key: "k".into(),
        arguments: [8; 32],
    });
    assert_eq!(bench.broker.accept(other).await, Err(Refusal::KeyReused));
    let stranger = NewTask {
        principal: "someone/else".into(),
        ..keyed("k")
    };
    assert_eq!(bench.broker.accept(stranger).await, Ok(Accepted::New));
    assert!(
        bench.claims.recv().await.is_some(),
        "keys are the principal's own"
    );
}

#[tokio::test]
async fn a_key_is_free_again_when_nothing_ran() {
    let mut bench = bench(1, 10).await;
    let mut first = keyed("k");
    first.delivery.retries = 0;
    bench.broker.accept(first.clone()).await.unwrap();
    let claim = bench.claim().await;
    assert_eq!(
        bench.settle(&claim, failed(Outcome::NotRun)).await,
        Some(State::Failed)
    );
    assert_eq!(bench.broker.accept(keyed("k")).await, Ok(Accepted::New));
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
async fn what_waited_runs_after_a_crash_and_what_ran_is_decided_by_safety() {
    let mut bench = bench(2, 10).await;
    let (safe, unsafe_one, waiting) = (repeatable(keyed("s")), keyed("u"), task());
    for task in [&safe, &unsafe_one, &waiting] {
        bench.broker.accept(task.clone()).await.unwrap();
    }
    bench.claim().await;
    bench.claim().await;
    let mut bench = bench.crash(2, 10).await;
    let mut claimed =
        [bench.claim().await, bench.claim().await].map(|claim| (claim.task, claim.attempt));
    claimed.sort();
    let mut expected = [(safe.id, 2), (waiting.id, 1)];
    expected.sort();
    assert_eq!(claimed, expected);
    let Some(Ending::Failed(failed)) = bench.broker.ending(unsafe_one.id).await.unwrap() else {
        panic!("it may have run: it must have failed");
    };
    assert_eq!(failed.outcome, Outcome::Unknown);
    // Who comes back with the key hears the same.
    let again = keyed("u");
    let mut waiter = bench.broker.wait(again.id);
    assert_eq!(
        bench.broker.accept(again).await,
        Ok(Accepted::Repeated(unsafe_one.id))
    );
    assert_eq!(ending(&mut waiter).await.1, Ending::Failed(failed));
}

#[tokio::test]
async fn a_task_that_waits_too_long_expires_without_having_run() {
    let mut bench = bench(1, 10).await;
    let mut late = keyed("k");
    late.delivery.queue_expiry = Duration::from_millis(1);
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
async fn events_are_accepted_all_or_none() {
    let mut bench = bench(1, 1).await;
    let work = Work::Event {
        attributes: Bytes::from_static(b"{}"),
        data: Bytes::new(),
    };
    let event = || NewTask {
        work: work.clone(),
        ..task()
    };
    assert_eq!(bench.broker.accept_all(vec![event()]).await, Ok(()));
    let refusal = bench.broker.accept_all(vec![event(), event()]).await;
    assert!(matches!(refusal, Err(Refusal::Busy { .. })));
    assert_eq!(
        bench
            .broker
            .tasks(TaskFilter::default())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(bench.claim().await.work, work);
}

#[tokio::test]
async fn large_payloads_come_back_whole_after_a_crash() {
    let bench = bench(0, 10).await;
    let data = Bytes::from(vec![b'x'; 100_000]);
    let large = NewTask {
        work: Work::Call(data.clone()),
        ..task()
    };
    bench.broker.accept(large).await.unwrap();
    let mut bench = bench.crash(1, 10).await;
    assert_eq!(bench.claim().await.work, Work::Call(data));
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
        task.delivery.stored = Stored::Lazily;
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
