//! What the server says that it can do.

use serde_json::{Value, json};

use crate::era::{Era, Revision};
use crate::tasks;

/// MCP `ServerCapabilities`. Pools come and go, so every feature is declared, whether or not a
/// pool offers it at the moment.
#[must_use]
pub fn of_server(era: Era) -> Value {
    let mut capabilities = json!({
        "logging": {},
        "prompts": {"listChanged": true},
        "resources": {"subscribe": true, "listChanged": true},
        "tools": {"listChanged": true},
    });
    match era {
        // Completions came with 2025-03-26.
        Era::Legacy(Revision::V2024_11_05) => {}
        Era::Legacy(revision) => {
            capabilities["completions"] = json!({});
            if revision.has_tasks() {
                capabilities["tasks"] =
                    json!({"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}});
            }
        }
        Era::Modern => {
            capabilities["completions"] = json!({});
            capabilities["extensions"] = json!({tasks::modern::EXTENSION: {}});
        }
    }
    capabilities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_era_declares_what_it_knows() {
        let old = of_server(Era::Legacy(Revision::V2024_11_05));
        assert!(old.get("completions").is_none() && old.get("tasks").is_none());
        let new = of_server(Era::Legacy(Revision::LATEST));
        assert!(new["completions"].is_object() && new["tasks"].is_object());
        assert_eq!(
            new["resources"],
            json!({"subscribe":true,"listChanged":true})
        );
        let modern = of_server(Era::Modern);
        assert!(modern.get("tasks").is_none());
        assert!(modern["extensions"][tasks::modern::EXTENSION].is_object());
    }
}
