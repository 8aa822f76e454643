//! The attributes of an event, as filters read them: without copying any.

use std::io::Write as _;

use dormouse_cesql::{Attributes, Value};

use crate::event::{Event, ExtensionValue, SPEC_VERSION};

impl Attributes for Event {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        fn optional(value: &Option<String>) -> Option<Value<'_>> {
            value.as_deref().map(Value::from)
        }
        match name {
            "type" => Some(self.ty.as_str().into()),
            "source" => Some(self.source.as_str().into()),
            "subject" => optional(&self.subject),
            "id" => Some(self.id.as_str().into()),
            "specversion" => Some(SPEC_VERSION.into()),
            "time" => optional(&self.time),
            "datacontenttype" => optional(&self.datacontenttype),
            "dataschema" => optional(&self.dataschema),
            extension => self.extensions.get(extension).map(|value| match value {
                ExtensionValue::Boolean(value) => (*value).into(),
                ExtensionValue::Integer(value) => (*value).into(),
                ExtensionValue::String(text) => text.as_str().into(),
            }),
        }
    }
}

/// Calls `with` with the canonical text of a value.
pub(super) fn with_text<R>(value: &Value<'_>, with: impl FnOnce(&str) -> R) -> R {
    match value {
        Value::Boolean(true) => with("true"),
        Value::Boolean(false) => with("false"),
        Value::String(text) => with(text),
        Value::Integer(number) => {
            // As long as the longest number, -2147483648.
            let mut digits = [0; 11];
            let mut rest = &mut digits[..];
            let written = write!(rest, "{number}").map(|()| 11 - rest.len());
            let text = written.map(|length| std::str::from_utf8(&digits[..length]));
            with(text.ok().and_then(Result::ok).unwrap_or_default())
        }
    }
}
