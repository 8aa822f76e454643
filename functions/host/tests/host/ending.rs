//! Retiring, shutting down, and what dies with whom.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use dormouse_contract::registration::CallError;
use dormouse_host::Revision;

use crate::scene::{
    asleep, call, children, eventually, example, exists, host, launch, launch_on_port, pid, runs,
    until,
};

fn spawn_call(
    revision: &Revision,
    verb: String,
) -> tokio::task::JoinHandle<Result<String, CallError>> {
    let revision = revision.clone();
    tokio::spawn(async move { call(&revision, &verb).await })
}

#[tokio::test]
async fn retiring_lets_running_and_waiting_calls_finish_and_takes_no_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let host = host();
    let mut launch = launch("retired");
    launch.scaling.max = 1;
    launch.scaling.concurrency = 1;
    let revision = host.deploy(launch);
    let process = pid(&revision).await;
    let running = spawn_call(&revision, format!("until {}", gate.display()));
    let waiting = spawn_call(&revision, "until /".to_owned());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let retiring = tokio::spawn(revision.clone().retire());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(call(&revision, "new").await.is_err());
    assert!(exists(process));
    std::fs::write(&gate, "").unwrap();
    assert_eq!(running.await.unwrap().unwrap(), process.to_string());
    assert_eq!(waiting.await.unwrap().unwrap(), process.to_string());
    retiring.await.unwrap();
    assert!(!exists(process));
    let refused = call(&revision, "new").await.unwrap_err();
    assert!(matches!(&refused, CallError::NotRun(words) if words.contains("retired")));
}

#[tokio::test]
async fn a_swap_loses_no_call() {
    let host = host();
    let old = host.deploy(launch("swap"));
    let calls: Vec<_> = (0..20)
        .map(|_| spawn_call(&old, "sleep 20".to_owned()))
        .collect();
    until(&old, |instances| instances.ready > 0).await;
    let new = host.deploy(launch("swap"));
    let retiring = tokio::spawn(old.retire());
    assert_eq!(call(&new, "fine").await.unwrap(), "fine");
    for call in calls {
        // A call that came too late for the old revision was surely not run.
        match call.await.unwrap() {
            Ok(_) | Err(CallError::NotRun(_)) => {}
            Err(error @ (CallError::Unknown(_) | CallError::Held { .. })) => panic!("{error}"),
        }
    }
    retiring.await.unwrap();
    host.shutdown().await;
}

#[tokio::test]
async fn who_ignores_sigterm_is_killed() {
    let host = host();
    let mut launch = launch("stubborn");
    launch.args.push("--ignore-term".to_owned());
    launch.stop_timeout = Duration::from_millis(100);
    let revision = host.deploy(launch);
    let process = pid(&revision).await;
    revision.retire().await;
    assert!(!exists(process));
}

#[tokio::test]
async fn a_shutdown_cuts_calls_off_that_never_end() {
    let folder = tempfile::tempdir().unwrap();
    let host = host();
    let mut launch = launch("endless");
    launch.stop_timeout = Duration::from_millis(100);
    let revision = host.deploy(launch);
    let process = pid(&revision).await;
    let gone = folder.path().join("gone");
    let endless = spawn_call(&revision, format!("hang {}", gone.display()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    host.shutdown().await;
    assert!(!exists(process));
    assert!(matches!(endless.await.unwrap(), Err(CallError::Unknown(_))));
    assert!(asleep(&revision.instances().borrow()));
    assert!(matches!(
        call(&revision, "x").await,
        Err(CallError::NotRun(_))
    ));
}

#[tokio::test]
async fn grandchildren_go_with_their_process() {
    let host = host();
    for launch in [launch("family"), launch_on_port("family-port")] {
        let revision = host.deploy(launch);
        let child = call(&revision, "grandchild").await.unwrap();
        let child: u32 = child.parse().unwrap();
        assert!(runs(child));
        revision.retire().await;
        eventually("the grandchild is gone", || !runs(child)).await;
    }
    host.shutdown().await;
}

#[tokio::test]
async fn grandchildren_go_when_their_process_crashes() {
    let host = host();
    let revision = host.deploy(launch("orphans"));
    let child = call(&revision, "grandchild").await.unwrap();
    let child: u32 = child.parse().unwrap();
    assert!(call(&revision, "crash").await.is_err());
    eventually("the grandchild is gone", || !runs(child)).await;
    host.shutdown().await;
}

#[test]
fn processes_die_with_a_platform_that_is_killed() {
    let mut platform = Command::new(example("orphan"))
        .args([example("plain"), example("sdk")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(platform.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "awake");
    let processes = children(platform.id());
    assert_eq!(processes.len(), 3);
    assert!(processes.iter().all(|process| runs(*process)));
    platform.kill().unwrap();
    platform.wait().unwrap();
    let begun = std::time::Instant::now();
    while processes.iter().any(|process| runs(*process)) {
        assert!(begun.elapsed() < crate::scene::PATIENCE, "{processes:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
