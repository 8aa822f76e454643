//! Which platforms offer a pool, and to which of them its function reports.

use std::sync::Arc;

use dormouse_pool::{Container, Pool};

use super::trigger::Broker;
use crate::McpServer;
use crate::controller::names;
use crate::mcp_server::{Limits, ServerType};

/// A platform that offers a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The MCPServer.
    pub name: String,
    /// Its uid: one that was made anew under the same name knows nothing.
    pub uid: String,
    /// Where its coordinator answers.
    pub coordinator: String,
    /// The Secret and key with its bearer token.
    pub token: (String, String),
    /// The Broker whose events it takes.
    pub broker: Option<Broker>,
    /// The most instances of a pool that does not say it.
    pub max_agents: usize,
}

/// The MCPServers of a namespace as one pool sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Platforms {
    /// Those that offer it, by name.
    pub offering: Vec<Platform>,
    /// The others, which must not know it.
    pub others: Vec<Platform>,
}

/// Sorts the MCPServers of a pool's namespace. What is being deleted, or has a spec that cannot be
/// read, is left out.
#[must_use]
pub fn platforms(
    namespace: &str,
    servers: &[Arc<McpServer>],
    pool: &Pool<Container>,
    agent_type: Option<&str>,
) -> Platforms {
    let offers = |(platform, ty): &(Platform, ServerType)| match &pool.run.server {
        Some(name) => *name == platform.name,
        None => ty.offers(agent_type.unwrap_or_default()),
    };
    let (offering, others): (Vec<_>, Vec<_>) = standing(namespace, servers).partition(offers);
    let platforms = |of: Vec<(Platform, ServerType)>| {
        let mut platforms: Vec<_> = of.into_iter().map(|(platform, _)| platform).collect();
        platforms.sort_by(|a, b| a.name.cmp(&b.name));
        platforms
    };
    Platforms {
        offering: platforms(offering),
        others: platforms(others),
    }
}

/// Every platform of a namespace that stands.
#[must_use]
pub fn all(namespace: &str, servers: &[Arc<McpServer>]) -> Vec<Platform> {
    let standing = standing(namespace, servers);
    standing.map(|(platform, _)| platform).collect()
}

fn standing(
    namespace: &str,
    servers: &[Arc<McpServer>],
) -> impl Iterator<Item = (Platform, ServerType)> {
    servers
        .iter()
        .filter(move |server| {
            server.metadata.namespace.as_deref() == Some(namespace)
                && server.metadata.deletion_timestamp.is_none()
        })
        .filter_map(move |server| platform(namespace, server))
}

fn platform(namespace: &str, server: &McpServer) -> Option<(Platform, ServerType)> {
    let spec = server.spec().ok()?;
    let told = server.status.as_ref();
    let platform = Platform {
        name: server.name().to_owned(),
        uid: server.metadata.uid.clone().unwrap_or_default(),
        coordinator: told
            .and_then(|status| status.coordinator_url.clone())
            .unwrap_or_else(|| names::coordinator_url(namespace, server.name())),
        token: match spec.auth.token_secret_ref {
            Some(reference) => (reference.name, reference.key),
            None => (names::server_token(server.name()), "token".to_owned()),
        },
        broker: spec.broker.map(|broker| Broker {
            namespace: broker.namespace.unwrap_or_else(|| namespace.to_owned()),
            name: broker.name,
        }),
        max_agents: usize::from(spec.limits.max_agents),
    };
    Some((platform, spec.server_type))
}

impl Platforms {
    /// Where the function reports (`K_SINK`): to the platform that the pool names; else where it
    /// reports now, so that another platform makes no new revision; else to the first. `None` while
    /// there is none.
    #[must_use]
    pub fn sink(
        &self,
        namespace: &str,
        pool: &Pool<Container>,
        now: Option<&str>,
    ) -> Option<String> {
        let of = |server: &str| sink_of(namespace, server, pool.name.as_str());
        if let Some(named) = &pool.run.server {
            return Some(of(named));
        }
        let known = self.offering.iter().map(|it| of(&it.name));
        let kept = now.filter(|now| known.clone().any(|sink| sink == *now));
        let first = self.offering.first().map(|it| of(&it.name));
        kept.map(str::to_owned).or(first).or(now.map(str::to_owned))
    }

    /// The most instances of a pool that does not say it, as the platform wants it to which its
    /// function reports.
    #[must_use]
    pub fn ceiling(&self, namespace: &str, pool: &str, sink: &str) -> usize {
        let reports_to = |it: &&Platform| sink_of(namespace, &it.name, pool) == sink;
        let platform = self.offering.iter().find(reports_to);
        platform.map_or(usize::from(Limits::default().max_agents), |it| {
            it.max_agents
        })
    }

    /// What several platforms in front of one function cannot do.
    #[must_use]
    pub fn not_honoured(&self, sink: &str) -> Option<String> {
        (self.offering.len() > 1).then(|| {
            let names: Vec<_> = self.offering.iter().map(|it| it.name.as_str()).collect();
            format!(
                "spec.server: several MCPServers offer the pool ({}), and its function reports \
                 progress and steps to {sink} alone; name one",
                names.join(", ")
            )
        })
    }
}

fn sink_of(namespace: &str, server: &str, pool: &str) -> String {
    let coordinator = names::coordinator_url(namespace, server);
    format!("{coordinator}/pools/{pool}/events")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::pool;
    use super::*;

    fn server(name: &str, ty: &str) -> Arc<McpServer> {
        let mut server = McpServer::new(name, json!({"serverType": ty}));
        server.metadata.namespace = Some("agents".to_owned());
        Arc::new(server)
    }

    fn sorted(servers: &[Arc<McpServer>], file: &str, agent_type: &str) -> (Vec<String>, usize) {
        let platforms = platforms("agents", servers, &pool(file), Some(agent_type));
        let names = platforms.offering.into_iter().map(|it| it.name).collect();
        (names, platforms.others.len())
    }

    #[test]
    fn a_pool_is_offered_by_its_type_or_by_name() {
        let servers = [
            server("b", "orchestrator"),
            server("a", "content"),
            server("c", "integration"),
        ];
        let named = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(sorted(&servers, "", "educational"), (named(&["a", "b"]), 1));
        assert_eq!(sorted(&servers, "", "github"), (named(&["b", "c"]), 1));
        let file = "\n  server: c";
        assert_eq!(sorted(&servers, file, "educational"), (named(&["c"]), 2));
        assert_eq!(
            platforms("other", &servers, &pool(""), None),
            Platforms::default()
        );
    }

    #[test]
    fn who_is_reported_to_says_how_far_it_scales() {
        let mut server = McpServer::new("b", json!({"limits": {"maxAgents": 3}}));
        server.metadata.namespace = Some("agents".to_owned());
        let platforms = platforms("agents", &[Arc::new(server)], &pool(""), None);
        let sink = platforms.sink("agents", &pool(""), None).unwrap();
        assert_eq!(platforms.ceiling("agents", "educational", &sink), 3);
        assert_eq!(platforms.ceiling("agents", "educational", "elsewhere"), 10);
    }

    #[test]
    fn a_further_platform_does_not_change_where_a_function_reports() {
        let (pool, one, two) = (
            pool(""),
            server("b", "orchestrator"),
            server("a", "orchestrator"),
        );
        let alone = platforms("agents", &[Arc::clone(&one)], &pool, None);
        let sink = alone.sink("agents", &pool, None).unwrap();
        assert_eq!(
            sink,
            "http://b.agents.svc.cluster.local:8888/pools/educational/events"
        );
        let both = platforms("agents", &[one, two], &pool, None);
        assert_eq!(both.sink("agents", &pool, Some(&sink)).unwrap(), sink);
        assert!(both.not_honoured(&sink).unwrap().contains("(a, b)"));
        let none = Platforms::default();
        assert_eq!(none.sink("agents", &pool, None), None);
        assert_eq!(none.sink("agents", &pool, Some(&sink)).unwrap(), sink);
    }
}
