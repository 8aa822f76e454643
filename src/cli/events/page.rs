//! One event as people read it: its attributes, its data, what became of it.

use dormouse_broker::TaskRecord;
use dormouse_contract::Event;
use dormouse_contract::http_binding::read_structured;
use dormouse_coordinator::api::EventView;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::readable::{hung, plain};
use super::super::timeline::{attempts, standing, way, when};

/// The most lines of data that are shown.
const LINES: usize = 60;

/// The whole page for one event.
pub(super) fn render(view: &EventView, now: Timestamp) -> String {
    let record = &view.record;
    let mut text = hung("", &format!("{} from {}", record.ty, record.source));
    text.push_str(&format!(
        "  place     {}\n  received  {}\n",
        record.seq,
        when(&record.received_at, now)
    ));
    text.push_str(&way(record));
    text.push_str(&describe(&view.event));
    text.push('\n');
    if view.deliveries.is_empty() {
        text.push_str("  no trigger takes it: `dormouse triggers test` says why\n");
    }
    for task in &view.deliveries {
        text.push_str(&delivery(task, now));
    }
    text
}

fn delivery(task: &TaskRecord, now: Timestamp) -> String {
    let pool = plain(&task.pool);
    let mut text = match &task.trigger {
        Some(trigger) => format!("  to {pool} by trigger {}", plain(trigger)),
        None => format!("  to {pool}"),
    };
    text.push_str(&format!(
        ": {}\n    task {}\n",
        standing(task, now),
        task.id
    ));
    if let Some(old) = task.redrive_of {
        text.push_str(&format!("    redrives {old}\n"));
    }
    text.push_str(&attempts::list(task));
    text
}

/// An event in the JSON event format: a line for each attribute that is more than its type and
/// source, and the data under it.
pub(in super::super) fn describe(event: &RawValue) -> String {
    match read_structured(event.get().as_bytes()) {
        Ok(event) => content(&event),
        Err(_) => data(event.get().as_bytes()),
    }
}

fn content(event: &Event) -> String {
    let mut text = hung("  id        ", &event.id);
    for (name, value) in [
        ("subject", &event.subject),
        ("time", &event.time),
        ("schema", &event.dataschema),
        ("content", &event.datacontenttype),
    ] {
        if let Some(value) = value {
            text.push_str(&hung(&format!("  {name:<8}  "), value));
        }
    }
    for (name, value) in &event.extensions {
        text.push_str(&hung(&format!("  {name:<8}  "), &value.to_text()));
    }
    if let Some(bytes) = &event.data {
        text.push('\n');
        text.push_str(&data(bytes));
    }
    text
}

/// Data as lines: JSON with its members under each other, text as it is, and of what is neither its
/// size.
pub(in super::super) fn data(bytes: &[u8]) -> String {
    let parsed: Option<Value> = serde_json::from_slice(bytes).ok();
    let shown = match (parsed, std::str::from_utf8(bytes)) {
        // A value writes itself in JSON.
        (Some(json), _) => format!("{json:#}"),
        (None, Ok(text)) => text.to_owned(),
        (None, Err(_)) => format!("({} bytes that are no text)", bytes.len()),
    };
    let mut text = String::new();
    for line in shown.lines().take(LINES) {
        text.push_str(format!("    {}", plain(line)).trim_end());
        text.push('\n');
    }
    let hidden = shown.lines().count().saturating_sub(LINES);
    if hidden > 0 {
        text.push_str(&format!(
            "    ({hidden} more lines: see all with -o json)\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::timeline::samples;
    use super::*;

    fn view(event: &str) -> EventView {
        EventView {
            record: samples::event(),
            event: RawValue::from_string(event.to_owned()).unwrap(),
            deliveries: vec![samples::flaky()],
        }
    }

    #[test]
    fn an_event_is_shown_with_its_data_and_its_deliveries() {
        let event = r#"{"specversion":"1.0","id":"1","source":"/test","type":"com.example.flaky",
            "subject":"lesson/7","branch":"main","data":{"n":1}}"#;
        let text = render(&view(event), "2026-03-01T12:03:00Z".parse().unwrap());
        for expected in [
            "com.example.flaky from /test\n",
            "  place     17\n",
            "  received  2026-03-01 12:00:00 UTC (3 min ago)\n",
            "  id        1\n",
            "  subject   lesson/7\n",
            "  branch    main\n",
            "\n    {\n      \"n\": 1\n    }\n",
            "  to flaky by trigger all: failed after 3.2 s, attempt 2\n",
            "    attempt 1 ",
        ] {
            assert!(text.contains(expected), "{expected:?} in\n{text}");
        }
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }

    #[test]
    fn an_event_that_nobody_took_says_where_to_look() {
        let mut view = view(r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#);
        view.deliveries.clear();
        let text = render(&view, "2026-03-01T12:03:00Z".parse().unwrap());
        assert!(text.contains("dormouse triggers test"), "{text}");
    }

    #[test]
    fn data_steers_no_terminal_and_fills_no_screen() {
        assert_eq!(data(b"a\x1b[2Jb"), "    a [2Jb\n");
        assert_eq!(data(&[0xff, 0xfe]), "    (2 bytes that are no text)\n");
        let long = data("line\n".repeat(100).as_bytes());
        assert_eq!(long.lines().count(), LINES + 1);
        assert!(long.ends_with("(40 more lines: see all with -o json)\n"));
    }
}
