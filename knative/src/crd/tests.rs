use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::*;

/// Calls `with` for a schema and all below it, with their places.
fn walk(schema: &Value, place: &str, with: &mut impl FnMut(&Value, &str)) {
    with(schema, place);
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            walk(property, &format!("{place}.{name}"), with);
        }
    }
    for (key, step) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(child) = schema.get(key) {
            walk(child, &format!("{place}{step}"), with);
        }
    }
}

fn schemas() -> Vec<Value> {
    let schema =
        |it: Definition| it.object["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    definitions().into_iter().map(schema).collect()
}

/// What may stand in a schema of ours.
const KEYWORDS: [&str; 24] = [
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];

#[test]
fn the_schemas_are_structural() {
    let mut wrong = Vec::new();
    let mut look = |schema: &Value, place: &str| {
        let mut complain = |what: &str| wrong.push(format!("{place}: {what}"));
        let Some(members) = schema.as_object() else {
            return complain("is no schema");
        };
        for key in members
            .keys()
            .filter(|key| !KEYWORDS.contains(&key.as_str()))
        {
            complain(&format!("`{key}` is not known"));
        }
        let is_free = schema["x-kubernetes-preserve-unknown-fields"] == true
            || schema["x-kubernetes-int-or-string"] == true;
        let types = ["array", "boolean", "integer", "number", "object", "string"];
        match schema["type"].as_str() {
            Some(ty) if types.contains(&ty) => {}
            None if is_free => {}
            other => complain(&format!("{other:?} is no type")),
        }
        if schema["type"] == "array" && schema.get("items").is_none() {
            complain("says nothing of its elements");
        }
        if members.contains_key("properties") && members.contains_key("additionalProperties") {
            complain("has `additionalProperties` beside `properties`");
        }
        // Below it nothing may say what the shape is.
        for alternative in schema["oneOf"].as_array().into_iter().flatten() {
            if alternative
                .as_object()
                .is_none_or(|it| !it.keys().eq(["required"]))
            {
                complain("has alternatives of more than required members");
            }
        }
        let formats = ["int32", "int64", "date-time"];
        if let Some(format) = schema["format"].as_str()
            && !formats.contains(&format)
        {
            complain(&format!("`{format}` is no format"));
        }
    };
    for schema in schemas() {
        walk(&schema, "", &mut look);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_field_is_documented_in_plain_words() {
    let mut wrong = Vec::new();
    for schema in schemas() {
        walk(&schema, "", &mut |schema, place| {
            let Some(properties) = schema["properties"].as_object() else {
                return;
            };
            for (name, property) in properties {
                let text = property["description"].as_str().unwrap_or_default();
                let is_of_kubernetes =
                    place.is_empty() && name == "metadata" || place == ".metadata";
                let is_plain = !text.is_empty() && !text.contains("[`") && !text.contains("](");
                if !is_plain && !is_of_kubernetes {
                    wrong.push(format!("{place}.{name}: {text}"));
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn defaults_are_good() {
    for schema in schemas() {
        walk(&schema, "", &mut |schema, place| {
            if let Some(default) = schema.get("default") {
                let errors = jsonschema::validator_for(schema).map(|it| it.is_valid(default));
                assert!(matches!(errors, Ok(true)), "{place}: {default}");
            }
        });
    }
}

#[test]
fn kubernetes_own_type_reads_all_of_it() {
    fn with_floats(value: &mut Value) {
        match value {
            Value::Number(number) => *value = number.as_f64().into(),
            Value::Array(list) => list.iter_mut().for_each(with_floats),
            Value::Object(members) => members.values_mut().for_each(with_floats),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
    for mut definition in definitions() {
        let read: CustomResourceDefinition =
            serde_json::from_value(definition.object.clone()).unwrap();
        let mut written = serde_json::to_value(read).unwrap();
        with_floats(&mut written);
        with_floats(&mut definition.object);
        assert_eq!(written, definition.object, "{}", definition.file);
    }
}

#[test]
fn each_amendment_has_its_place() {
    fn misplaced<T: JsonSchema>(amendments: Vec<Amendment>) -> Vec<String> {
        let (definitions, _) = derived::<T>();
        amendments
            .iter()
            .filter(|it| !it.has_a_place(&definitions))
            .map(Amendment::place)
            .collect()
    }
    let lost = [
        misplaced::<dormouse_pool::Spec>((agent_pool::ADDITIONS.amendments)()),
        misplaced::<crate::mcp_server::Spec>((mcp_server::ADDITIONS.amendments)()),
        misplaced::<crate::agent_pool::Status>(rule::of_conditions()),
        misplaced::<crate::mcp_server::Status>(rule::of_conditions()),
    ];
    assert!(lost.iter().all(Vec::is_empty), "{lost:?}");
}
