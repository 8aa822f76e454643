//! What is laid over the schemas of types, and the words for it.

use serde_json::{Value, json};

use super::structural::{Definitions, overlay};

/// A DNS label (RFC 1123).
pub(super) const LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

/// What the names of most objects look like: DNS labels joined by dots (RFC 1123).
pub(super) const SUBDOMAIN: &str =
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// What a container image is called; whether there is one tells the cluster.
pub(super) const IMAGE: &str = r"^\S+$";

/// What the keys of a Secret look like.
pub(super) const SECRET_KEY: &str = "^[-._a-zA-Z0-9]+$";

/// Something laid over a definition or one of its members.
pub(super) struct Amendment {
    definition: &'static str,
    property: Option<&'static str>,
    with: Value,
}

/// An amendment of a whole definition.
pub(super) fn of(definition: &'static str, with: Value) -> Amendment {
    Amendment {
        definition,
        property: None,
        with,
    }
}

/// An amendment of a member. One that is not there yet is added.
pub(super) fn member(definition: &'static str, property: &'static str, with: Value) -> Amendment {
    Amendment {
        definition,
        property: Some(property),
        with,
    }
}

/// A rule in CEL: what has to hold, and what is said when it does not. With a `member` the error
/// is told there.
pub(super) fn rule(expression: &str, message: &str, member: Option<&str>) -> Value {
    let mut rule = json!({"rule": expression, "message": message});
    if let Some(member) = member {
        rule["fieldPath"] = format!(".{member}").into();
    }
    json!({"x-kubernetes-validations": [rule]})
}

/// A duration that is some time at all.
pub(super) fn some_time(message: &str) -> Value {
    rule("self.matches('[1-9]')", message, None)
}

/// A name that matches one of the patterns, at most so long.
pub(super) fn name(pattern: &str, longest: u32) -> Value {
    json!({"pattern": pattern, "maxLength": longest})
}

/// Where a value is in a Secret.
pub(super) fn of_secret(definition: &'static str) -> [Amendment; 2] {
    [
        member(definition, "name", name(SUBDOMAIN, 253)),
        member(definition, "key", name(SECRET_KEY, 253)),
    ]
}

/// Statuses: one condition of each type, so that each can be applied by itself.
pub(super) fn of_conditions() -> Vec<Amendment> {
    vec![of(
        "Conditions",
        json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    )]
}

impl Amendment {
    pub(super) fn lay_over(self, definitions: &mut Definitions) {
        let Some(definition) = definitions.get_mut(self.definition) else {
            return;
        };
        match self.property {
            None => overlay(definition, self.with),
            Some(property) => {
                let place = &mut definition["properties"][property];
                if place.is_null() {
                    *place = json!({});
                }
                overlay(place, self.with);
            }
        }
    }

    /// Whether there is something that it could be laid over.
    #[cfg(test)]
    pub(super) fn has_a_place(&self, definitions: &Definitions) -> bool {
        let definition = definitions.get(self.definition);
        let adds = self.with.get("type").is_some();
        definition.is_some_and(|definition| match self.property {
            None => true,
            Some(property) => adds || definition["properties"].get(property).is_some(),
        })
    }

    /// Where it is laid, for people.
    #[cfg(test)]
    pub(super) fn place(&self) -> String {
        format!("{}.{}", self.definition, self.property.unwrap_or_default())
    }
}
