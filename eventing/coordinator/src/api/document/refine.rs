//! From what `schemars` makes of our types to what people read.

use serde_json::{Map, Value};

/// Takes out of schemas what only says that an absent member may be `null`.
pub(super) fn refine(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|it| it != "null");
                if let [only] = &types[..] {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            if members.get("default") == Some(&Value::Null) {
                members.remove("default");
            }
            unwrap_optional(members);
            members.values_mut().for_each(refine);
        }
        Value::Array(items) => items.iter_mut().for_each(refine),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `anyOf: [{…}, {type: null}]` becomes its first part.
fn unwrap_optional(members: &mut Map<String, Value>) {
    let Some(Value::Array(parts)) = members.get_mut("anyOf") else {
        return;
    };
    parts.retain(|part| part["type"] != "null");
    if let [Value::Object(only)] = &mut parts[..] {
        let only = std::mem::take(only);
        members.remove("anyOf");
        members.extend(only);
    }
}

/// Rust's documentation links in descriptions: ``[`Name`](path)`` becomes `` `Name` ``.
pub(super) fn unwrap_links(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "description" => *text = without_links(text),
                    other => unwrap_links(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unwrap_links),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        out.push_str(before);
        let Some((name, after)) = link.split_once("`]") else {
            out.push_str("[`");
            rest = link;
            continue;
        };
        out.push_str(&format!("`{name}`"));
        rest = after
            .strip_prefix('(')
            .and_then(|target| target.split_once(')'))
            .map_or(after, |(_, after)| after);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn links_of_rusts_documentation_are_unwrapped() {
        for (text, expected) in [
            (
                "see [`Retry`](crate::Retry), or [`None`]",
                "see `Retry`, or `None`",
            ),
            ("a list [1, 2] and `code`", "a list [1, 2] and `code`"),
            ("an open [`link", "an open [`link"),
        ] {
            assert_eq!(without_links(text), expected);
        }
    }

    #[test]
    fn what_may_be_absent_is_not_null() {
        let mut schema = json!({"properties": {
            "a": {"type": ["string", "null"], "default": null},
            "b": {"anyOf": [{"$ref": "#/x"}, {"type": "null"}], "description": "B"},
        }});
        refine(&mut schema);
        assert_eq!(
            schema,
            json!({"properties": {
                "a": {"type": "string"},
                "b": {"$ref": "#/x", "description": "B"},
            }})
        );
    }
}
