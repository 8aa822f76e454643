//! The CustomResourceDefinitions, made of the types.
//!
//! A kind's schema is what [`schemars`] derives of its spec and status, made structural
//! (`structural.rs`), with what types cannot say laid over it (`agent_pool.rs`, `mcp_server.rs`):
//! most of what the operator would refuse is refused by the API server already, naming the field.
//!
//! They are committed as `knative/crds/*.yaml`, and a test holds those files against the types.

mod agent_pool;
mod mcp_server;
mod rule;
mod structural;

use std::io;
use std::path::Path;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::object::{GROUP, Kind, VERSION};

use rule::Amendment;
use structural::Definitions;

/// What writes the committed files, said where they are stale.
pub const COMMAND: &str = "cargo run -p dormouse-operator -- crds knative/crds";

/// One CustomResourceDefinition.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The name of its file: `agentpools.yaml`.
    pub file: String,
    /// The whole object.
    pub object: Value,
}

impl Definition {
    /// As YAML, under a line that says where it comes from.
    #[must_use]
    pub fn yaml(&self) -> String {
        let object = serde_saphyr::to_string(&self.object).unwrap_or_default();
        format!("# Made of the operator's types by `{COMMAND}`.\n{object}")
    }
}

/// The definitions of all kinds.
#[must_use]
pub fn definitions() -> Vec<Definition> {
    vec![
        definition::<crate::agent_pool::Kind>(&agent_pool::ADDITIONS),
        definition::<crate::mcp_server::Kind>(&mcp_server::ADDITIONS),
    ]
}

/// All definitions as one text of YAML, for `kubectl apply -f -`.
#[must_use]
pub fn yaml() -> String {
    let texts: Vec<_> = definitions().iter().map(Definition::yaml).collect();
    texts.join("---\n")
}

/// Writes each definition to a file of its own.
///
/// # Errors
/// When a file cannot be written.
pub fn write_to(folder: &Path) -> io::Result<()> {
    definitions()
        .iter()
        .try_for_each(|it| std::fs::write(folder.join(&it.file), it.yaml()))
}

/// What a kind's definition says besides its types.
struct Additions {
    /// What kubectl shows: heading, type, JSON path, and whether only with `-o wide`.
    columns: &'static [(&'static str, &'static str, &'static str, bool)],
    /// What names of its objects look like.
    name: &'static str,
    /// What is laid over the schemas of its types.
    amendments: fn() -> Vec<Amendment>,
}

fn definition<K: Kind>(additions: &Additions) -> Definition {
    let file = format!("{}.yaml", K::PLURAL);
    let object = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{}.{GROUP}", K::PLURAL),
            "labels": {"app.kubernetes.io/name": "dormouse"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": K::KIND,
                "listKind": format!("{}List", K::KIND),
                "plural": K::PLURAL,
                "singular": K::SINGULAR,
                "shortNames": K::SHORT_NAMES,
                "categories": ["dormouse"],
            },
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns(additions),
                "schema": {"openAPIV3Schema": whole_schema::<K>(additions)},
            }],
        },
    });
    Definition { file, object }
}

fn columns(additions: &Additions) -> Vec<Value> {
    let column = |&(name, ty, path, is_wide): &(&str, &str, &str, bool)| {
        let mut column = json!({"name": name, "type": ty, "jsonPath": path});
        if is_wide {
            column["priority"] = 1.into();
        }
        column
    };
    additions.columns.iter().map(column).collect()
}

fn whole_schema<K: Kind>(additions: &Additions) -> Value {
    json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {
                "type": "string",
                "description": format!("`{GROUP}/{VERSION}`."),
            },
            "kind": {"type": "string", "description": format!("`{}`.", K::KIND)},
            "metadata": {
                "type": "object",
                "properties": {"name": {"type": "string", "pattern": additions.name}},
            },
            "spec": schema::<K::Spec>((additions.amendments)()),
            "status": schema::<K::Status>(rule::of_conditions()),
        },
    })
}

/// The structural schema of a type.
fn schema<T: JsonSchema>(amendments: Vec<Amendment>) -> Value {
    let (mut definitions, title) = derived::<T>();
    for amendment in amendments {
        amendment.lay_over(&mut definitions);
    }
    structural::written_out(&definitions, &title)
}

fn derived<T: JsonSchema>() -> (Definitions, String) {
    let schema = SchemaGenerator::default().into_root_schema_for::<T>();
    (
        structural::definitions(&schema),
        T::schema_name().into_owned(),
    )
}

#[cfg(test)]
mod tests;
