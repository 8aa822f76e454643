//! What a function announces outside of any answer, and the gateway passes on to who listens.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Event type, function to `K_SINK`: [`ResourceUpdated`].
pub const RESOURCE_UPDATED: &str = "dev.dormouse.resource.updated.v1";
/// Event type, function to `K_SINK`: the data is the new [`Manifest`](crate::Manifest).
pub const CAPABILITIES_CHANGED: &str = "dev.dormouse.capabilities.changed.v1";

/// Data of [`RESOURCE_UPDATED`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceUpdated {
    /// The resource that changed.
    pub uri: String,
}

/// A resource of a pool has changed: those who subscribed to it want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The pool that says so.
    pub pool: Arc<str>,
    /// The resource's URI.
    pub uri: Arc<str>,
}
