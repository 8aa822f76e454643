//! What a tool's schema marks as `writeOnly` (JSON Schema, validation, section 9.4) goes to the
//! function and is shown to nobody.

use dormouse_broker::TaskRecord;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::Api;
use super::problem::Problem;

/// Stands where something is not shown.
const HIDDEN: &str = "(not shown)";

/// A call's data without what is secret. When the tool is no longer known, nobody can tell what is
/// secret, and no arguments are shown.
pub(super) fn without(api: &Api, task: &TaskRecord, data: &[u8]) -> Result<Box<RawValue>, Problem> {
    let unshowable = |error: serde_json::Error| Problem::Unshowable(error.to_string());
    let mut request: Map<String, Value> = serde_json::from_slice(data).map_err(unshowable)?;
    // Answers of people and results of steps have no schema here.
    request.retain(|name, _| matches!(name.as_str(), "method" | "params" | "client"));
    if let Some(arguments) = arguments_of(&mut request) {
        match schema(api, task) {
            Some(schema) => hide(arguments, &Schemas::new(&schema, [&schema])),
            None => *arguments = HIDDEN.into(),
        }
    }
    to_raw_value(&request).map_err(unshowable)
}

fn arguments_of(request: &mut Map<String, Value>) -> Option<&mut Value> {
    if request.get("method")? != "tools/call" {
        return None;
    }
    request.get_mut("params")?.get_mut("arguments")
}

fn schema(api: &Api, task: &TaskRecord) -> Option<Value> {
    let registered = api.coordinator.registrations().borrow().clone();
    let pool = registered.iter().find(|pool| *pool.pool == *task.pool)?;
    let tools = pool.manifest.parsed_tools().ok()?;
    let tool = tools.iter().find(|tool| tool.name == task.capability)?;
    serde_json::from_str(tool.input_schema.get()).ok()
}

/// The keywords whose schemas hold for the same value.
const BESIDE: [&str; 6] = ["allOf", "anyOf", "oneOf", "if", "then", "else"];

/// The schemas that may hold for one value, of the whole that they are part of.
struct Schemas<'s> {
    whole: &'s Value,
    all: Vec<&'s Value>,
    /// One of them cannot be followed, so nobody can tell what it marks.
    is_partial: bool,
}

impl<'s> Schemas<'s> {
    /// More than these are followed by nobody.
    const MOST: usize = 200;

    fn new(whole: &'s Value, schemas: impl IntoIterator<Item = &'s Value>) -> Self {
        let mut all = Self {
            whole,
            all: Vec::new(),
            is_partial: false,
        };
        schemas.into_iter().for_each(|schema| all.add(schema));
        all
    }

    /// A schema with what it refers to and what stands beside it.
    fn add(&mut self, schema: &'s Value) {
        if self.all.iter().any(|known| std::ptr::eq(*known, schema)) {
            return;
        }
        if self.all.len() == Self::MOST || schema.get("$dynamicRef").is_some() {
            self.is_partial = true;
            return;
        }
        self.all.push(schema);
        if let Some(reference) = schema.get("$ref") {
            let local = reference.as_str().and_then(|it| it.strip_prefix('#'));
            match local.and_then(|pointer| self.whole.pointer(pointer)) {
                Some(target) => self.add(target),
                None => self.is_partial = true,
            }
        }
        for keyword in BESIDE {
            match &schema[keyword] {
                Value::Array(branches) => branches.iter().for_each(|it| self.add(it)),
                Value::Null => {}
                branch => self.add(branch),
            }
        }
    }

    fn is_secret(&self) -> bool {
        self.is_partial || self.all.iter().any(|schema| schema["writeOnly"] == true)
    }

    /// The schemas of a member of an object.
    fn member(&self, name: &str) -> Self {
        let of_it = self.all.iter().flat_map(|schema| {
            let patterns = schema["patternProperties"].as_object();
            let patterns = patterns.into_iter().flat_map(|patterns| patterns.values());
            let own = [&schema["properties"][name], &schema["additionalProperties"]];
            own.into_iter().chain(patterns)
        });
        Self::new(self.whole, of_it)
    }

    /// The schemas of an item of an array.
    fn item(&self, place: usize) -> Self {
        let of_it = self.all.iter().flat_map(|schema| {
            let alone = [&schema["items"], &schema["contains"]];
            alone.into_iter().chain([&schema["prefixItems"][place]])
        });
        Self::new(self.whole, of_it)
    }
}

/// Hides in a value what any schema marks that may hold for it.
fn hide(value: &mut Value, schemas: &Schemas<'_>) {
    if schemas.is_secret() {
        *value = HIDDEN.into();
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                hide(member, &schemas.member(name));
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter_mut().enumerate() {
                hide(item, &schemas.item(place));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_write_only_is_hidden_wherever_it_stands() {
        let secret = json!({"type": "string", "writeOnly": true});
        let schema = json!({"properties": {
            "password": secret,
            "name": {"type": "string"},
            "keys": {"type": "array", "items": {"properties": {"secret": secret}}},
        }});
        let mut value =
            json!({"password": "x", "name": "n", "keys": [{"secret": 1, "id": 2}], "z": 1});
        hide(&mut value, &Schemas::new(&schema, [&schema]));
        let expected = json!({
            "password": HIDDEN, "name": "n", "keys": [{"secret": HIDDEN, "id": 2}], "z": 1,
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn it_is_found_behind_references_and_in_any_branch() {
        let schema = json!({
            "$defs": {
                "Account": {"properties": {"password": {"writeOnly": true}, "user": {}}},
                "Tree": {"properties": {
                    "key": {"writeOnly": true},
                    "left": {"$ref": "#/$defs/Tree"},
                }},
            },
            "properties": {
                "account": {"$ref": "#/$defs/Account"},
                "maybe": {"anyOf": [{"$ref": "#/$defs/Account"}, {"type": "null"}]},
                "by_name": {"additionalProperties": {"$ref": "#/$defs/Account"}},
                "pair": {"prefixItems": [{}, {"allOf": [{"writeOnly": true}]}]},
                "tree": {"$ref": "#/$defs/Tree"},
                "elsewhere": {"$ref": "https://example.com/schema"},
            },
        });
        let account = json!({"password": "x", "user": "u"});
        let hidden = json!({"password": HIDDEN, "user": "u"});
        let mut value = json!({
            "account": account, "maybe": account, "by_name": {"a": account}, "pair": [1, 2],
            "tree": {"left": {"left": {"key": 1}}}, "elsewhere": 3,
        });
        hide(&mut value, &Schemas::new(&schema, [&schema]));
        let expected = json!({
            "account": hidden, "maybe": hidden, "by_name": {"a": hidden}, "pair": [1, HIDDEN],
            "tree": {"left": {"left": {"key": HIDDEN}}}, "elsewhere": HIDDEN,
        });
        assert_eq!(value, expected);
    }
}
