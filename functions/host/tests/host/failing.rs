//! Programs that cannot start, crash, or answer rubbish.

use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::registration::{CallError, Unwritten};
use dormouse_host::{Launch, Listen};
use http::Request;
use tower::Service as _;

use crate::scene::{
    PATIENCE, asleep, call, eventually, exists, host, launch, launch_on_port, pid, until,
};

fn not_run(error: CallError) -> String {
    match error {
        CallError::NotRun(words) => words,
        other @ (CallError::Unknown(_) | CallError::Held { .. }) => panic!("{other:?}"),
    }
}

fn unknown(error: CallError) -> String {
    match error {
        CallError::Unknown(words) => words,
        other @ (CallError::NotRun(_) | CallError::Held { .. }) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_crash_at_start_is_told_in_words_and_backed_off() {
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let host = host();
    for mut launch in [launch("fails"), launch_on_port("fails-port")] {
        launch.args.push("--fail=no database".to_owned());
        launch.args.push(format!("--count={}", count.display()));
        let revision = host.deploy(launch);
        let words = not_run(call(&revision, "x").await.unwrap_err());
        for part in ["pool `fails", "exit status: 7", "starting | no database"] {
            assert!(words.contains(part), "{words}");
        }
        let instances = until(&revision, |instances| instances.failure.is_some()).await;
        assert_eq!(instances.state(), "failing");
        // However often it is called: most calls start nothing.
        for _ in 0..200 {
            not_run(call(&revision, "x").await.unwrap_err());
        }
        let starts = std::fs::read(&count).unwrap().len();
        assert!((1..20).contains(&starts), "{starts} starts");
        std::fs::remove_file(&count).unwrap();
    }
    host.shutdown().await;
}

#[tokio::test]
async fn a_success_ends_the_failure() {
    let folder = tempfile::tempdir().unwrap();
    let host = host();
    let mut launch = launch("recovers");
    let flag = folder.path().join("failed");
    launch.args.push(format!("--fail-once={}", flag.display()));
    let revision = host.deploy(launch);
    not_run(call(&revision, "x").await.unwrap_err());
    let begun = std::time::Instant::now();
    while call(&revision, "x").await.is_err() {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(revision.instances().borrow().failure, None);
    host.shutdown().await;
}

#[tokio::test]
async fn a_missing_program_and_one_that_is_none_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "text").unwrap();
    let host = host();
    for listen in [Listen::Stdin, Listen::Port] {
        for (program, part) in [
            (folder.path().join("missing"), "does not exist"),
            (file.clone(), "not executable"),
        ] {
            let mut launch = Launch::new("missing", "missing-1", program);
            launch.listen = listen;
            let words = not_run(call(&host.deploy(launch), "x").await.unwrap_err());
            assert!(words.contains(part), "{words}");
        }
    }
    host.shutdown().await;
}

#[tokio::test]
async fn a_program_that_never_gets_ready_is_given_up() {
    let host = host();
    for mut launch in [launch("slow"), launch_on_port("slow-port")] {
        launch.args.push("--never-ready".to_owned());
        launch.start_timeout = Duration::from_millis(200);
        let revision = host.deploy(launch);
        let words = not_run(call(&revision, "x").await.unwrap_err());
        assert!(words.contains("200ms"), "{words}");
        assert!(asleep(&revision.instances().borrow()));
    }
    host.shutdown().await;
}

#[tokio::test]
async fn a_call_that_waits_for_its_process_has_not_left_yet() {
    let request = |unwritten: &Unwritten| {
        let mut request = Request::new(Bytes::from_static(b"x"));
        *request.method_mut() = http::Method::POST;
        request.extensions_mut().insert(unwritten.clone());
        request
    };
    let host = host();
    let mut stuck = launch("stuck");
    stuck.args.push("--never-ready".to_owned());
    let mut revision = host.deploy(stuck);
    let unwritten = Unwritten::default();
    let call = tokio::spawn(revision.call(request(&unwritten)));
    until(&revision, |instances| instances.waking == 1).await;
    assert!(unwritten.get());
    call.abort();

    let unwritten = Unwritten::default();
    let mut revision = host.deploy(launch("quick"));
    revision.call(request(&unwritten)).await.unwrap();
    assert!(!unwritten.get());
    host.shutdown().await;
}

#[tokio::test]
async fn a_crash_during_a_call_is_unknown_and_harms_nobody_else() {
    let host = host();
    for launch in [launch("crashes"), launch_on_port("crashes-port")] {
        let revision = host.deploy(launch);
        // The first call of a process too: it may have acted before it died.
        for _ in 0..2 {
            let words = unknown(call(&revision, "crash").await.unwrap_err());
            for part in ["may have acted", "exit status: 3", "about to crash"] {
                assert!(words.contains(part), "{words}");
            }
        }
        assert_eq!(call(&revision, "fine").await.unwrap(), "fine");
        assert_eq!(revision.instances().borrow().failure, None);
    }
    host.shutdown().await;
}

#[tokio::test]
async fn a_process_that_died_while_idle_costs_no_call() {
    let host = host();
    for launch in [launch("killed"), launch_on_port("killed-port")] {
        let revision = host.deploy(launch);
        for _ in 0..20 {
            let pid = pid(&revision).await;
            let raw = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            rustix::process::kill_process(raw, rustix::process::Signal::KILL).unwrap();
            // The connection is closed when the process has ended, which the host may not know yet.
            eventually("it ended", || !crate::scene::runs(pid)).await;
            assert_eq!(call(&revision, "fine").await.unwrap(), "fine");
        }
    }
    host.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_unknown() {
    let host = host();
    let revision = host.deploy(launch("large"));
    let just_right = 8 * 1024 * 1024;
    let answer = call(&revision, &format!("large {just_right}"))
        .await
        .unwrap();
    assert_eq!(answer.len(), just_right);
    let verb = format!("large {}", just_right + 1);
    let words = unknown(call(&revision, &verb).await.unwrap_err());
    assert!(words.contains("larger than 8 MiB"), "{words}");
    host.shutdown().await;
}

#[tokio::test]
async fn giving_up_a_call_closes_its_connection() {
    let folder = tempfile::tempdir().unwrap();
    let host = host();
    for (launch, file) in [(launch("hang"), "a"), (launch_on_port("hang-port"), "b")] {
        let gone = folder.path().join(file);
        let revision = host.deploy(launch);
        let verb = format!("hang {}", gone.display());
        let pid = pid(&revision).await;
        let call_and_leave =
            tokio::time::timeout(Duration::from_millis(50), call(&revision, &verb));
        assert!(call_and_leave.await.is_err());
        eventually("the function sees it", || gone.exists()).await;
        assert!(exists(pid));
        assert_eq!(call(&revision, "fine").await.unwrap(), "fine");
    }
    host.shutdown().await;
}
