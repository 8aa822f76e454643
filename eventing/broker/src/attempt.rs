//! A task's deliveries, read out of its history: when each began and ended, and how.

use dormouse_contract::task::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::LATE;
use crate::record::HistoryEntry;
use crate::task::State;

/// One delivery of a task to its function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRecord {
    /// The round that it belongs to, from 1.
    pub round: u32,
    /// From 1 in each round.
    pub attempt: u32,
    /// When it was handed out, before its first byte left; RFC 3339.
    pub started_at: String,
    /// When its end was known, RFC 3339; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// What went wrong, in words, when something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// It has not ended.
    Running,
    /// With a result.
    Completed,
    /// With questions, whose answers begin another round.
    Suspended,
    /// It failed, and the handler surely did not start.
    NotRun,
    /// The handler ran and says that it failed.
    Failed,
    /// It failed, and nobody knows whether the handler ran.
    Unknown,
    /// The task was cancelled meanwhile; the handler may have run.
    Cancelled,
    /// An earlier attempt answered meanwhile.
    Overtaken,
}

impl From<Outcome> for AttemptOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::NotRun => Self::NotRun,
            Outcome::Failed => Self::Failed,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

/// The attempts that a history tells of, oldest first.
pub(crate) fn attempts(history: &[HistoryEntry]) -> Vec<AttemptRecord> {
    let mut attempts: Vec<AttemptRecord> = Vec::new();
    let (mut round, mut attempt, mut before) = (1, 0, None);
    for entry in history {
        match entry.to {
            State::Running => {
                attempt += 1;
                attempts.push(AttemptRecord {
                    round,
                    attempt,
                    started_at: entry.at.clone(),
                    ended_at: None,
                    outcome: AttemptOutcome::Running,
                    error: None,
                });
            }
            State::Accepted if before == Some(State::Suspended) => {
                (round, attempt) = (round + 1, 0);
            }
            State::Accepted
            | State::Suspended
            | State::Completed
            | State::Failed
            | State::Cancelled => {
                let running = attempts.last_mut();
                if let Some(last) = running.filter(|last| last.ended_at.is_none()) {
                    end(last, entry);
                }
            }
        }
        before = Some(entry.to);
    }
    attempts
}

fn end(attempt: &mut AttemptRecord, entry: &HistoryEntry) {
    attempt.ended_at = Some(entry.at.clone());
    attempt.outcome = match entry.to {
        State::Completed if entry.why == LATE => AttemptOutcome::Overtaken,
        State::Completed => AttemptOutcome::Completed,
        State::Suspended => AttemptOutcome::Suspended,
        State::Cancelled => AttemptOutcome::Cancelled,
        State::Accepted | State::Running | State::Failed => entry
            .outcome
            .map_or(AttemptOutcome::Unknown, AttemptOutcome::from),
    };
    attempt.error = match attempt.outcome {
        AttemptOutcome::Running | AttemptOutcome::Completed | AttemptOutcome::Suspended => None,
        AttemptOutcome::NotRun
        | AttemptOutcome::Failed
        | AttemptOutcome::Unknown
        | AttemptOutcome::Cancelled
        | AttemptOutcome::Overtaken => (!entry.why.is_empty()).then(|| entry.why.clone()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: u32, to: State, why: &str, outcome: Option<Outcome>) -> HistoryEntry {
        HistoryEntry {
            at: at.to_string(),
            to,
            by: "broker".to_owned(),
            why: why.to_owned(),
            outcome,
        }
    }

    fn told(history: &[HistoryEntry]) -> Vec<(u32, u32, String, Option<String>, AttemptOutcome)> {
        let told = attempts(history).into_iter();
        told.map(|it| (it.round, it.attempt, it.started_at, it.ended_at, it.outcome))
            .collect()
    }

    #[test]
    fn each_attempt_has_its_start_its_end_and_its_error() {
        let history = [
            entry(1, State::Accepted, "", None),
            entry(2, State::Running, "attempt 1", None),
            entry(3, State::Accepted, "HTTP 500", Some(Outcome::Unknown)),
            entry(4, State::Running, "attempt 2", None),
            entry(5, State::Failed, "refused", Some(Outcome::NotRun)),
            entry(6, State::Failed, "redriven as task x", None),
        ];
        let attempts = attempts(&history);
        assert_eq!(attempts.len(), 2);
        assert_eq!(attempts[0].error.as_deref(), Some("HTTP 500"));
        assert_eq!(attempts[1].error.as_deref(), Some("refused"));
        assert_eq!(
            told(&history),
            [
                (1, 1, "2".into(), Some("3".into()), AttemptOutcome::Unknown),
                (1, 2, "4".into(), Some("5".into()), AttemptOutcome::NotRun),
            ]
        );
    }

    #[test]
    fn rounds_begin_anew_and_what_runs_has_no_end() {
        let history = [
            entry(1, State::Accepted, "", None),
            entry(2, State::Running, "", None),
            entry(3, State::Suspended, "", None),
            entry(4, State::Accepted, "answered", None),
            entry(5, State::Running, "", None),
        ];
        assert_eq!(
            told(&history),
            [
                (
                    1,
                    1,
                    "2".into(),
                    Some("3".into()),
                    AttemptOutcome::Suspended
                ),
                (2, 1, "5".into(), None, AttemptOutcome::Running),
            ]
        );
    }

    #[test]
    fn an_answer_of_an_earlier_attempt_overtakes_the_running_one() {
        let mut history = vec![
            entry(1, State::Accepted, "", None),
            entry(2, State::Running, "", None),
            entry(3, State::Accepted, "timeout", Some(Outcome::Unknown)),
            entry(4, State::Running, "", None),
            entry(5, State::Completed, LATE, None),
        ];
        let last = attempts(&history).pop().unwrap();
        assert_eq!(last.outcome, AttemptOutcome::Overtaken);
        // Or nothing runs when it comes.
        history.remove(3);
        assert_eq!(attempts(&history).len(), 1);
    }
}
