//! The official cases of CloudEvents SQL (`cesql/cesql_tck` of its specification), as the Go engine
//! carries them: `tests/clients/install` brings them.

use std::fs;

use dormouse_cesql::{ErrorKind, Expression, Value};
use dormouse_contract::http_binding::read_structured;
use serde_json::{Map, json};

use crate::client::installed;

/// A file of cases.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    name: String,
    tests: Vec<Case>,
}

/// An expression, the event that it reads, and what comes of it.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    name: String,
    expression: String,
    result: Option<serde_json::Value>,
    error: Option<String>,
    event: Option<Map<String, serde_json::Value>>,
    #[serde(default)]
    event_overrides: Map<String, serde_json::Value>,
}

#[test]
fn the_official_cases_come_out_as_they_say() {
    let folder = installed("cesql-cases");
    let files = fs::read_dir(folder).expect("the cases: run tests/clients/install first");
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(file.expect("a file").path()).expect("UTF-8");
        let cases: Cases = serde_saphyr::from_str(&text).expect("cases in YAML");
        count += cases.tests.len();
        for case in &cases.tests {
            let told = case.told();
            if told != case.wanted() {
                wrong.push(format!(
                    "{}, {}: {} gives {told}, not {}",
                    cases.name,
                    case.name,
                    case.expression,
                    case.wanted()
                ));
            }
        }
    }
    assert!(count > 0, "there are no cases");
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

impl Case {
    /// Its value and the kind of its error; of what does not parse, the latter alone.
    fn wanted(&self) -> serde_json::Value {
        match self.error.as_deref() {
            Some("parse") => json!([null, "parse"]),
            error => json!([self.result, error]),
        }
    }

    /// What the crate says of it.
    fn told(&self) -> serde_json::Value {
        let Ok(expression) = Expression::parse(&self.expression) else {
            return json!([null, ErrorKind::Parse.name()]);
        };
        let event = json!(self.event()).to_string();
        let event = read_structured(event.as_bytes()).expect("a valid event");
        let evaluation = expression.evaluate(&event);
        let value = match evaluation.value {
            Value::Boolean(value) => json!(value),
            Value::Integer(value) => json!(value),
            Value::String(value) => json!(value),
        };
        let error = evaluation.error.map(|error| error.kind().name());
        assert_eq!(
            expression.matches(&event),
            error.is_none() && value == true,
            "{self:?}"
        );
        json!([value, error])
    }

    /// Its event in the JSON format; any will do where it names none.
    fn event(&self) -> Map<String, serde_json::Value> {
        let mut event = self.event.clone().unwrap_or_else(|| {
            let any = ["id", "source", "type"].map(|name| (name.to_owned(), json!("any")));
            Map::from_iter(any)
        });
        event.insert("specversion".to_owned(), json!("1.0"));
        event.extend(self.event_overrides.clone());
        event
    }
}
