//! One task as a timeline: what it is, all that happened to it, how it ended.

use dormouse_broker::{HistoryEntry, OpenAsk, State, TaskRecord};
use dormouse_contract::task::{Failed, Outcome};
use jiff::Timestamp;

use super::readable::{ago, millis_between, moment, plain, span};

/// The whole page for one task.
pub(super) fn render(task: &TaskRecord, now: Timestamp) -> String {
    let mut text = format!(
        "{} of {}\n  task      {}\n  state     {}\n  caller    {}\n  accepted  {}\n",
        plain(&task.capability),
        plain(&task.pool),
        task.id,
        standing(task, now),
        plain(&task.principal),
        when(&task.accepted_at, now),
    );
    if let Some(trace) = task.traceparent.split('-').nth(1) {
        text.push_str(&format!("  trace     {trace}\n"));
    }
    if !task.history.is_empty() {
        text.push('\n');
    }
    for entry in &task.history {
        text.push_str(&line(entry, &task.accepted_at));
    }
    text.push_str(&questions(&task.asks));
    if let Some(failure) = &task.failure {
        text.push_str(&verdict(failure));
    }
    text
}

/// The state, and for how long: until the end for what has ended, until now for what has not.
fn standing(task: &TaskRecord, now: Timestamp) -> String {
    let state = word(task.state);
    let (from, to) = match task.state {
        State::Completed | State::Failed | State::Cancelled => {
            (&task.accepted_at, task.changed_at.parse().ok())
        }
        State::Accepted | State::Running | State::Suspended => (&task.changed_at, Some(now)),
    };
    let preposition = match task.state {
        State::Completed | State::Failed | State::Cancelled => "after",
        State::Accepted | State::Running | State::Suspended => "for",
    };
    let mut text = match (from.parse(), to) {
        (Ok(from), Some(to)) => {
            format!("{state} {preposition} {}", span(millis_between(from, to)))
        }
        (Ok(_) | Err(_), _) => state.to_owned(),
    };
    if task.round > 1 {
        text.push_str(&format!(", round {}", task.round));
    }
    if task.attempt > 1 {
        text.push_str(&format!(", attempt {}", task.attempt));
    }
    text
}

fn when(at: &str, now: Timestamp) -> String {
    match at.parse() {
        Ok(then) => format!("{} ({})", moment(then), ago(then, now)),
        Err(_) => plain(at),
    }
}

fn line(entry: &HistoryEntry, accepted_at: &str) -> String {
    let offset = match (accepted_at.parse(), entry.at.parse()) {
        (Ok(start), Ok(at)) => format!("+{}", span(millis_between(start, at))),
        (Ok(_) | Err(_), _) => plain(&entry.at),
    };
    let line = format!(
        "{offset:>14}  {:<9}  by {:<10}  {}",
        word(entry.to),
        plain(&entry.by),
        plain(&entry.why)
    );
    format!("{}\n", line.trim_end())
}

/// What a suspended task waits for, a line each.
fn questions(asks: &[OpenAsk]) -> String {
    let mut text = String::new();
    for (index, ask) in asks.iter().enumerate() {
        let label = if index == 0 {
            "\n  waits for"
        } else {
            "           "
        };
        text.push_str(&format!(
            "{label} {} ({})",
            plain(&ask.name),
            plain(&ask.method)
        ));
        if let Some(message) = &ask.message {
            text.push_str(&format!(": {}", plain(message)));
        }
        text.push('\n');
    }
    text
}

fn verdict(failure: &Failed) -> String {
    let outcome = match failure.outcome {
        Outcome::NotRun => "it did not run: calling again is safe",
        Outcome::Failed => "it ran, and says that it failed",
        Outcome::Unknown => "nobody knows whether it ran: look before you call again",
    };
    format!(
        "\n  error     {}\n            {outcome}\n",
        plain(&failure.error.message)
    )
}

/// A state as people and the API spell it.
pub(super) fn word(state: State) -> &'static str {
    match state {
        State::Accepted => "accepted",
        State::Running => "running",
        State::Suspended => "suspended",
        State::Completed => "completed",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use dormouse_broker::TaskId;
    use dormouse_contract::task::TaskError;

    use super::*;

    fn entry(at: &str, to: State, by: &str, why: &str) -> HistoryEntry {
        HistoryEntry {
            at: at.into(),
            to,
            by: by.into(),
            why: why.into(),
            outcome: None,
        }
    }

    fn failed() -> TaskRecord {
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
                    "dispatcher",
                    "attempt 1",
                ),
                entry(
                    "2026-03-01T12:00:12.300Z",
                    State::Failed,
                    "dispatcher",
                    "broke off",
                ),
            ],
        }
    }

    #[test]
    fn a_timeline_tells_when_who_and_why() {
        let text = render(&failed(), "2026-03-01T12:03:00Z".parse().unwrap());
        for expected in [
            "content-generation of educational\n",
            "failed after 12.3 s, attempt 2\n",
            "2026-03-01 12:00:00 UTC (3 min ago)\n",
            "trace     4bf92f3577b34da6a3ce929d0e0e4736\n",
            "         +0 ms  accepted   by caller\n",
            "         +2 ms  running    by dispatcher  attempt 1\n",
            "       +12.3 s  failed     by dispatcher  broke off\n",
            "error     the function broke off\n",
            "nobody knows whether it ran",
        ] {
            assert!(text.contains(expected), "{expected:?} in\n{text}");
        }
    }

    #[test]
    fn what_sleeps_says_what_it_waits_for() {
        let ask = |name: &str, message: Option<&str>| OpenAsk {
            name: name.into(),
            method: "elicitation/create".into(),
            message: message.map(str::to_owned),
        };
        let task = TaskRecord {
            state: State::Suspended,
            round: 2,
            attempt: 1,
            failure: None,
            asks: vec![ask("grade", Some("Which\ngrade?")), ask("url", None)],
            history: vec![
                entry(
                    "2026-03-01T12:00:01Z",
                    State::Suspended,
                    "function",
                    "asks `language` (elicitation/create)",
                ),
                entry(
                    "2026-03-01T12:00:03Z",
                    State::Accepted,
                    "caller",
                    "`language` answered: round 2 follows",
                ),
            ],
            ..failed()
        };
        let text = render(&task, "2026-03-01T12:00:14.300Z".parse().unwrap());
        for expected in [
            "suspended for 2.0 s, round 2\n",
            "+1.0 s  suspended  by function    asks `language` (elicitation/create)\n",
            "+3.0 s  accepted   by caller      `language` answered: round 2 follows\n",
            "  waits for grade (elicitation/create): Which grade?\n",
            "            url (elicitation/create)\n",
        ] {
            assert!(text.contains(expected), "{expected:?} in\n{text}");
        }
    }

    #[test]
    fn what_goes_on_is_told_by_its_age() {
        let task = TaskRecord {
            state: State::Running,
            failure: None,
            attempt: 1,
            ..failed()
        };
        let text = render(&task, "2026-03-01T12:00:14.300Z".parse().unwrap());
        assert!(text.contains("running for 2.0 s\n"), "{text}");
    }
}
