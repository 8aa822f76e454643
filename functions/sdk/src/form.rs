//! Forms: what a person is asked to fill in, as the restricted JSON Schema that MCP allows in
//! `requestedSchema` (2025-11-25, `PrimitiveSchemaDefinition`; choices as in SEP-1330).

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use crate::schema;

/// The formats of texts that clients know.
const FORMATS: [&str; 4] = ["email", "uri", "date", "date-time"];

/// The form for a `T`.
///
/// # Errors
/// In words, when a `T` is more than a form can hold.
pub(crate) fn of<T: JsonSchema>() -> Result<Value, String> {
    let whole = schema::inline::<T>();
    let unfit = |why: &str| format!("`{}` cannot be a form: {why}", T::schema_name());
    if whole.get("type").and_then(Value::as_str) != Some("object") {
        return Err(unfit("it is no struct with named fields"));
    }
    let mut properties = Map::new();
    if let Some(Value::Object(fields)) = whole.get("properties") {
        for (name, schema) in fields {
            let field = field(schema).ok_or_else(|| {
                unfit(&format!(
                    "field `{name}` is no text, number, truth value, choice, or list of choices"
                ))
            })?;
            properties.insert(name.clone(), field);
        }
    }
    let mut form = Map::from_iter([
        ("type".to_owned(), "object".into()),
        ("properties".to_owned(), properties.into()),
    ]);
    if let Some(required) = whole.get("required") {
        form.insert("required".to_owned(), required.clone());
    }
    Ok(form.into())
}

/// What MCP allows of one field.
fn field(schema: &Value) -> Option<Value> {
    let schema = present(schema.as_object()?);
    let mut field = Map::new();
    let mut keep = |keywords: &[&str]| {
        for keyword in keywords {
            let value = schema.get(*keyword).filter(|value| !value.is_null());
            if let Some(value) = value {
                field.insert((*keyword).to_owned(), value.clone());
            }
        }
    };
    keep(&["title", "description", "default"]);
    if let Some(choices) = Choices::of(&schema) {
        field.insert("type".to_owned(), "string".into());
        let (keyword, choices) = choices.of_one();
        field.insert(keyword.to_owned(), choices);
        return Some(field.into());
    }
    match schema.get("type").and_then(Value::as_str)? {
        "string" => {
            keep(&["type", "minLength", "maxLength"]);
            let format = schema.get("format").and_then(Value::as_str);
            if let Some(format) = format.filter(|format| FORMATS.contains(format)) {
                field.insert("format".to_owned(), format.into());
            }
        }
        "integer" | "number" => keep(&["type", "minimum", "maximum"]),
        "boolean" => keep(&["type"]),
        "array" => {
            keep(&["type", "minItems", "maxItems"]);
            let items = present(schema.get("items")?.as_object()?);
            field.insert("items".to_owned(), Choices::of(&items)?.of_many());
        }
        _ => return None,
    }
    Some(field.into())
}

/// The schema of the value itself where it may also be null: a form leaves such a field out.
fn present(schema: &Map<String, Value>) -> Map<String, Value> {
    let mut schema = schema.clone();
    let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|ty| ty.as_str() != Some("null"));
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(parts)) = schema.get("anyOf") else {
        return schema;
    };
    let mut parts = parts.iter().filter(|part| !is_null(part));
    if let (Some(Value::Object(only)), None) = (parts.next(), parts.next()) {
        let only = only.clone();
        schema.remove("anyOf");
        for (keyword, value) in only {
            schema.entry(keyword).or_insert(value);
        }
    }
    schema
}

/// The values of an enum without data, each with what a person reads, where the author said.
struct Choices(Vec<(String, Option<String>)>);

impl Choices {
    fn of(schema: &Map<String, Value>) -> Option<Self> {
        if let Some(Value::Array(values)) = schema.get("enum") {
            let plain = |value: &Value| Some((value.as_str()?.to_owned(), None));
            return values.iter().map(plain).collect::<Option<_>>().map(Self);
        }
        let Some(Value::Array(variants)) = schema.get("oneOf") else {
            return None;
        };
        let mut choices = Vec::new();
        for variant in variants {
            let variant = variant.as_object()?;
            match variant.get("const") {
                Some(value) => {
                    let title = variant.get("title").or(variant.get("description"));
                    let title = title.and_then(Value::as_str).map(str::to_owned);
                    choices.push((value.as_str()?.to_owned(), title));
                }
                None => choices.extend(Self::of(variant)?.0),
            }
        }
        Some(Self(choices))
    }

    fn is_titled(&self) -> bool {
        self.0.iter().any(|(_, title)| title.is_some())
    }

    fn plain(&self) -> Value {
        self.0.iter().map(|(value, _)| value.as_str()).collect()
    }

    fn titled(&self) -> Value {
        let titled = self.0.iter();
        titled
            .map(|(value, title)| json!({"const": value, "title": title.as_ref().unwrap_or(value)}))
            .collect()
    }

    fn of_one(&self) -> (&'static str, Value) {
        match self.is_titled() {
            true => ("oneOf", self.titled()),
            false => ("enum", self.plain()),
        }
    }

    fn of_many(&self) -> Value {
        match self.is_titled() {
            true => json!({"anyOf": self.titled()}),
            false => json!({"type": "string", "enum": self.plain()}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only described")]
    enum Plain {
        Small,
        Large,
    }

    #[derive(JsonSchema)]
    #[schemars(rename_all = "lowercase")]
    #[expect(dead_code, reason = "only described")]
    enum Titled {
        #[schemars(title = "Like a mouse")]
        Small,
        /// Like a bear.
        Large,
        Other,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only described")]
    struct Everything {
        /// Who.
        #[schemars(length(min = 1), email)]
        name: String,
        #[serde(default = "thirty")]
        age: u8,
        score: Option<f64>,
        #[serde(default)]
        active: bool,
        plain: Plain,
        titled: Option<Titled>,
        #[schemars(length(min = 1, max = 2))]
        many: Vec<Plain>,
        many_titled: Vec<Titled>,
    }

    fn thirty() -> u8 {
        30
    }

    #[test]
    fn a_form_says_what_mcp_allows_and_nothing_else() {
        // schemars puts the variants without words first.
        let titled = json!([
            {"const": "other", "title": "other"},
            {"const": "small", "title": "Like a mouse"},
            {"const": "large", "title": "Like a bear."},
        ]);
        let expected = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "Who.", "minLength": 1, "format": "email"},
                "age": {"type": "integer", "minimum": 0, "maximum": 255, "default": 30},
                "score": {"type": "number"},
                "active": {"type": "boolean", "default": false},
                "plain": {"type": "string", "enum": ["Small", "Large"]},
                "titled": {"type": "string", "oneOf": titled},
                "many": {"type": "array", "minItems": 1, "maxItems": 2,
                    "items": {"type": "string", "enum": ["Small", "Large"]}},
                "many_titled": {"type": "array", "items": {"anyOf": titled}},
            },
            "required": ["name", "plain", "many", "many_titled"],
        });
        assert_eq!(of::<Everything>().unwrap(), expected);
    }

    #[test]
    fn what_no_form_can_hold_is_named() {
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only described")]
        struct Nested {
            inner: Option<Everything>,
        }
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only described")]
        struct Lists {
            texts: Vec<String>,
        }
        for (form, named) in [(of::<Nested>(), "`inner`"), (of::<Lists>(), "`texts`")] {
            let words = form.unwrap_err();
            assert!(words.contains(named), "{words}");
        }
        assert!(of::<String>().is_err() && of::<Plain>().is_err());
    }
}
