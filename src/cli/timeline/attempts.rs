//! A task's attempts: when each began, how long it took, how it ended.

use dormouse_broker::{AttemptOutcome, AttemptRecord, TaskRecord};

use super::super::readable::{hung, millis_between, plain, span};

/// A line for each attempt, and under it what went wrong.
pub(in super::super) fn list(task: &TaskRecord) -> String {
    let lines = |attempt: &AttemptRecord| {
        let round = match task.round {
            1 => String::new(),
            _ => format!("round {}, ", attempt.round),
        };
        let took = took(attempt);
        let took = took.map_or_else(String::new, |took| format!(", took {}", span(took)));
        let mut text = format!(
            "    {round}attempt {} at {}{took}: {}\n",
            attempt.attempt,
            offset(&task.accepted_at, &attempt.started_at),
            how(attempt.outcome),
        );
        if let Some(error) = &attempt.error {
            // Which one failed stands in the line above.
            let number = format!("attempt {} failed: ", attempt.attempt);
            text.push_str(&hung(
                "      ",
                error.strip_prefix(&number).unwrap_or(error),
            ));
        }
        text
    };
    task.attempts.iter().map(lines).collect()
}

/// How an attempt ended and after how long, in a few words.
pub(super) fn ending(attempt: &AttemptRecord) -> String {
    let took = took(attempt).map_or_else(String::new, |took| format!("took {}", span(took)));
    match attempt.outcome {
        // The line itself says it.
        AttemptOutcome::Completed | AttemptOutcome::Suspended | AttemptOutcome::Running => took,
        AttemptOutcome::NotRun
        | AttemptOutcome::Failed
        | AttemptOutcome::Unknown
        | AttemptOutcome::Cancelled
        | AttemptOutcome::Overtaken => format!("{took}, {}", how(attempt.outcome)),
    }
}

fn took(attempt: &AttemptRecord) -> Option<i64> {
    let start = attempt.started_at.parse().ok()?;
    let end = attempt.ended_at.as_ref()?.parse().ok()?;
    Some(millis_between(start, end))
}

fn how(outcome: AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::Running => "runs",
        AttemptOutcome::Completed => "completed",
        AttemptOutcome::Suspended => "suspended",
        AttemptOutcome::NotRun => "did not run",
        AttemptOutcome::Failed => "ran and failed",
        AttemptOutcome::Unknown | AttemptOutcome::Cancelled => "may have run",
        AttemptOutcome::Overtaken => "overtaken by an earlier one",
    }
}

/// How long after the task was accepted something happened.
pub(super) fn offset(accepted_at: &str, at: &str) -> String {
    match (accepted_at.parse(), at.parse()) {
        (Ok(start), Ok(at)) => format!("+{}", span(millis_between(start, at))),
        (Ok(_) | Err(_), _) => plain(at),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::flaky;
    use super::*;

    #[test]
    fn each_attempt_says_when_how_long_and_what_went_wrong() {
        assert_eq!(
            list(&flaky()),
            "    attempt 1 at +2 ms, took 12 ms: may have run
      the function answered 500
    attempt 2 at +3.1 s, took 100 ms: did not run
      the function answered 429: 1 retry is used up
"
        );
    }

    #[test]
    fn what_runs_has_taken_no_time_yet_and_rounds_are_told_apart() {
        let mut task = flaky();
        task.round = 2;
        task.attempts[1].round = 2;
        task.attempts[1].ended_at = None;
        task.attempts[1].outcome = AttemptOutcome::Running;
        task.attempts[1].error = None;
        let text = list(&task);
        assert!(text.contains("    round 1, attempt 1 "), "{text}");
        assert!(text.ends_with(": runs\n"), "{text}");
    }
}
