//! `--arg k=v` into JSON, by the types that the tool's input schema gives its properties.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// How many `$ref`s are followed before a schema counts as one that says nothing.
const DEPTH: usize = 16;

/// The keywords under which a schema lists others.
const CHOICES: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// A type of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Null,
    Array,
    Object,
}

/// Why an argument cannot be what the tool takes; what to do instead.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misfit {
    #[error("the tool has no argument `{name}`: it takes {known}")]
    Unknown { name: String, known: String },
    #[error("argument `{0}` is given twice, and it is no list")]
    Twice(String),
    #[error("argument `{name}` is `{value}`, but the tool takes {expected} there")]
    Type {
        name: String,
        value: String,
        expected: String,
    },
}

/// The arguments as the JSON object that the tool takes. An argument of a list type may be given
/// as a JSON array, or several times, once an element.
pub(super) fn typed(
    schema: &Value,
    given: &[(String, String)],
) -> Result<Map<String, Value>, Misfit> {
    let mut arguments = Map::new();
    for (name, text) in given {
        let property = property(schema, name)?;
        let value = read(schema, property, text).ok_or_else(|| Misfit::Type {
            name: name.clone(),
            value: text.chars().take(80).collect(),
            expected: in_words(&kinds(schema, property, DEPTH)),
        })?;
        match (arguments.get_mut(name), value) {
            (None, value) => drop(arguments.insert(name.clone(), value)),
            (Some(Value::Array(so_far)), Value::Array(more)) => so_far.extend(more),
            (Some(_), _) => return Err(Misfit::Twice(name.clone())),
        }
    }
    Ok(arguments)
}

/// The schema of a property; `Null` where the tool's schema says nothing of it.
fn property<'a>(schema: &'a Value, name: &str) -> Result<&'a Value, Misfit> {
    let properties = schema.get("properties").and_then(Value::as_object);
    if let Some(found) = properties.and_then(|all| all.get(name)) {
        return Ok(found);
    }
    match (properties, schema.get("additionalProperties")) {
        (Some(all), Some(Value::Bool(false))) => Err(Misfit::Unknown {
            name: name.to_owned(),
            known: listed(all.keys().map(|known| format!("`{known}`"))),
        }),
        (_, Some(additional @ Value::Object(_))) => Ok(additional),
        _ => Ok(&Value::Null),
    }
}

fn read(root: &Value, schema: &Value, text: &str) -> Option<Value> {
    let kinds = kinds(root, schema, DEPTH);
    if kinds.contains(&Kind::String) {
        return Some(text.into());
    }
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    if kinds.is_empty() {
        return Some(parsed.unwrap_or_else(|| text.into()));
    }
    match parsed {
        Some(value) if kinds.iter().any(|kind| kind.takes(&value)) => Some(value),
        _ if kinds.contains(&Kind::Array) => {
            let items = items(root, schema, DEPTH).unwrap_or(&Value::Null);
            read(root, items, text).map(|item| Value::Array(vec![item]))
        }
        _ => None,
    }
}

/// Follows `$ref`s inside the tool's schema.
fn resolved<'a>(root: &'a Value, schema: &'a Value, depth: usize) -> Option<&'a Value> {
    match schema.get("$ref").and_then(Value::as_str) {
        None => Some(schema),
        Some(_) if depth == 0 => None,
        Some(reference) => {
            let target = root.pointer(reference.strip_prefix('#')?)?;
            resolved(root, target, depth - 1)
        }
    }
}

/// What the elements of a list are, be it one choice of several.
fn items<'a>(root: &'a Value, schema: &'a Value, depth: usize) -> Option<&'a Value> {
    let schema = resolved(root, schema, depth)?;
    schema.get("items").or_else(|| {
        let depth = depth.checked_sub(1)?;
        CHOICES
            .iter()
            .filter_map(|choice| schema.get(choice)?.as_array())
            .flatten()
            .find_map(|choice| items(root, choice, depth))
    })
}

fn kinds(root: &Value, schema: &Value, depth: usize) -> BTreeSet<Kind> {
    let mut found = BTreeSet::new();
    let Some(schema) = resolved(root, schema, depth) else {
        return found;
    };
    match schema.get("type") {
        Some(Value::String(word)) => found.extend(Kind::named(word)),
        Some(Value::Array(words)) => {
            let words = words.iter().filter_map(Value::as_str);
            found.extend(words.filter_map(Kind::named));
        }
        Some(_) | None => {}
    }
    if !found.is_empty() {
        return found;
    }
    let values = schema.get("enum").and_then(Value::as_array);
    found.extend(values.into_iter().flatten().map(Kind::of));
    found.extend(schema.get("const").map(Kind::of));
    if depth > 0 {
        for choice in CHOICES {
            let choices = schema.get(choice).and_then(Value::as_array);
            for choice in choices.into_iter().flatten() {
                found.extend(kinds(root, choice, depth - 1));
            }
        }
    }
    found
}

impl Kind {
    fn named(word: &str) -> Option<Self> {
        match word {
            "string" => Some(Self::String),
            "integer" => Some(Self::Integer),
            "number" => Some(Self::Number),
            "boolean" => Some(Self::Boolean),
            "null" => Some(Self::Null),
            "array" => Some(Self::Array),
            "object" => Some(Self::Object),
            _ => None,
        }
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    fn takes(self, value: &Value) -> bool {
        match self {
            // JSON Schema: a number without a fraction is an integer, however it is written.
            Self::Integer => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            Self::String
            | Self::Number
            | Self::Boolean
            | Self::Null
            | Self::Array
            | Self::Object => self == Self::of(value),
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "`true` or `false`",
            Self::Null => "`null`",
            Self::Array => "a list (as JSON, or by repeating the argument)",
            Self::Object => "a JSON object",
        }
    }
}

fn in_words(kinds: &BTreeSet<Kind>) -> String {
    listed(kinds.iter().map(|kind| kind.in_words().to_owned()))
}

fn listed(words: impl Iterator<Item = String>) -> String {
    let words: Vec<_> = words.collect();
    match words.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "text": {"type": "string"},
                "count": {"type": "integer"},
                "share": {"type": ["number", "null"]},
                "loud": {"type": "boolean"},
                "level": {"$ref": "#/$defs/Level"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "words": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
                "options": {"type": "object"},
                "anything": {},
                "endless": {"$ref": "#/properties/endless"},
            },
            "$defs": {"Level": {"enum": ["remember", "create"]}},
        })
    }

    fn one(name: &str, text: &str) -> Result<Value, Misfit> {
        let mut all = typed(&schema(), &[(name.to_owned(), text.to_owned())])?;
        Ok(all.remove(name).unwrap())
    }

    #[test]
    fn values_take_the_type_that_the_schema_gives() {
        for (name, text, expected) in [
            ("text", "5", json!("5")),
            ("text", r#"{"a":1}"#, json!(r#"{"a":1}"#)),
            ("count", "5", json!(5)),
            ("count", "-3", json!(-3)),
            ("share", "0.5", json!(0.5)),
            ("share", "null", json!(null)),
            ("loud", "true", json!(true)),
            ("level", "create", json!("create")),
            ("tags", r#"["a","b"]"#, json!(["a", "b"])),
            ("tags", "a", json!(["a"])),
            ("words", "5", json!(["5"])),
            ("options", r#"{"a":[1]}"#, json!({"a": [1]})),
            ("anything", "5", json!(5)),
            ("anything", "five", json!("five")),
            ("endless", "5", json!(5)),
        ] {
            assert_eq!(one(name, text), Ok(expected), "{name}={text}");
        }
    }

    #[test]
    fn a_list_may_be_given_element_by_element() {
        let given = [
            ("tags".to_owned(), "a".to_owned()),
            ("tags".to_owned(), "b".to_owned()),
        ];
        assert_eq!(
            Value::Object(typed(&schema(), &given).unwrap()),
            json!({"tags": ["a", "b"]})
        );
        let given = [
            ("text".to_owned(), "a".to_owned()),
            ("text".to_owned(), "b".to_owned()),
        ];
        assert_eq!(typed(&schema(), &given), Err(Misfit::Twice("text".into())));
    }

    #[test]
    fn misfits_say_what_the_tool_takes() {
        for (name, text, named) in [
            ("count", "five", "an integer"),
            ("count", "1.5", "an integer"),
            ("share", "much", "a number or `null`"),
            ("loud", "yes", "`true` or `false`"),
            ("options", "[]", "a JSON object"),
            ("tag", "a", "`tags`"),
        ] {
            let error = one(name, text).unwrap_err().to_string();
            assert!(error.contains(named), "{name}={text}: {error}");
        }
    }
}
