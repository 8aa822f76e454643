//! From zero to the bounds and back.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::scene::{asleep, call, eventually, exists, host, launch, pid, until};

#[tokio::test]
async fn an_idle_instance_falls_asleep_and_leaves_no_zombie() {
    let host = host();
    let mut launch = launch("idle");
    launch.scaling.idle = Duration::from_millis(50);
    let revision = host.deploy(launch);
    let first = pid(&revision).await;
    until(&revision, asleep).await;
    assert!(!exists(first));
    assert_ne!(pid(&revision).await, first);
    host.shutdown().await;
}

#[tokio::test]
async fn an_instance_with_a_call_does_not_fall_asleep() {
    let host = host();
    let mut launch = launch("busy");
    launch.scaling.idle = Duration::from_millis(1);
    let revision = host.deploy(launch);
    assert!(call(&revision, "sleep 200").await.is_ok());
    host.shutdown().await;
}

#[tokio::test]
async fn a_kept_minimum_is_warm_before_the_first_call_and_stays() {
    let host = host();
    let mut launch = launch("warm");
    launch.scaling.min = 2;
    launch.scaling.idle = Duration::from_millis(1);
    let revision = host.deploy(launch);
    until(&revision, |instances| instances.ready == 2).await;
    // Both take their turn, and are the same afterwards.
    let before = BTreeSet::from([pid(&revision).await, pid(&revision).await]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let after = BTreeSet::from([pid(&revision).await, pid(&revision).await]);
    assert_eq!((before.len(), &before), (2, &after));
    host.shutdown().await;
}

#[tokio::test]
async fn a_warm_instance_that_dies_is_replaced() {
    let host = host();
    let mut launch = launch("replaced");
    launch.scaling.min = 1;
    let revision = host.deploy(launch);
    until(&revision, |instances| instances.ready == 1).await;
    let before = pid(&revision).await;
    assert!(call(&revision, "crash").await.is_err());
    eventually("it is gone", || !exists(before)).await;
    until(&revision, |instances| instances.ready == 1).await;
    assert_ne!(pid(&revision).await, before);
    host.shutdown().await;
}

#[tokio::test]
async fn more_calls_wake_more_instances_up_to_the_bound_and_the_rest_waits() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let host = host();
    let mut launch = launch("many");
    launch.scaling.max = 3;
    launch.scaling.concurrency = 2;
    let revision = host.deploy(launch);
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let (revision, verb) = (revision.clone(), format!("until {}", gate.display()));
            tokio::spawn(async move { call(&revision, &verb).await })
        })
        .collect();
    until(&revision, |instances| instances.ready == 3).await;
    std::fs::write(&gate, "").unwrap();
    let mut pids = BTreeSet::new();
    for call in calls {
        pids.insert(call.await.unwrap().unwrap());
    }
    assert_eq!(pids.len(), 3);
    for _ in 0..3 {
        let most: usize = call(&revision, "most").await.unwrap().parse().unwrap();
        assert!(most <= 2, "{most} at a time");
    }
    host.shutdown().await;
}

#[tokio::test]
async fn calls_that_arrive_while_one_wakes_share_it() {
    let host = host();
    let mut launch = launch("share");
    launch.scaling.concurrency = 10;
    let revision = host.deploy(launch);
    let calls = (0..10).map(|_| pid(&revision));
    let pids: BTreeSet<_> = futures_util::future::join_all(calls)
        .await
        .into_iter()
        .collect();
    assert_eq!(pids.len(), 1);
    host.shutdown().await;
}

#[tokio::test]
async fn who_gives_up_waiting_leaves_the_place_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let host = host();
    let mut launch = launch("giving-up");
    launch.scaling.max = 1;
    launch.scaling.concurrency = 1;
    let revision = host.deploy(launch);
    let verb = format!("until {}", gate.display());
    let running = tokio::spawn({
        let revision = revision.clone();
        async move { call(&revision, &verb).await }
    });
    until(&revision, |instances| instances.ready == 1).await;
    let impatient = tokio::time::timeout(Duration::from_millis(50), call(&revision, "never"));
    assert!(impatient.await.is_err());
    let waiting = tokio::spawn({
        let revision = revision.clone();
        async move { call(&revision, "served").await }
    });
    std::fs::write(&gate, "").unwrap();
    assert!(running.await.unwrap().is_ok());
    assert_eq!(waiting.await.unwrap().unwrap(), "served");
    host.shutdown().await;
}
