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
            Some(schema) => hide(arguments, &schema),
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

/// Hides in a value what its schema marks, through properties and items.
fn hide(value: &mut Value, schema: &Value) {
    if schema["writeOnly"] == true {
        *value = HIDDEN.into();
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                hide(member, &schema["properties"][name.as_str()]);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| hide(it, &schema["items"])),
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
        hide(&mut value, &schema);
        let expected = json!({
            "password": HIDDEN, "name": "n", "keys": [{"secret": HIDDEN, "id": 2}], "z": 1,
        });
        assert_eq!(value, expected);
    }
}
