//! What the operator has asked the API server for, as that has written it down.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api_server::{ApiServer, OPERATOR};

/// API group, resource and verb, in the words of a role.
pub type Right = (String, String, String);

impl ApiServer {
    /// What the operator has asked for so far, but for its watches: verb and resource.
    pub fn requests(&self) -> Vec<String> {
        let told = |entry: &Value| {
            let verb = text(&entry["verb"]);
            let about = &entry["objectRef"];
            let (resource, sub) = (text(&about["resource"]), text(&about["subresource"]));
            let is_watch = matches!(verb, "list" | "watch");
            (!is_watch && !resource.is_empty()).then(|| format!("{verb} {resource}/{sub}"))
        };
        self.entries().iter().filter_map(told).collect()
    }

    /// The rights that the operator has made use of.
    pub fn used(&self) -> BTreeSet<Right> {
        let mut used = BTreeSet::new();
        for entry in self.entries() {
            let about = &entry["objectRef"];
            let resource = match text(&about["subresource"]) {
                "" => text(&about["resource"]).to_owned(),
                sub => format!("{}/{sub}", text(&about["resource"])),
            };
            let mut use_right = |verb: &str| {
                let group = text(&about["apiGroup"]).to_owned();
                used.insert((group, resource.clone(), verb.to_owned()));
            };
            use_right(text(&entry["verb"]));
            // A patch that applies what is not there creates it.
            if entry["verb"] == "patch" && entry["responseStatus"]["code"] == 201 {
                use_right("create");
            }
        }
        // What needs no right of the role: which kinds there are.
        used.retain(|(_, resource, _)| !resource.is_empty());
        used
    }

    fn entries(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.file("audit.log")).unwrap_or_default();
        let entries = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let is_ours = |entry: &Value| entry["user"]["username"] == OPERATOR;
        entries.filter(is_ours).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
