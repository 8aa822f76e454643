//! Other people's producers: the CloudEvents SDKs of Python, JavaScript and Go send the events of
//! `tests/clients/events.json`, and what a function gets is what was in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::client::{installed, node, python};
use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;

const TOKEN: &str = "s3same-open";

/// What the platform says of a delivery, in attributes of its own.
const OF_DELIVERIES: [&str; 7] = [
    "attempt",
    "deadline",
    "pool",
    "principal",
    "round",
    "taskid",
    "traceparent",
];

#[tokio::test]
async fn python_sends_in_binary_and_structured_mode() {
    let mut stage = Stage::open().await;
    // This SDK writes truth values in headers as Python does, not in their canonical form.
    stage.spelt = Some(("draft", "True"));
    stage
        .check(python("cloudevents", "events.py").program(), "binary", &[])
        .await;
    stage.spelt = None;
    stage
        .check(
            python("cloudevents", "events.py").program(),
            "structured",
            &[],
        )
        .await;
}

#[tokio::test]
async fn javascript_sends_in_binary_and_structured_mode() {
    let stage = Stage::open().await;
    // This SDK does not percent-encode headers, and so cannot send this event.
    stage
        .check(node("events.mjs").program(), "binary", &["unicode"])
        .await;
    stage
        .check(node("events.mjs").program(), "structured", &[])
        .await;
}

#[tokio::test]
async fn go_sends_in_all_modes() {
    let stage = Stage::open().await;
    for mode in ["binary", "structured", "batch"] {
        stage
            .check(Command::new(installed("go-events")), mode, &[])
            .await;
    }
}

/// A platform that asks for a token, and its function, which notes every event.
struct Stage {
    platform: Platform,
    record: PathBuf,
    /// An attribute that the producer writes in a way of its own.
    spelt: Option<(&'static str, &'static str)>,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let record = folder.path().join("record");
        let pools = [Pool::recorder("recorder", &record)];
        Self {
            platform: Setup::new(pools).token(TOKEN).start().await,
            record,
            spelt: None,
            _folder: folder,
        }
    }

    /// Sends all events in a mode; all but those that the producer cannot send arrive as they are.
    async fn check(&self, mut producer: Command, mode: &str, unable: &[&str]) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/events.json");
        let source = format!("/producers/{mode}");
        producer
            .arg(format!(
                "http://{}/events",
                self.platform.doors().coordinator
            ))
            .args([mode, &source, TOKEN])
            .arg(&file)
            .envs([self.platform.mark()])
            .kill_on_drop(true);
        let output = producer.output().await;
        let output = output.expect("it starts: run tests/clients/install first");
        assert!(output.status.success(), "{mode}: {output:?}");
        let said: Vec<Value> = lines(&String::from_utf8_lossy(&output.stdout));

        let events = std::fs::read_to_string(file).expect("the events");
        let events: Vec<Value> = serde_json::from_str(&events).expect("JSON");
        assert_eq!(said.len(), events.len(), "{mode}: {said:?}");
        for (line, event) in said.iter().zip(&events) {
            let is_able = !unable.iter().any(|id| event["attributes"]["id"] == *id);
            let status = if is_able { 202 } else { 0 };
            let id = &event["attributes"]["id"];
            assert_eq!(
                *line,
                json!({"id": id, "status": status}),
                "{mode}: {output:?}"
            );
        }
        let sent: Vec<_> = said
            .iter()
            .zip(&events)
            .filter(|(line, _)| line["status"] == 202)
            .collect();
        let got = self.recorded(&source, sent.len()).await;
        for (_, event) in sent {
            let id = event["attributes"]["id"].as_str().expect("an id");
            let mut event = event.clone();
            if let Some((name, value)) = self.spelt
                && let Some(attribute) = event["attributes"].get_mut(name)
            {
                *attribute = value.into();
            }
            check_same(&event, &got[id], &source, mode);
        }
    }

    /// The events from a source, by their ids, when there are so many.
    async fn recorded(&self, source: &str, count: usize) -> BTreeMap<String, Value> {
        eventually(&format!("{count} events from {source}"), async || {
            let record = std::fs::read_to_string(&self.record).unwrap_or_default();
            // The last line may still be written.
            let whole = &record[..record.rfind('\n').map_or(0, |end| end + 1)];
            let mut events = lines(whole);
            events.retain(|event| event["attributes"]["source"] == source);
            let id = |event: &Value| event["attributes"]["id"].as_str().map(str::to_owned);
            let events = events
                .into_iter()
                .map(|event| (id(&event).expect("an id"), event));
            let events: BTreeMap<_, _> = events.collect();
            (events.len() == count).then_some(events)
        })
        .await
    }
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON lines"))
        .collect()
}

#[track_caller]
fn check_same(sent: &Value, got: &Value, source: &str, mode: &str) {
    let mut expected = attributes(&sent["attributes"]);
    expected.insert("source".to_owned(), source.to_owned());
    expected.insert("specversion".to_owned(), "1.0".to_owned());
    let mut actual = attributes(&got["attributes"]);
    actual.retain(|name, _| !OF_DELIVERIES.contains(&name.as_str()));
    if !expected.contains_key("datacontenttype") {
        // Some SDKs name one where there is no data to have it.
        actual.remove("datacontenttype");
    }
    assert_eq!(actual, expected, "{mode}: {got}");

    let data = got["data"]
        .as_str()
        .map(|data| BASE64.decode(data).expect("base64"));
    let data = data.unwrap_or_default();
    match (&sent["json"], &sent["text"], &sent["base64"]) {
        (Value::Null, Value::Null, Value::Null) => assert!(data.is_empty(), "{mode}: {got}"),
        (Value::Null, Value::String(text), _) => {
            assert_eq!(String::from_utf8(data).as_ref(), Ok(text), "{mode}");
        }
        (Value::Null, _, Value::String(encoded)) => {
            assert_eq!(&BASE64.encode(data), encoded, "{mode}");
        }
        (json, ..) => {
            let data: Value = serde_json::from_slice(&data).expect("JSON");
            assert_eq!(data, *json, "{mode}");
        }
    }
}

/// Attributes as text, which is what they are in binary mode; moments in one way of writing them.
fn attributes(object: &Value) -> BTreeMap<String, String> {
    let members = object.as_object().expect("an object").iter();
    members
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let moment = (name == "time").then(|| text.parse::<jiff::Timestamp>().expect("a time"));
            (
                name.clone(),
                moment.map_or(text, |moment| moment.to_string()),
            )
        })
        .collect()
}
