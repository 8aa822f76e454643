//! What a cluster runs for a pool.

use std::collections::BTreeMap;

use dormouse_contract::registration::is_pool_name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::Spec;
use crate::field::{Field, Invalid};
use crate::quantity::Quantity;

/// What runs in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The image; its program listens on `PORT`.
    pub image: String,
    /// The processor time and memory of one instance; nothing: the cluster's defaults.
    pub resources: Resources,
    /// The service account that it runs as, where the file says one.
    pub service_account_name: Option<String>,
    /// The MCPServer of the namespace that offers the pool; `None`: every one that offers pools of
    /// its agent type.
    pub server: Option<String>,
}

/// The processor time and memory of one instance, in Kubernetes' words: amounts by the name of
/// the resource, such as `cpu` and `memory`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// What is set aside for it. Default: what `limits` says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,
    /// What it gets at most. Default: what the node has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
}

impl Container {
    /// Takes what belongs to a cluster out of the spec and checks it.
    pub(crate) fn take(spec: &mut Spec) -> Result<Self, Invalid> {
        let field = |key| Field::of(&["spec"]).key(key);
        let Some(image) = spec.image.take() else {
            return Err(field("image").invalid(
                "is missing: a cluster runs an image, such as `dormouse/educational:0.1.0`",
            ));
        };
        if image.is_empty() || image.contains(|letter: char| letter.is_whitespace()) {
            return Err(field("image").invalid(format!(
                "`{}` names no image: write `[REGISTRY/]NAME[:TAG][@DIGEST]`",
                image.escape_debug()
            )));
        }
        let server = spec.server.take();
        if let Some(name) = server.as_deref()
            && !is_pool_name(name)
        {
            return Err(field("server").invalid(format!(
                "`{}` is no name of an MCPServer: 1 to 63 lower-case letters, digits and `-`, \
                 with a letter or digit at both ends",
                name.escape_debug()
            )));
        }
        let service_account_name = spec.service_account_name.take();
        if let Some(name) = service_account_name.as_deref()
            && !is_subdomain(name)
        {
            return Err(field("serviceAccountName").invalid(format!(
                "`{}` is no name of a service account: DNS labels (RFC 1123) joined by dots, at \
                 most 253 characters",
                name.escape_debug()
            )));
        }
        Ok(Self {
            image,
            resources: spec.resources.take().unwrap_or_default(),
            service_account_name,
            server,
        })
    }
}

/// Whether most Kubernetes objects may be called so: a DNS subdomain (RFC 1123).
fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_pool_name)
}
