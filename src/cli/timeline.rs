//! One task as a timeline: what it is, all that happened to it, how it ended.

pub(super) mod attempts;
#[cfg(test)]
pub(super) mod samples;

use dormouse_broker::{
    AttemptRecord, DeadLetter, EventRecord, HistoryEntry, OpenAsk, State, TaskRecord,
};
use dormouse_contract::task::{Failed, Outcome};
use jiff::Timestamp;

use super::readable::{ago, hung, millis_between, moment, plain, span};

/// The whole page for one task; `event` is the one that it handles, where the log still has it.
pub(super) fn render(task: &TaskRecord, event: Option<&EventRecord>, now: Timestamp) -> String {
    let mut text = format!(
        "{} of {}\n  task      {}\n  state     {}\n  caller    {}\n  accepted  {}\n",
        plain(&task.capability),
        plain(&task.pool),
        task.id,
        standing(task, now),
        plain(&task.principal),
        when(&task.accepted_at, now),
    );
    text.push_str(&origin(task, event));
    if let Some(trace) = task.traceparent.split('-').nth(1) {
        text.push_str(&format!("  trace     {trace}\n"));
    }
    if !task.history.is_empty() {
        text.push('\n');
    }
    let (mut attempts, mut running) = (task.attempts.iter(), None);
    for entry in &task.history {
        let ended = running.take();
        if entry.to == State::Running {
            running = attempts.next();
        }
        text.push_str(&line(entry, ended, &task.accepted_at));
    }
    text.push_str(&questions(&task.asks));
    if let Some(failure) = &task.failure {
        text.push_str(&verdict(failure));
    }
    text
}

/// Where it comes from and what came after it: its event and the way that it came, the dead letter
/// that it runs again, the task that runs it again.
fn origin(task: &TaskRecord, event: Option<&EventRecord>) -> String {
    let mut text = String::new();
    if let Some(seq) = task.event {
        text.push_str(&format!("  event     {seq}"));
        if let Some(event) = event {
            let (id, source) = (plain(&event.id), plain(&event.source));
            text.push_str(&format!(": {id} from {source}"));
        }
        text.push('\n');
    }
    if let Some(trigger) = &task.trigger {
        text.push_str(&format!("  trigger   {}\n", plain(trigger)));
    }
    if let Some(event) = event {
        text.push_str(&way(event));
    }
    if let Some(old) = task.redrive_of {
        text.push_str(&format!("  redrives  {old}\n"));
    }
    let fate = match (task.dead_letter, task.redriven_as) {
        (_, Some(new)) => format!("redriven as {new}"),
        (Some(DeadLetter::Open), None) => "waits to be redriven or discarded".to_owned(),
        (Some(DeadLetter::Redriven), None) => "redriven".to_owned(),
        (Some(DeadLetter::Discarded), None) => "discarded".to_owned(),
        (Some(DeadLetter::Forwarded), None) => "sent on to its dead letter sink".to_owned(),
        (None, None) => return text,
    };
    text.push_str(&format!("  dead      {fate}\n"));
    text
}

/// The pools that an event came through, and the task that sent it.
pub(super) fn way(event: &EventRecord) -> String {
    let mut text = String::new();
    if let Some(via) = &event.via {
        text.push_str(&hung("  way       ", &format!("through {via}")));
    }
    if let Some(cause) = event.cause {
        text.push_str(&format!("  sent by   {cause}\n"));
    }
    text
}

/// The state, and for how long: until the end for what has ended, until now for what has not.
pub(super) fn standing(task: &TaskRecord, now: Timestamp) -> String {
    let state = task.state.name();
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

pub(super) fn when(at: &str, now: Timestamp) -> String {
    match at.parse() {
        Ok(then) => format!("{} ({})", moment(then), ago(then, now)),
        Err(_) => plain(at),
    }
}

/// A line of the history; where an attempt ended with it, how and after how long.
fn line(entry: &HistoryEntry, ended: Option<&AttemptRecord>, accepted_at: &str) -> String {
    let label = format!(
        "{:>14}  {:<9}  {:<8}  ",
        attempts::offset(accepted_at, &entry.at),
        entry.to.name(),
        plain(&entry.by),
    );
    let mut words = entry.why.clone();
    if let Some(attempt) = ended {
        if !words.is_empty() {
            words.push_str("; ");
        }
        words.push_str(&attempts::ending(attempt));
    }
    hung(&label, &words)
}

/// What a suspended task waits for, a line each.
fn questions(asks: &[OpenAsk]) -> String {
    let mut text = match asks {
        [] => String::new(),
        [..] => "\n".to_owned(),
    };
    for (index, ask) in asks.iter().enumerate() {
        let label = if index == 0 {
            "  waits for "
        } else {
            "            "
        };
        let mut words = format!("{} ({})", ask.name, ask.method);
        if let Some(message) = &ask.message {
            words.push_str(&format!(": {message}"));
        }
        text.push_str(&hung(label, &words));
    }
    text
}

fn verdict(failure: &Failed) -> String {
    let outcome = match failure.outcome {
        Outcome::NotRun => "it did not run: calling again is safe",
        Outcome::Failed => "it ran, and says that it failed",
        Outcome::Unknown => "nobody knows whether it ran: look before you call again",
    };
    let error = hung("  error     ", &failure.error.message);
    format!("\n{error}            {outcome}\n")
}

#[cfg(test)]
mod tests {
    use super::samples::{entry, failed, flaky};
    use super::*;

    #[test]
    fn a_timeline_tells_when_who_and_why() {
        let text = render(&failed(), None, "2026-03-01T12:03:00Z".parse().unwrap());
        for expected in [
            "content-generation of educational\n",
            "failed after 12.3 s, attempt 2\n",
            "2026-03-01 12:00:00 UTC (3 min ago)\n",
            "trace     4bf92f3577b34da6a3ce929d0e0e4736\n",
            "         +0 ms  accepted   caller\n",
            "         +2 ms  running    broker    attempt 1\n",
            "       +12.3 s  failed     function  broke off\n",
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
        let text = render(&task, None, "2026-03-01T12:00:14.300Z".parse().unwrap());
        for expected in [
            "suspended for 2.0 s, round 2\n",
            "+1.0 s  suspended  function  asks `language` (elicitation/create)\n",
            "+3.0 s  accepted   caller    `language` answered: round 2 follows\n",
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
        let text = render(&task, None, "2026-03-01T12:00:14.300Z".parse().unwrap());
        assert!(text.contains("running for 2.0 s\n"), "{text}");
    }

    #[test]
    fn the_way_of_an_event_through_its_attempts_fits_a_terminal() {
        let (task, now) = (flaky(), "2026-03-01T12:03:00Z".parse().unwrap());
        let cause = task.id;
        let event = EventRecord {
            via: Some("first, second".into()),
            cause: Some(cause),
            ..samples::event()
        };
        let text = render(&task, Some(&event), now);
        for expected in [
            "  event     17: 1 from /test\n",
            "  trigger   all\n",
            "  way       through first, second\n",
            "  dead      waits to be redriven or discarded\n",
            "        +14 ms  accepted   function  attempt 1 failed: the function answered\n",
            "                                     500; took 12 ms, may have run\n",
            "+3.2 s  failed     function  the function answered 429: 1 retry is used\n",
            "up; took 100 ms, did not run\n",
        ] {
            assert!(text.contains(expected), "{expected:?} in\n{text}");
        }
        let widest = text.lines().map(str::len).max();
        assert!(widest <= Some(80), "{text}");
        assert!(text.contains(&format!("  sent by   {cause}\n")));
    }

    #[test]
    fn redrives_are_linked_both_ways() {
        let (old, new) = (flaky().id, flaky().id);
        let task = TaskRecord {
            redrive_of: Some(old),
            redriven_as: Some(new),
            ..flaky()
        };
        let text = render(&task, None, "2026-03-01T12:03:00Z".parse().unwrap());
        assert!(text.contains(&format!("  redrives  {old}\n")), "{text}");
        assert!(text.contains(&format!("  dead      redriven as {new}\n")));
    }

    #[test]
    fn an_attempt_is_told_where_it_ended_even_within_a_millisecond() {
        let mut task = flaky();
        let at = task.accepted_at.clone();
        task.history.iter_mut().for_each(|it| it.at.clone_from(&at));
        for attempt in &mut task.attempts {
            attempt.ended_at = Some(at.clone());
        }
        let text = render(&task, None, at.parse().unwrap());
        let lines = text.lines().filter(|line| line.contains("running"));
        assert!(lines.clone().all(|line| !line.contains("took")), "{text}");
    }
}
