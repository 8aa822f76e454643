//! What the operator calls things in a cluster, and how it marks what it has made.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// Who owns the fields that the operator applies, and the controller of its events.
pub const MANAGER: &str = "dormouse-operator";

/// The label of everything that the operator has made; its value is [`MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The label that names the AgentPool for which an object was made.
pub const POOL: &str = "dormouse.dev/agent-pool";

/// The label that names the namespace of that AgentPool: triggers may stand beside a Broker that
/// lives elsewhere.
pub const POOL_NAMESPACE: &str = "dormouse.dev/agent-pool-namespace";

/// The label that names the MCPServer for which an object was made.
pub const SERVER: &str = "dormouse.dev/mcp-server";

/// The finalizer of AgentPools: they are taken out of the platforms before they go.
pub const REGISTRATION: &str = "dormouse.dev/registration";

/// The annotation of a manifest that names the Knative revision which answered it.
pub const REVISION: &str = "dormouse.dev/revision";

/// The annotation of a revision that tells its secrets from others.
pub const SECRETS: &str = "dormouse.dev/secrets";

/// The annotation of an AgentPool or MCPServer that the operator is to leave as it is, with all
/// that was made for it: `true`. One that is deleted goes all the same.
pub const PAUSED: &str = "dormouse.dev/paused";

/// The names of an object.
pub type Labels = BTreeMap<String, String>;

/// The labels of what is made for an AgentPool.
#[must_use]
pub fn pool_labels(namespace: &str, pool: &str) -> Labels {
    [
        (MANAGED_BY, MANAGER),
        (POOL, pool),
        (POOL_NAMESPACE, namespace),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The labels of what is made for an MCPServer.
#[must_use]
pub fn server_labels(server: &str) -> Labels {
    [(MANAGED_BY, MANAGER), (SERVER, server)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// The Secret of an AgentPool.
#[must_use]
pub fn pool_secret(pool: &str) -> String {
    format!("{pool}-dormouse")
}

/// The ConfigMap with the manifest of an AgentPool.
#[must_use]
pub fn pool_manifest(pool: &str) -> String {
    format!("{pool}-manifest")
}

/// The Secret with the bearer token of a platform, in the key `token`.
#[must_use]
pub fn server_token(server: &str) -> String {
    format!("{server}-token")
}

/// The Secret with the token by which Brokers send events to a platform, in the key `token`.
#[must_use]
pub fn server_broker(server: &str) -> String {
    format!("{server}-broker")
}

/// Where the coordinator of a platform answers, within its cluster.
#[must_use]
pub fn coordinator_url(namespace: &str, server: &str) -> String {
    format!("http://{server}.{namespace}.svc.cluster.local:8888")
}

/// Whether an object with these owners was made for the object with this uid.
#[must_use]
pub fn is_owned_by(owners: Option<&[OwnerReference]>, uid: &str) -> bool {
    owners.is_some_and(|owners| {
        owners
            .iter()
            .any(|owner| owner.controller == Some(true) && owner.uid == uid)
    })
}
