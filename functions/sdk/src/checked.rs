//! JSON Schemas that something is checked against.

use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;
use serde_json::value::RawValue;

/// So many problems are told at once.
const PROBLEMS: usize = 8;

/// A schema, compiled when something is first checked against it.
pub(crate) struct Checked {
    schema: Value,
    validator: OnceLock<Option<Validator>>,
}

impl Checked {
    pub(crate) fn new(schema: Value) -> Self {
        Self {
            schema,
            validator: OnceLock::new(),
        }
    }

    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    /// Checks a JSON text, or says what is wrong with it; `noun` is what a member of it is called.
    pub(crate) fn check(&self, json: &str, noun: &str) -> Result<(), String> {
        let Some(validator) = self.validator() else {
            return Ok(());
        };
        let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let problems: Vec<String> = validator
            .iter_errors(&value)
            .take(PROBLEMS)
            .map(|error| {
                let (path, text) = (error.instance_path().as_str(), error.masked().to_string());
                problem(path, &text, noun)
            })
            .collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(problems.join("; ")),
        }
    }

    fn validator(&self) -> Option<&Validator> {
        self.validator
            .get_or_init(|| match jsonschema::validator_for(&self.schema) {
                Ok(validator) => Some(validator),
                Err(error) => {
                    tracing::warn!(%error, "a schema cannot be compiled: what it describes is checked by type only");
                    None
                }
            })
            .as_ref()
    }

    #[cfg(test)]
    pub(crate) fn is_compiled(&self) -> bool {
        self.validator.get().is_some()
    }
}

/// What is wrong, and where: `path` as in a JSON Pointer.
pub(crate) fn problem(path: &str, text: &str, noun: &str) -> String {
    match path.trim_matches('/') {
        "" => text.to_owned(),
        path => format!("{noun} `{}`: {text}", path.replace('/', ".")),
    }
}

/// A schema that an author wrote, offered to the letter.
pub(crate) struct Verbatim {
    text: String,
    checked: OnceLock<Result<Checked, String>>,
}

impl Verbatim {
    pub(crate) fn new(text: String) -> Self {
        Self {
            text,
            checked: OnceLock::new(),
        }
    }

    /// The schema itself.
    pub(crate) fn raw(&self) -> Result<Box<RawValue>, String> {
        RawValue::from_string(self.text.clone())
            .map_err(|error| format!("its schema is not JSON: {error}"))
    }

    /// What it says of a JSON text.
    pub(crate) fn check(&self, json: &str, noun: &str) -> Result<(), String> {
        let checked = self.checked.get_or_init(|| {
            let schema = serde_json::from_str(&self.text);
            schema
                .map(Checked::new)
                .map_err(|error| format!("the schema is not JSON: {error}"))
        });
        checked
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|checked| checked.check(json, noun))
    }
}
