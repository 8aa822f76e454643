//! From the JSON Schemas that types derive to the structural schemas that Kubernetes takes.
//!
//! [Kubernetes' rules](https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema):
//! no references, a type at every node, and below `allOf`, `anyOf`, `oneOf` and `not` nothing that
//! says what the shape is. So nullable members become optional ones, enums of objects become
//! objects of which one member may be there, and what has several types either is
//! `x-kubernetes-int-or-string` or is left to the operator.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The named parts of a schema, the whole under its title. References between them stand.
pub(super) type Definitions = BTreeMap<String, Value>;

/// A definition is written out at most so often within itself; deeper it is any object.
const DEPTH: usize = 3;

/// Takes a schema apart at its definitions and makes each structural.
pub(super) fn definitions(root: &schemars::Schema) -> Definitions {
    let mut root = root.clone().to_value();
    let parts = root.as_object_mut().and_then(|root| root.remove("$defs"));
    let title = root["title"].as_str().unwrap_or_default().to_owned();
    let mut found = match parts {
        Some(Value::Object(parts)) => parts.into_iter().collect(),
        _ => Definitions::new(),
    };
    found.insert(title, root);
    let whole = found.clone();
    for part in found.values_mut() {
        restructure(part, &whole);
    }
    found
}

/// A definition with everything that it refers to written out in its place.
pub(super) fn written_out(definitions: &Definitions, name: &str) -> Value {
    let mut schema = definitions.get(name).cloned().unwrap_or_default();
    write_out(&mut schema, definitions, &mut vec![name.to_owned()]);
    schema
}

fn write_out(node: &mut Value, definitions: &Definitions, within: &mut Vec<String>) {
    let reference = node.as_object_mut().and_then(|node| node.remove("$ref"));
    let Some(name) = reference.as_ref().and_then(name_of) else {
        each_child(node, |child| write_out(child, definitions, within));
        return;
    };
    let here = node.take();
    if within.iter().filter(|outer| *outer == name).count() >= DEPTH {
        *node = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        overlay(node, here);
        return;
    }
    *node = definitions.get(name).cloned().unwrap_or_default();
    overlay(node, here);
    within.push(name.to_owned());
    each_child(node, |child| write_out(child, definitions, within));
    within.pop();
}

/// The name in `#/$defs/NAME`.
fn name_of(reference: &Value) -> Option<&str> {
    reference.as_str()?.strip_prefix("#/$defs/")
}

/// Lays what is said at a place over what is said for all places. Rules add up, and what a
/// description says of the single values stays.
pub(super) fn overlay(node: &mut Value, over: Value) {
    let (Some(node), Value::Object(over)) = (node.as_object_mut(), over) else {
        return;
    };
    for (key, value) in over {
        match (key.as_str(), node.get_mut(&key), value) {
            ("x-kubernetes-validations", Some(Value::Array(rules)), Value::Array(more)) => {
                rules.extend(more);
            }
            ("description", Some(Value::String(before)), Value::String(here)) => {
                let values = before.find(VALUES).map_or("", |at| &before[at..]);
                *before = format!("{here}{values}");
            }
            (_, _, value) => {
                node.insert(key, value);
            }
        }
    }
}

/// Calls `with` for each schema that stands directly in this one.
fn each_child(node: &mut Value, mut with: impl FnMut(&mut Value)) {
    let Some(node) = node.as_object_mut() else {
        return;
    };
    if let Some(Value::Object(properties)) = node.get_mut("properties") {
        properties.values_mut().for_each(&mut with);
    }
    for key in ["additionalProperties", "items"] {
        if let Some(child) = node.get_mut(key) {
            with(child);
        }
    }
}

fn restructure(node: &mut Value, definitions: &Definitions) {
    let Some(members) = node.as_object_mut() else {
        return;
    };
    for dropped in ["$schema", "title", "examples"] {
        members.remove(dropped);
    }
    members.retain(|key, value| match key.as_str() {
        "default" => !is_empty(value),
        "additionalProperties" => *value != false,
        _ => true,
    });
    if let Some(Value::String(text)) = members.get_mut("description") {
        *text = unwrapped(text);
    }
    merge_alternatives(members, definitions);
    settle_type(members);
    each_child(node, |child| restructure(child, definitions));
}

/// A default that says nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Text with its lines joined, but for those that an empty line parts.
fn unwrapped(text: &str) -> String {
    let paragraphs = text
        .split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// One type, in the words that Kubernetes knows, and bounds where a format gave them.
fn settle_type(node: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = node.get_mut("type") {
        types.retain(|ty| ty != "null");
        match types.as_slice() {
            [only] => {
                let only = only.clone();
                node.insert("type".to_owned(), only);
            }
            _ => {
                node.remove("type");
                node.insert("x-kubernetes-int-or-string".to_owned(), true.into());
            }
        }
    }
    let format = node
        .get("format")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let largest = match format {
        "uint8" | "uint16" | "uint" | "uint64" => None,
        "uint32" => Some(u32::MAX),
        _ => return,
    };
    node.remove("format");
    if let Some(largest) = largest {
        node.entry("maximum").or_insert_with(|| largest.into());
    }
}

/// Makes one schema of `anyOf` or `oneOf`.
fn merge_alternatives(node: &mut Map<String, Value>, definitions: &Definitions) {
    let Some(Value::Array(alternatives)) = node.remove("anyOf").or_else(|| node.remove("oneOf"))
    else {
        return;
    };
    let mut alternatives: Vec<_> = alternatives
        .into_iter()
        .filter(|alternative| alternative["type"] != "null")
        .collect();
    let here = Value::Object(std::mem::take(node));
    let several: Vec<_> = alternatives
        .iter()
        .map(|it| resolved(it, definitions))
        .collect();
    let mut merged = match alternatives.as_mut_slice() {
        [only] => constants(&several).unwrap_or_else(|| only.take()),
        _ => constants(&several)
            .or_else(|| one_member(&several))
            .or_else(|| int_or_text(&several))
            .unwrap_or_else(|| json!({"x-kubernetes-preserve-unknown-fields": true})),
    };
    overlay(&mut merged, here);
    if let Value::Object(merged) = merged {
        *node = merged;
    }
}

fn resolved(node: &Value, definitions: &Definitions) -> Value {
    let target = node.get("$ref").and_then(name_of);
    let target = target.and_then(|name| definitions.get(name));
    target.unwrap_or(node).clone()
}

/// Stands between what a description says and what it says of the single values.
const VALUES: &str = "\n\n- ";

/// Texts of which one is to be written.
fn constants(alternatives: &[Value]) -> Option<Value> {
    let words: Option<Vec<_>> = alternatives.iter().map(|it| it["const"].as_str()).collect();
    let words = words?;
    let docs: Vec<_> = alternatives
        .iter()
        .zip(&words)
        .filter_map(|(it, word)| Some((word, it["description"].as_str()?)))
        .map(|(word, text)| format!("- `{word}`: {}", unwrapped(text)))
        .collect();
    Some(json!({
        "type": "string",
        "enum": words,
        "description": format!("\n\n{}", docs.join("\n")),
    }))
}

/// Objects that have one member each, of which one is to be written.
fn one_member(alternatives: &[Value]) -> Option<Value> {
    let mut members = Map::new();
    for alternative in alternatives {
        let (name, member) = alternative["properties"].as_object()?.iter().next()?;
        let mut member = member.clone();
        if let Some(text) = alternative.get("description") {
            overlay(&mut member, json!({"description": text}));
        }
        members.insert(name.clone(), member);
    }
    Some(json!({
        "type": "object",
        "properties": members,
        "minProperties": 1,
        "maxProperties": 1,
    }))
}

/// A number, or a text that may be one of a few words.
fn int_or_text(alternatives: &[Value]) -> Option<Value> {
    let [number, text] = alternatives else {
        return None;
    };
    if number["type"] != "integer" {
        return None;
    }
    let words = match text.get("oneOf") {
        Some(Value::Array(words)) => constants(words)?,
        _ => text.clone(),
    };
    let words: Option<Vec<_>> = words["enum"]
        .as_array()?
        .iter()
        .map(Value::as_str)
        .collect();
    let mut merged = number.clone();
    let members = merged.as_object_mut()?;
    members.remove("type");
    members.remove("description");
    members.insert("x-kubernetes-int-or-string".to_owned(), true.into());
    members.insert(
        "pattern".to_owned(),
        format!("^({})$", words?.join("|")).into(),
    );
    Some(merged)
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;

    /// A tree.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Tree {
        /// Its kind.
        kind: Option<Kind>,
        /// Its
        /// height.
        height: Option<u32>,
        /// Its branches.
        branches: Vec<Tree>,
        either: Either,
        mixed: Mixed,
    }

    /// What it is.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Kind {
        /// Has leaves.
        Oak,
        /// Has needles.
        Fir,
    }

    #[derive(JsonSchema)]
    #[schemars(untagged)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Either {
        Count(u32),
        Word(Kind),
    }

    #[derive(JsonSchema)]
    #[schemars(untagged)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Mixed {
        List(Vec<String>),
        Text(String),
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Wood {
        tree: Tree,
    }

    fn tree() -> Value {
        let schema = schemars::SchemaGenerator::default().into_root_schema_for::<Wood>();
        written_out(&definitions(&schema), "Wood")["properties"]["tree"].take()
    }

    #[test]
    fn options_enums_and_mixtures_become_structural() {
        let tree = tree();
        assert_eq!(
            tree["properties"]["kind"],
            json!({
                "type": "string",
                "enum": ["Oak", "Fir"],
                "description": "Its kind.\n\n- `Oak`: Has leaves.\n- `Fir`: Has needles.",
            })
        );
        assert_eq!(
            tree["properties"]["height"],
            json!({
                "type": "integer", "minimum": 0, "maximum": u32::MAX, "description": "Its height.",
            })
        );
        assert_eq!(
            tree["properties"]["either"],
            json!({
                "x-kubernetes-int-or-string": true,
                "minimum": 0,
                "maximum": u32::MAX,
                "pattern": "^(Oak|Fir)$",
            })
        );
        let any = json!({"x-kubernetes-preserve-unknown-fields": true});
        assert_eq!(tree["properties"]["mixed"], any);
    }

    #[test]
    fn recursion_ends() {
        let tree = tree();
        let branches = |tree: &Value| tree["properties"]["branches"]["items"].clone();
        let third = branches(&branches(&tree));
        assert_eq!(third["properties"]["height"]["type"], "integer");
        let cut = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        assert_eq!(branches(&third), cut);
    }

    #[test]
    fn rules_add_up() {
        let mut node = json!({"x-kubernetes-validations": [1], "description": "a\n\n- `x`: y"});
        overlay(
            &mut node,
            json!({"x-kubernetes-validations": [2], "description": "b", "maxLength": 3}),
        );
        assert_eq!(
            node,
            json!({
                "x-kubernetes-validations": [1, 2],
                "description": "b\n\n- `x`: y",
                "maxLength": 3,
            })
        );
    }
}
