//! The schemas of arguments and results, and how arguments are read against them.
//!
//! serde alone reads most arguments: it refuses what is missing or of another type. A schema is
//! compiled only when it says more than serde would notice (a range, a pattern, a length), or to
//! explain a refusal.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::checked::{Checked, problem};

/// What a member of the arguments is called.
const ARGUMENT: &str = "argument";

/// The schema of the arguments that a `T` is read from: always one of an object, unless `T`
/// cannot be read from one.
pub(crate) fn input<T: JsonSchema>() -> Value {
    let mut schema = plain::<T>(SchemaSettings::draft2020_12().for_deserialize());
    match schema.get("type").and_then(Value::as_str) {
        Some("null") => json!({"type": "object", "additionalProperties": false}),
        Some(_) => Value::Object(schema),
        None => {
            schema.insert("type".to_owned(), "object".into());
            Value::Object(schema)
        }
    }
}

/// The schema of what a `T` is written as.
pub(crate) fn output<T: JsonSchema>() -> Value {
    Value::Object(plain::<T>(SchemaSettings::draft2020_12().for_serialize()))
}

/// The schema that a `T` is read from, each part where it is used.
pub(crate) fn inline<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    plain::<T>(settings.with(|settings| settings.inline_subschemas = true))
}

/// Without the members that say nothing to a model: the dialect, which is MCP's default, and the
/// name and description of the Rust type, where the tool has its own.
fn plain<T: JsonSchema>(settings: SchemaSettings) -> Map<String, Value> {
    let settings = settings.with(|settings| settings.meta_schema = None);
    match SchemaGenerator::new(settings)
        .into_root_schema_for::<T>()
        .to_value()
    {
        Value::Object(mut schema) => {
            schema.remove("title");
            schema.remove("description");
            schema
        }
        // `true`: anything goes.
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

/// Whether a schema is one of an object, as MCP asks of `inputSchema` and `outputSchema`.
pub(crate) fn is_object(schema: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Type {
        #[serde(rename = "type")]
        ty: String,
    }
    serde_json::from_str(schema.get()).is_ok_and(|schema: Type| schema.ty == "object")
}

/// The arguments of one tool: their schema, and how they are read.
pub(crate) struct Arguments {
    schema: Checked,
    strict: bool,
}

impl Arguments {
    pub(crate) fn of<T: JsonSchema>() -> Self {
        let schema = input::<T>();
        Self {
            strict: says_more(&schema),
            schema: Checked::new(schema),
        }
    }

    pub(crate) fn schema(&self) -> &Value {
        self.schema.schema()
    }

    /// Reads a `T`, or says what is wrong, naming the argument.
    pub(crate) fn read<T: DeserializeOwned>(&self, json: &str) -> Result<T, String> {
        let json = object(json)?;
        if self.strict {
            self.schema.check(json, ARGUMENT)?;
        }
        serde_json::from_str(json).or_else(|error| {
            // A unit struct takes no arguments, and is read from null.
            let empty =
                serde_json::from_str::<Map<String, Value>>(json).is_ok_and(|m| m.is_empty());
            match serde_json::from_str("null") {
                Ok(unit) if empty => Ok(unit),
                Ok(_) | Err(_) => Err(self.explain::<T>(json, &error)),
            }
        })
    }

    /// The schema tells all problems at once; what it does not see, serde told first.
    fn explain<T: DeserializeOwned>(&self, json: &str, error: &serde_json::Error) -> String {
        if let Err(problems) = self.schema.check(json, ARGUMENT) {
            return problems;
        }
        let from = &mut serde_json::Deserializer::from_str(json);
        match serde_path_to_error::deserialize::<_, T>(from) {
            Ok(_) => error.to_string(),
            Err(error) => {
                let path = error.path().to_string();
                problem(
                    &path.replace('.', "/"),
                    &error.inner().to_string(),
                    ARGUMENT,
                )
            }
        }
    }
}

/// The arguments as a JSON object, of which none is an empty one.
pub(crate) fn object(json: &str) -> Result<&str, String> {
    match json.trim_ascii() {
        "" | "null" => Ok("{}"),
        object if object.starts_with('{') => Ok(object),
        _ => Err("the arguments are not a JSON object".to_owned()),
    }
}

/// Whether a schema says something that serde would not notice.
fn says_more(schema: &Value) -> bool {
    let Value::Object(members) = schema else {
        return false;
    };
    let format = members.get("format").and_then(Value::as_str);
    members
        .iter()
        .any(|(keyword, value)| match keyword.as_str() {
            "minimum" | "maximum" => !is_bound(format, keyword, value),
            "minLength"
            | "maxLength"
            | "pattern"
            | "minItems"
            | "maxItems"
            | "uniqueItems"
            | "minProperties"
            | "maxProperties"
            | "multipleOf"
            | "exclusiveMinimum"
            | "exclusiveMaximum"
            | "contains"
            | "not"
            | "if"
            | "const"
            | "enum"
            | "dependentRequired"
            | "dependentSchemas"
            | "patternProperties"
            | "propertyNames"
            | "unevaluatedProperties"
            | "unevaluatedItems" => true,
            "properties" | "$defs" => value
                .as_object()
                .is_some_and(|schemas| schemas.values().any(says_more)),
            "anyOf" | "allOf" | "oneOf" | "prefixItems" => value
                .as_array()
                .is_some_and(|schemas| schemas.iter().any(says_more)),
            "items" | "additionalProperties" => says_more(value),
            _ => false,
        })
}

/// Whether a bound is the one of the Rust integer itself.
fn is_bound(format: Option<&str>, keyword: &str, value: &Value) -> bool {
    let bounds: (i64, i64) = match format {
        Some("uint8") => (u8::MIN.into(), u8::MAX.into()),
        Some("uint16") => (u16::MIN.into(), u16::MAX.into()),
        Some("uint32") => (u32::MIN.into(), u32::MAX.into()),
        Some("uint64" | "uint") => (0, i64::MAX),
        Some("int8") => (i8::MIN.into(), i8::MAX.into()),
        Some("int16") => (i16::MIN.into(), i16::MAX.into()),
        Some(_) | None => return false,
    };
    value.as_i64()
        == Some(if keyword == "minimum" {
            bounds.0
        } else {
            bounds.1
        })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Plain {
        text: String,
        times: Option<u8>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only read")]
    struct Strict {
        #[schemars(range(min = 1, max = 5))]
        level: u8,
        #[schemars(length(min = 2))]
        topic: String,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Unit;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only read")]
    struct Nested {
        inner: Plain,
    }

    #[test]
    fn plain_types_are_left_to_serde() {
        let arguments = Arguments::of::<Plain>();
        assert!(!arguments.strict, "{}", arguments.schema());
        let read = arguments.read::<Plain>(r#"{"text":"a","unknown":1}"#);
        let expected = Plain {
            text: "a".into(),
            times: None,
        };
        assert_eq!(read, Ok(expected));
        assert!(!arguments.schema.is_compiled());
    }

    #[test]
    fn every_wrong_argument_is_named() {
        let cases = [
            ("{}", vec!["\"text\""]),
            (r#"{"text":5,"times":"x"}"#, vec!["`text`", "`times`"]),
            (r#"{"text":"a","times":999}"#, vec!["`times`"]),
            ("[]", vec!["JSON object"]),
            ("{", vec!["EOF"]),
        ];
        for (json, named) in cases {
            let problem = Arguments::of::<Plain>().read::<Plain>(json).unwrap_err();
            for name in named {
                assert!(problem.contains(name), "{json}: {problem}");
            }
        }
        let problem = Arguments::of::<Nested>()
            .read::<Nested>(r#"{"inner":{"text":1}}"#)
            .unwrap_err();
        assert!(problem.contains("`inner.text`"), "{problem}");
    }

    #[test]
    fn what_serde_would_not_notice_is_checked_by_the_schema() {
        let arguments = Arguments::of::<Strict>();
        assert!(arguments.strict);
        assert!(
            arguments
                .read::<Strict>(r#"{"level":5,"topic":"ab"}"#)
                .is_ok()
        );
        let problem = arguments
            .read::<Strict>(r#"{"level":9,"topic":"a"}"#)
            .unwrap_err();
        assert!(
            problem.contains("`level`") && problem.contains("`topic`"),
            "{problem}"
        );
    }

    #[test]
    fn no_arguments_are_an_object_too() {
        let is_object = |schema: &Value| schema["type"] == "object";
        assert!(is_object(&input::<Unit>()));
        assert!(is_object(&input::<()>()));
        assert!(is_object(&input::<Value>()));
        assert!(!is_object(&input::<Vec<u8>>()));
        let arguments = Arguments::of::<Unit>();
        for json in ["", "null", "{}", " { } "] {
            assert!(arguments.read::<Unit>(json).is_ok(), "{json}");
        }
        assert!(arguments.read::<Unit>(r#"{"a":1}"#).is_err());
    }

    #[test]
    fn errors_that_only_a_type_knows_are_named_as_well() {
        #[derive(Debug, Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only read")]
        struct When {
            #[serde(deserialize_with = "refuse")]
            when: String,
        }
        fn refuse<'de, D: serde::Deserializer<'de>>(_: D) -> Result<String, D::Error> {
            Err(serde::de::Error::custom("no such day"))
        }
        let problem = Arguments::of::<When>()
            .read::<When>(r#"{"when":"x"}"#)
            .unwrap_err();
        assert!(
            problem.contains("`when`") && problem.contains("no such day"),
            "{problem}"
        );
    }
}
