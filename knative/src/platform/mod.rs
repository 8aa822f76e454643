//! MCPServers: each becomes one pod that runs `dormouse serve` on a volume of its own, with all
//! that it needs around it.
//!
//! What is wanted is a plain function of what was written ([`pods`], [`service`], [`token`],
//! [`neighbours`]);
//! [`reconcile`] applies it and tells, as [`status`] says, how far it has come. What was made goes
//! with its MCPServer by the owner that it names; the volume's claim stays.

pub mod made;
pub mod neighbours;
pub mod pods;
pub mod reconcile;
pub mod service;
pub mod status;
pub mod token;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use crate::controller::names;

/// The port of MCP clients.
pub const MCP: u16 = 9876;
/// The port of health and metrics.
pub const ADMIN: u16 = 9877;
/// The port of the coordinator's API and of events.
pub const COORDINATOR: u16 = 8888;

/// One MCPServer, and to whom what is made for it belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub server: &'a str,
    /// The MCPServer.
    pub owner: &'a OwnerReference,
}

impl Place<'_> {
    /// The `metadata` of an object that is made for the MCPServer.
    fn metadata(&self, name: &str) -> Value {
        json!({
            "name": name,
            "namespace": self.namespace,
            "labels": names::server_labels(self.server),
            "ownerReferences": [self.owner],
        })
    }

    /// The labels by which its pods are found.
    fn selector(&self) -> Value {
        json!({names::SERVER: self.server})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::McpServer;
    use crate::mcp_server::Platform;

    pub(super) fn platform(spec: Value) -> Platform {
        McpServer::new("mcp", spec).platform().unwrap()
    }

    pub(super) fn owner() -> OwnerReference {
        OwnerReference {
            api_version: McpServer::api_version(),
            kind: "MCPServer".to_owned(),
            name: "mcp".to_owned(),
            uid: "1-2-3".to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    pub(super) fn place(owner: &OwnerReference) -> Place<'_> {
        Place {
            namespace: "agents",
            server: "mcp",
            owner,
        }
    }
}
