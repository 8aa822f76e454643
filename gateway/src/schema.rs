//! Arguments checked against a tool's `inputSchema`, and canonical for idempotency.
//!
//! JSON Schema 2020-12 unless `$schema` names another draft; references beyond the schema itself
//! are never fetched (MCP 2026-07-28, "JSON Schema Usage").

use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::error::Fault;

/// How many characters of a problem are told.
const LONGEST_PROBLEM: usize = 500;

/// How many problems one answer names.
const MOST_PROBLEMS: usize = 10;

/// A compiled `inputSchema`.
#[derive(Debug)]
pub struct Schema {
    validator: jsonschema::Validator,
    source: Box<RawValue>,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// In words, when it is no schema, or refers to another document.
    pub fn compile(source: &RawValue) -> Result<Self, String> {
        let schema: Value =
            serde_json::from_str(source.get()).map_err(|error| error.to_string())?;
        let validator = jsonschema::options()
            .offline()
            .build(&schema)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            validator,
            source: source.to_owned(),
        })
    }

    /// Whether it was compiled from this very text.
    #[must_use]
    pub fn is_of(&self, source: &RawValue) -> bool {
        self.source.get() == source.get()
    }

    /// Names each problem of these arguments; empty when there is none.
    #[must_use]
    pub fn problems(&self, arguments: &Value) -> Vec<String> {
        if self.validator.is_valid(arguments) {
            return Vec::new();
        }
        self.validator
            .iter_errors(arguments)
            .take(MOST_PROBLEMS)
            .map(|error| {
                // Without the value: it may be large, and it may be a secret.
                let text = error.masked().to_string();
                let text: String = text.chars().take(LONGEST_PROBLEM).collect();
                match error.instance_path().as_str() {
                    "" => text,
                    path => format!("{path}: {text}"),
                }
            })
            .collect()
    }
}

/// Reads a call's arguments; absent ones are an empty object.
///
/// # Errors
/// When they are no object, or nested deeper than a reader can follow.
pub fn read_arguments(raw: Option<&RawValue>) -> Result<Value, Fault> {
    let Some(raw) = raw else {
        return Ok(Value::Object(serde_json::Map::new()));
    };
    match serde_json::from_str(raw.get()) {
        Ok(arguments @ Value::Object(_)) => Ok(arguments),
        Ok(_) => Err(Fault::InvalidParams(
            "params.arguments must be an object".to_owned(),
        )),
        Err(error) => Err(Fault::InvalidParams(format!(
            "params.arguments cannot be read: {error}"
        ))),
    }
}

/// SHA-256 of arguments in canonical form: no whitespace, members sorted by name.
#[must_use]
pub fn hash(arguments: &Value) -> [u8; 32] {
    let mut text = String::new();
    write_canonical(arguments, &mut text);
    Sha256::digest(text.as_bytes()).into()
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (place, (name, value)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema(text: &str) -> Result<Schema, String> {
        Schema::compile(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn each_problem_is_named_where_it_is() {
        let schema = schema(
            r#"{"type":"object","properties":{"n":{"type":"integer"},"s":{"type":"string"}},
               "required":["s"]}"#,
        )
        .unwrap();
        assert!(schema.problems(&json!({"s":"x","n":1})).is_empty());
        let problems = schema.problems(&json!({"n":"x"}));
        assert_eq!(problems.len(), 2);
        assert!(problems.iter().any(|problem| problem.starts_with("/n: ")));
        assert!(problems.iter().any(|problem| problem.contains("\"s\"")));
    }

    #[test]
    fn the_draft_is_2020_12_unless_the_schema_says_otherwise() {
        let tuple = json!({"t": [1]});
        let modern = schema(r#"{"properties":{"t":{"prefixItems":[{"type":"string"}]}}}"#).unwrap();
        assert!(!modern.problems(&tuple).is_empty());
        let old = schema(
            r#"{"$schema":"http://json-schema.org/draft-07/schema#",
                "properties":{"t":{"items":[{"type":"string"}]}}}"#,
        )
        .unwrap();
        assert!(!old.problems(&tuple).is_empty());
    }

    #[test]
    fn broken_and_remote_schemas_are_refused() {
        assert!(schema(r#"{"type":"nonsense"}"#).is_err());
        assert!(schema(r#"{"$ref":"http://localhost:1/schema.json"}"#).is_err());
    }

    #[test]
    fn arguments_are_an_object() {
        let read = |text| read_arguments(Some(serde_json::from_str(text).unwrap()));
        assert_eq!(read_arguments(None), Ok(json!({})));
        assert!(read("[]").is_err());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        assert!(read(&deep).is_err());
    }

    #[test]
    fn the_hash_overlooks_order_and_whitespace_only() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let one = hash(&read(r#"{"b":[1,{"y":0,"x":1}],"a":"s"}"#));
        assert_eq!(one, hash(&read(r#"{ "a":"s", "b":[1,{"x":1,"y":0}] }"#)));
        assert_ne!(one, hash(&read(r#"{"a":"s","b":[{"x":1,"y":0},1]}"#)));
    }
}
