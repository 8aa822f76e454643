//! Which kinds a cluster knows: those that the operator cannot do without, and those that it can.

use std::time::Duration;

use kube::Client;

use super::words;
use crate::object;
use crate::platform::neighbours::{MonitorKind, RouteKind};
use crate::pool::knative::{Kind, RevisionKind, ServiceKind, TriggerKind};

/// How often the API server is asked whether the kinds that are needed are there.
const AGAIN: Duration = Duration::from_secs(10);

/// Which of the kinds that the operator can do without are there. One that comes later is seen
/// when the operator starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignKinds {
    /// The Triggers of Knative Eventing.
    pub triggers: bool,
    /// The ServiceMonitors of Prometheus' operator.
    pub monitors: bool,
    /// The VirtualServices of Istio.
    pub routes: bool,
}

/// Waits until our own kinds and Knative Serving's are there, and tells which of the others are.
pub async fn find(client: &Client) -> ForeignKinds {
    loop {
        match look(client).await {
            Ok(Ok(kinds)) => return kinds,
            Ok(Err(missing)) => tracing::error!(
                missing,
                "the cluster lacks a kind: install Dormouse's definitions and Knative Serving; \
                 waiting for them"
            ),
            Err(error) => {
                tracing::error!(error = words(&error), "the API server cannot be asked");
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The kinds, or the first one that is missing.
async fn look(client: &Client) -> kube::Result<Result<ForeignKinds, &'static str>> {
    for plural in ["agentpools", "mcpservers"] {
        if !is_known(client, object::GROUP, object::VERSION, plural).await? {
            return Ok(Err(plural));
        }
    }
    if !knows::<ServiceKind>(client).await? {
        return Ok(Err("services.serving.knative.dev"));
    }
    if !knows::<RevisionKind>(client).await? {
        return Ok(Err("revisions.serving.knative.dev"));
    }
    Ok(Ok(ForeignKinds {
        triggers: knows::<TriggerKind>(client).await?,
        monitors: knows::<MonitorKind>(client).await?,
        routes: knows::<RouteKind>(client).await?,
    }))
}

async fn knows<K: Kind>(client: &Client) -> kube::Result<bool> {
    is_known(client, K::GROUP, "v1", K::PLURAL).await
}

async fn is_known(client: &Client, group: &str, version: &str, plural: &str) -> kube::Result<bool> {
    let group = format!("{group}/{version}");
    match client.list_api_group_resources(&group).await {
        Ok(known) => Ok(known.resources.iter().any(|it| it.name == plural)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}
