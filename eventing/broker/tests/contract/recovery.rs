//! Idempotency keys, and what survives the process.

use bytes::Bytes;
use dormouse_broker::{Accepted, Ending, Idempotency, NewTask, Refusal, State, Work};
use dormouse_contract::task::Outcome;

use crate::stage::*;

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
    policy(&mut first).retries = 0;
    bench.broker.accept(first.clone()).await.unwrap();
    let claim = bench.claim().await;
    assert_eq!(
        bench.settle(&claim, failed(Outcome::NotRun)).await,
        Some(State::Failed)
    );
    assert_eq!(bench.broker.accept(keyed("k")).await, Ok(Accepted::New));
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
