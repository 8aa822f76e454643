//! The platform dies by `kill -9` again and again; every call still ends in exactly one answer.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;
use crate::session::{Gone, Session};

const CALLS: usize = 2_000;
const CONNECTIONS: usize = 16;
/// Calls in flight on one connection.
const LANES: usize = 4;
const KILLS: usize = 12;

/// One call: even ones say that they may run twice, odd ones do not.
#[derive(Debug, Clone, Copy)]
struct Call(usize);

/// How a call ended, as its caller sees it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Succeeded,
    Unknown,
}

#[tokio::test]
async fn every_call_ends_in_exactly_one_answer() {
    let pool = Pool::fixture("fixture").with(
        "delivery",
        json!({"retry": 50, "backoffDelay": "20ms", "backoffPolicy": "linear"}),
    );
    let mut platform = Setup::new([pool]).fixed_ports().start().await;
    let address = platform.mcp().to_owned();
    let folder = platform.folder();

    let answered = AtomicUsize::new(0);
    let callers = (0..CONNECTIONS).map(|connection| {
        let calls = (connection..CALLS).step_by(CONNECTIONS).map(Call).collect();
        ask_all(&address, &folder, calls, &answered)
    });
    let (answers, ()) = tokio::join!(join_all(callers), kill_often(&mut platform, &answered));
    let answers: HashMap<_, _> = answers.into_iter().flatten().collect();
    assert_eq!(answers.len(), CALLS, "every call has an answer");
    check_runs(&answers, &folder);
    check_repeated(&answers, &address, &folder).await;
}

/// Kills and restarts it, spread over the calls rather than over time: every kill meets calls in
/// flight.
async fn kill_often(platform: &mut Platform, answered: &AtomicUsize) {
    for kill in 1..=KILLS {
        let after = kill * CALLS / (KILLS + 1);
        eventually("more answers", async || {
            (answered.load(Ordering::Relaxed) >= after).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..20))).await;
        platform.kill().await;
        platform.restart().await;
    }
}

/// The counters that the function kept: one line for each run.
fn check_runs(answers: &HashMap<usize, Value>, folder: &Path) {
    let lines = |name| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let mut runs: HashMap<usize, usize> = HashMap::new();
    for text in [lines("idempotent"), lines("once")] {
        for line in text.lines() {
            let call = line.trim_start_matches("call-").parse().expect("a key");
            *runs.entry(call).or_default() += 1;
        }
    }
    let mut unknown = 0;
    for (call, answer) in answers {
        let runs = runs.get(call).copied().unwrap_or(0);
        match (Call(*call).may_run_twice(), outcome(answer)) {
            (true, Outcome::Succeeded) => assert!(runs >= 1, "call {call} ran {runs} times"),
            (true, Outcome::Unknown) => panic!("call {call} should have been repeated: {answer}"),
            (false, Outcome::Succeeded) => assert_eq!(runs, 1, "call {call}: {answer}"),
            (false, Outcome::Unknown) => {
                assert!(runs <= 1, "call {call} ran {runs} times");
                unknown += 1;
            }
        }
    }
    let again = runs.values().filter(|runs| **runs > 1).count();
    println!("{KILLS} kills, {CALLS} calls: {again} ran again, {unknown} ended as unknown");
}

/// Whoever asks again with the same key gets the same answer, and nothing runs.
async fn check_repeated(answers: &HashMap<usize, Value>, address: &str, folder: &Path) {
    let session = Session::open(address).await;
    let lines = || ["idempotent", "once"].map(|name| fs::read(folder.join(name)).ok());
    let before = lines();
    for (call, answer) in answers {
        let again = session.ask("tools/call", Call(*call).params(folder)).await;
        let again = again.expect("the platform is up");
        assert_eq!(again["result"], answer["result"], "call {call}");
    }
    assert_eq!(lines(), before);
}

impl Call {
    fn may_run_twice(self) -> bool {
        self.0.is_multiple_of(2)
    }

    fn params(self, folder: &Path) -> Value {
        let (tool, file) = match self.may_run_twice() {
            true => ("count_idempotent", "idempotent"),
            false => ("count", "once"),
        };
        let key = format!("call-{}", self.0);
        json!({
            "name": tool,
            "arguments": {"file": folder.join(file), "key": key},
            "_meta": {"dev.dormouse/idempotencyKey": key},
        })
    }
}

/// What an answer says; panics when it is none that a caller could live with.
fn outcome(answer: &Value) -> Outcome {
    let result = &answer["result"];
    match &result["_meta"]["dev.dormouse/outcome"] {
        Value::Null if result["isError"] != true && result.is_object() => Outcome::Succeeded,
        Value::String(word) if word == "unknown" && result["isError"] == true => Outcome::Unknown,
        _ => panic!("neither a success nor unknown: {answer}"),
    }
}

/// Asks until every call has its answer, coming back whenever the connection is gone.
async fn ask_all(
    address: &str,
    folder: &Path,
    calls: Vec<Call>,
    answered: &AtomicUsize,
) -> Vec<(usize, Value)> {
    let mut answers = Vec::new();
    let mut open = calls;
    while !open.is_empty() {
        let session = eventually("the platform to be back", async || {
            Session::try_open(address).await.ok()
        })
        .await;
        let asked = ask_while_connected(&session, folder, &open, answered).await;
        open.retain(|call| !asked.iter().any(|(answered, _)| *answered == call.0));
        answers.extend(asked);
    }
    answers
}

async fn ask_while_connected(
    session: &Session,
    folder: &Path,
    calls: &[Call],
    answered: &AtomicUsize,
) -> Vec<(usize, Value)> {
    let lanes = (0..LANES).map(async |lane| {
        let mut answers = Vec::new();
        for call in calls.iter().skip(lane).step_by(LANES) {
            match session.ask("tools/call", call.params(folder)).await {
                Ok(answer) if is_worth_asking_again(&answer) => {}
                Ok(answer) => {
                    answered.fetch_add(1, Ordering::Relaxed);
                    answers.push((call.0, answer));
                }
                Err(Gone) => break,
            }
        }
        answers
    });
    join_all(lanes).await.into_iter().flatten().collect()
}

/// The platform says that nothing has run: busy, stopping, or the function could not be reached.
fn is_worth_asking_again(answer: &Value) -> bool {
    answer.get("error").is_some() || answer["result"]["_meta"]["dev.dormouse/outcome"] == "not-run"
}
