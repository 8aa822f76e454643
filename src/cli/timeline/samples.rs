//! Tasks and events for tests.

use dormouse_broker::{
    AttemptOutcome, AttemptRecord, DeadLetter, EventRecord, HistoryEntry, Seq, State, TaskId,
    TaskRecord,
};
use dormouse_contract::task::{Failed, Outcome, TaskError};

pub(in super::super) fn entry(at: &str, to: State, by: &str, why: &str) -> HistoryEntry {
    HistoryEntry {
        at: at.into(),
        to,
        by: by.into(),
        why: why.into(),
        outcome: None,
    }
}

/// A call whose second attempt broke off.
pub(in super::super) fn failed() -> TaskRecord {
    TaskRecord {
        id: TaskId::new(),
        pool: "educational".into(),
        capability: "content-generation".into(),
        principal: "local/anonymous".into(),
        state: State::Failed,
        round: 1,
        attempt: 2,
        accepted_at: "2026-03-01T12:00:00Z".into(),
        changed_at: "2026-03-01T12:00:12.300Z".into(),
        asks: Vec::new(),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
        event: None,
        trigger: None,
        redrive_of: None,
        redriven_as: None,
        dead_letter: None,
        failure: Some(Failed {
            error: TaskError {
                code: -32603,
                message: "the function\nbroke off".into(),
                data: None,
            },
            outcome: Outcome::Unknown,
        }),
        attempts: vec![],
        history: vec![
            entry("2026-03-01T12:00:00Z", State::Accepted, "caller", ""),
            entry(
                "2026-03-01T12:00:00.002Z",
                State::Running,
                "broker",
                "attempt 1",
            ),
            entry(
                "2026-03-01T12:00:12.300Z",
                State::Failed,
                "function",
                "broke off",
            ),
        ],
    }
}

/// An event whose two attempts are used up.
pub(in super::super) fn flaky() -> TaskRecord {
    let [accepted, first, failed_first, second, failed_second] = [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.002Z",
        "2026-03-01T12:00:00.014Z",
        "2026-03-01T12:00:03.100Z",
        "2026-03-01T12:00:03.200Z",
    ];
    let attempt = |attempt, start: &str, end: &str, outcome, error: &str| AttemptRecord {
        round: 1,
        attempt,
        started_at: start.into(),
        ended_at: Some(end.into()),
        outcome,
        error: Some(error.into()),
    };
    let why = "attempt 1 failed: the function answered 500";
    let last = "the function answered 429: 1 retry is used up";
    TaskRecord {
        pool: "flaky".into(),
        capability: "com.example.flaky".into(),
        changed_at: failed_second.into(),
        event: Some(Seq(17)),
        trigger: Some("all".into()),
        dead_letter: Some(DeadLetter::Open),
        attempts: vec![
            attempt(1, first, failed_first, AttemptOutcome::Unknown, why),
            attempt(2, second, failed_second, AttemptOutcome::NotRun, last),
        ],
        history: vec![
            entry(accepted, State::Accepted, "caller", ""),
            entry(first, State::Running, "broker", "attempt 1"),
            entry(failed_first, State::Accepted, "function", why),
            entry(second, State::Running, "broker", "attempt 2"),
            entry(failed_second, State::Failed, "function", last),
        ],
        ..failed()
    }
}

/// The event of [`flaky`].
pub(in super::super) fn event() -> EventRecord {
    EventRecord {
        seq: Seq(17),
        id: "1".into(),
        source: "/test".into(),
        ty: "com.example.flaky".into(),
        subject: Some("lesson/7".into()),
        received_at: "2026-03-01T12:00:00Z".into(),
        hops: 0,
        via: None,
        cause: None,
        size: 14,
        tasks: 1,
    }
}
