//! Arguments that come as strings: those of prompts, and the variables of resource templates.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::schema::{self, Arguments};

/// How a `T` is read from strings.
pub(crate) struct Strings {
    arguments: Arguments,
    /// The schema of each, with everything in place.
    properties: Map<String, Value>,
    required: Vec<String>,
}

/// One argument of a prompt (MCP `PromptArgument`).
#[derive(Serialize)]
pub(crate) struct Described<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    required: bool,
}

impl Strings {
    pub(crate) fn of<T: JsonSchema>() -> Self {
        let mut inline = schema::inline::<T>();
        let properties = match inline.remove("properties") {
            Some(Value::Object(properties)) => properties,
            Some(_) | None => Map::new(),
        };
        let required = inline.remove("required").unwrap_or_default();
        Self {
            arguments: Arguments::of::<T>(),
            properties,
            required: serde_json::from_value(required).unwrap_or_default(),
        }
    }

    /// The arguments by name, as a client is told of them.
    pub(crate) fn describe(&self) -> Vec<Described<'_>> {
        self.properties
            .iter()
            .map(|(name, schema)| Described {
                name,
                title: schema.get("title").and_then(Value::as_str),
                description: schema.get("description").and_then(Value::as_str),
                required: self.required.contains(name),
            })
            .collect()
    }

    /// What a `T` cannot do without.
    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        self.required.iter().map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.properties.contains_key(name)
    }

    /// Reads a `T`, or says what is wrong, naming the argument.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        strings: &BTreeMap<String, String>,
    ) -> Result<T, String> {
        let typed: Map<String, Value> = strings
            .iter()
            .map(|(name, text)| (name.clone(), self.typed(name, text)))
            .collect();
        self.arguments.read(&Value::Object(typed).to_string())
    }

    /// A number or truth value where the type asks for one and the text is one.
    fn typed(&self, name: &str, text: &str) -> Value {
        let ty = self
            .properties
            .get(name)
            .and_then(|schema| schema.get("type"));
        let takes = |wanted: &str| match ty {
            Some(Value::String(one)) => one == wanted,
            Some(Value::Array(several)) => several.iter().any(|one| one == wanted),
            Some(_) | None => false,
        };
        if !takes("string")
            && let Ok(value) = serde_json::from_str::<Value>(text.trim())
        {
            let fits = match &value {
                Value::Number(_) => takes("integer") || takes("number"),
                Value::Bool(_) => takes("boolean"),
                Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => false,
            };
            if fits {
                return value;
            }
        }
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Mixed {
        /// The text.
        text: String,
        number: Option<u8>,
        #[serde(default)]
        truth: bool,
    }

    fn read(strings: &[(&str, &str)]) -> Result<Mixed, String> {
        let strings = strings.iter();
        let strings = strings.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Strings::of::<Mixed>().read(&strings.collect())
    }

    #[test]
    fn strings_become_what_the_type_asks_for() {
        let expected = Mixed {
            text: "7".to_owned(),
            number: Some(7),
            truth: true,
        };
        let strings = [("text", "7"), ("number", "7"), ("truth", "true")];
        assert_eq!(read(&strings), Ok(expected));
        assert!(
            read(&[("text", "x"), ("number", "many")])
                .unwrap_err()
                .contains("`number`")
        );
        assert!(read(&[]).unwrap_err().contains("text"));
    }

    #[test]
    fn a_client_is_told_what_is_required() {
        let described = serde_json::to_value(Strings::of::<Mixed>().describe()).unwrap();
        let expected = json!([
            {"name": "number", "required": false},
            {"name": "text", "description": "The text.", "required": true},
            {"name": "truth", "required": false},
        ]);
        assert_eq!(described, expected);
    }
}
