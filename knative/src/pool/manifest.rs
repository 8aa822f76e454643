//! What a revision answered when it was asked what it offers, and the ConfigMap that keeps it.

use dormouse_contract::manifest::{InvalidManifest, Manifest};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use crate::controller::names;

/// The key with the manifest, to the letter.
pub const KEY: &str = "manifest.json";

/// No larger manifest is taken, in bytes: a ConfigMap has at most 1 MiB.
pub const LARGEST: usize = 900 << 10;

/// A manifest, and the revision that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The Knative revision.
    pub revision: String,
    /// The manifest, to the letter.
    pub json: String,
}

impl Known {
    /// That of a ConfigMap; `None` when it is not complete.
    #[must_use]
    pub fn read(map: &ConfigMap) -> Option<Self> {
        let annotations = map.metadata.annotations.as_ref()?;
        Some(Self {
            revision: annotations.get(names::REVISION)?.clone(),
            json: map.data.as_ref()?.get(KEY)?.clone(),
        })
    }

    /// The manifest, read and checked.
    ///
    /// # Errors
    /// When it cannot be used, saying what is wrong.
    pub fn manifest(&self) -> Result<Manifest, InvalidManifest> {
        Manifest::parse(self.json.as_bytes())
    }

    /// The ConfigMap, as it is applied.
    #[must_use]
    pub fn object(&self, namespace: &str, pool: &str, owner: &OwnerReference) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": names::pool_manifest(pool),
                "namespace": namespace,
                "labels": names::pool_labels(namespace, pool),
                "annotations": {names::REVISION: self.revision},
                "ownerReferences": [owner],
            },
            "data": {KEY: self.json},
        })
    }
}

/// The names of a manifest's tools, in the order declared; nameless ones are left out.
#[must_use]
pub fn tools(manifest: &Manifest) -> Vec<String> {
    let tools = manifest.parsed_tools().unwrap_or_default();
    tools.into_iter().map(|tool| tool.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_kept_to_the_letter() {
        let known = Known {
            revision: "educational-00001".to_owned(),
            json: r#"{"contract":1,  "tools":[{"name":"t","inputSchema":{"type":"object"}}]}"#
                .to_owned(),
        };
        let object = known.object("agents", "educational", &OwnerReference::default());
        let map: ConfigMap = serde_json::from_value(object).unwrap();
        assert_eq!(Known::read(&map).as_ref(), Some(&known));
        assert_eq!(tools(&known.manifest().unwrap()), ["t"]);
        assert_eq!(Known::read(&ConfigMap::default()), None);
    }
}
