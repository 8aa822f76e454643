//! What the operator tells of an MCPServer.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{MCP, Place};
use crate::conditions::Finding;
use crate::controller::names;
use crate::mcp_server::{Check, ServerType, Status};
use crate::{AgentPool, McpServer};

/// What was found out about an MCPServer.
#[derive(Debug, Clone)]
pub struct Findings {
    /// About the spec and its Secrets.
    pub secrets: Finding,
    /// About the pods.
    pub replicas: Finding,
    /// About the Broker, where one is named.
    pub broker: Option<Finding>,
    /// How many pods are ready.
    pub ready: Option<u32>,
    /// How many pools it offers.
    pub pools: Option<u32>,
}

impl Findings {
    /// Of an MCPServer for which nothing is made.
    #[must_use]
    pub fn unusable(reason: &str, message: &str) -> Self {
        Self {
            secrets: Finding::fails(reason, message),
            replicas: Finding::pends("NotDeployed", "nothing is made before the spec can be used"),
            broker: None,
            ready: None,
            pools: None,
        }
    }

    /// The status, in which what has not changed since `before` keeps its times.
    #[must_use]
    pub fn status(self, place: Place<'_>, server: &McpServer, now: &Time) -> Status {
        let (before, generation) = (server.status.as_ref(), server.generation());
        let mut conditions = before.map(|it| it.conditions.clone()).unwrap_or_default();
        let mut parts = vec![Check::SecretsFound, Check::ReplicasReady];
        conditions.set(Check::SecretsFound, self.secrets, generation, now);
        conditions.set(Check::ReplicasReady, self.replicas, generation, now);
        if let Some(broker) = self.broker {
            conditions.set(Check::BrokerFound, broker, generation, now);
            parts.push(Check::BrokerFound);
        }
        conditions.summarize(Check::Ready, &parts, generation, now);
        parts.push(Check::Ready);
        conditions.keep_only(&parts);
        let Place {
            namespace, server, ..
        } = place;
        Status {
            observed_generation: generation,
            conditions,
            url: Some(format!(
                "http://{server}.{namespace}.svc.cluster.local:{MCP}/mcp"
            )),
            coordinator_url: Some(names::coordinator_url(namespace, server)),
            ready_replicas: self.ready,
            pools: self.pools,
        }
    }
}

/// Whether the pod is ready, and how many are.
#[must_use]
pub fn replicas(set: Option<&StatefulSet>) -> (Finding, Option<u32>) {
    let Some((set, status)) = set.and_then(|set| Some((set, set.status.as_ref()?))) else {
        let why = "the StatefulSet has not been looked at yet";
        return (Finding::pends("Creating", why), None);
    };
    let wanted = set.spec.as_ref().and_then(|it| it.replicas).unwrap_or(1);
    let ready = status.ready_replicas.unwrap_or_default();
    let is_old = status.observed_generation < set.metadata.generation;
    let is_moving =
        status.update_revision.is_some() && status.current_revision != status.update_revision;
    let finding = if is_old {
        Finding::pends("Updating", "the StatefulSet has changed")
    } else if ready < wanted {
        let name = set.metadata.name.as_deref().unwrap_or_default();
        Finding::fails(
            "PodsNotReady",
            format!(
                "{ready} of {wanted} pods are ready: `kubectl describe pod {name}-0` in its \
                 namespace says why"
            ),
        )
    } else if is_moving {
        Finding::pends(
            "Updating",
            "the pod that was changed has not taken over yet",
        )
    } else {
        Finding::holds("Ready", "")
    };
    (finding, u32::try_from(ready).ok())
}

/// How many of the namespace's pools a platform offers.
#[must_use]
pub fn offered(place: Place<'_>, ty: ServerType, pools: &[Arc<AgentPool>]) -> u32 {
    let is_offered = |pool: &&Arc<AgentPool>| {
        if pool.metadata.namespace.as_deref() != Some(place.namespace)
            || pool.metadata.deletion_timestamp.is_some()
        {
            return false;
        }
        let Ok(checked) = pool.pool() else {
            return false;
        };
        let told = || pool.status.as_ref()?.agent_type.clone();
        match &checked.run.server {
            Some(name) => name == place.server,
            None => ty.offers(&checked.agent_type.or_else(told).unwrap_or_default()),
        }
    };
    u32::try_from(pools.iter().filter(is_offered).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{owner, place};
    use super::*;
    use crate::conditions::Truth;

    fn found(status: Value) -> (Truth, Option<u32>) {
        let set = json!({
            "metadata": {"name": "mcp", "generation": 2}, "spec": {"replicas": 1, "selector": {},
            "serviceName": "mcp", "template": {}}, "status": status,
        });
        let set: StatefulSet = serde_json::from_value(set).unwrap();
        let (finding, ready) = replicas(Some(&set));
        (finding.status, ready)
    }

    #[test]
    fn it_is_ready_when_its_pod_is_the_one_that_is_wanted() {
        let status = |generation: i64, ready: i32, current: &str| {
            json!({
                "observedGeneration": generation, "replicas": 1, "readyReplicas": ready,
                "currentRevision": current, "updateRevision": "b",
            })
        };
        assert_eq!(found(status(2, 1, "b")), (Truth::True, Some(1)));
        assert_eq!(found(status(2, 0, "b")), (Truth::False, Some(0)));
        assert_eq!(found(status(1, 1, "b")), (Truth::Unknown, Some(1)));
        assert_eq!(found(status(2, 1, "a")), (Truth::Unknown, Some(1)));
        assert_eq!(replicas(None).0.status, Truth::Unknown);
    }

    #[test]
    fn the_same_findings_are_the_same_status() {
        let at = |second| Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap());
        let owner = owner();
        let mut server = McpServer::new("mcp", json!({}));
        let findings = Findings::unusable("InvalidSpec", "spec.replicas: no");
        let status = findings.clone().status(place(&owner), &server, &at(1));
        assert!(!status.conditions.holds(Check::Ready));
        let ready = status.conditions.get(Check::Ready).unwrap();
        assert_eq!(ready.message, "SecretsFound: spec.replicas: no");
        let url = status.url.as_deref();
        assert_eq!(url, Some("http://mcp.agents.svc.cluster.local:9876/mcp"));
        server.status = Some(status.clone());
        assert_eq!(findings.status(place(&owner), &server, &at(2)), status);
    }

    #[test]
    fn pools_are_counted_by_name_or_type() {
        let pool = |spec: Value| {
            let mut pool = AgentPool::new("a", spec);
            pool.metadata.namespace = Some("agents".to_owned());
            Arc::new(pool)
        };
        let mut elsewhere = AgentPool::new("a", json!({"image": "x"}));
        elsewhere.metadata.namespace = Some("others".to_owned());
        let pools = [
            pool(json!({"image": "x", "agentType": "educational"})),
            pool(json!({"image": "x", "agentType": "sales"})),
            pool(json!({"image": "x", "server": "mcp", "agentType": "sales"})),
            pool(json!({"image": "x", "server": "other"})),
            pool(json!({"image": 7})),
            Arc::new(elsewhere),
        ];
        let owner = owner();
        let count = |ty| offered(place(&owner), ty, &pools);
        assert_eq!(count(ServerType::Orchestrator), 3);
        assert_eq!(count(ServerType::Content), 2);
    }
}
