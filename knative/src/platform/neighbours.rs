//! What is made for a platform where the definitions of Prometheus' operator or of Istio are there.

use std::borrow::Cow;

use kube::Resource;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{ADMIN, COORDINATOR, MCP, Place, service};
use crate::mcp_server::SecretKey;
use crate::pool::knative::{Kind, Object};

/// The ServiceMonitors of Prometheus' operator.
pub type ServiceMonitor = Object<MonitorKind>;
/// The VirtualServices of Istio.
pub type VirtualService = Object<RouteKind>;

/// The kind of [`ServiceMonitor`].
#[derive(Debug, Clone)]
pub enum MonitorKind {}

impl Kind for MonitorKind {
    const GROUP: &'static str = "monitoring.coreos.com";
    const KIND: &'static str = "ServiceMonitor";
    const PLURAL: &'static str = "servicemonitors";
    type Spec = Value;
    type Status = IgnoredAny;
}

/// The kind of [`VirtualService`].
#[derive(Debug, Clone)]
pub enum RouteKind {}

impl Kind for RouteKind {
    const GROUP: &'static str = "networking.istio.io";
    const KIND: &'static str = "VirtualService";
    const PLURAL: &'static str = "virtualservices";
    type Spec = Value;
    type Status = IgnoredAny;
}

/// What Prometheus reads, as it is applied: the metrics of the admin door, which asks for the token.
#[must_use]
pub fn service_monitor(place: Place<'_>, token: &SecretKey) -> Value {
    json!({
        "apiVersion": api_version::<MonitorKind>(),
        "kind": MonitorKind::KIND,
        "metadata": place.metadata(place.server),
        "spec": {
            "selector": {"matchLabels": place.selector()},
            "endpoints": [{
                "port": "admin",
                "path": "/metrics",
                "interval": "30s",
                "authorization": {"type": "Bearer", "credentials": {
                    "name": token.name, "key": token.key,
                }},
            }],
        },
    })
}

/// How a mesh treats the platform, as it is applied: it neither repeats a request behind the back
/// of the task that it belongs to, nor cuts one that takes its time.
#[must_use]
pub fn virtual_service(place: Place<'_>) -> Value {
    let [.., host] = service::hosts(place);
    let route = |port: u16| {
        json!({
            "match": [{"port": port}],
            "route": [{"destination": {"host": host, "port": {"number": port}}}],
            "retries": {"attempts": 0},
            // None.
            "timeout": "0s",
        })
    };
    let routes = [MCP, ADMIN, COORDINATOR].map(route);
    json!({
        "apiVersion": api_version::<RouteKind>(),
        "kind": RouteKind::KIND,
        "metadata": place.metadata(place.server),
        "spec": {"hosts": [host], "http": routes},
    })
}

fn api_version<K: Kind>() -> Cow<'static, str> {
    Object::<K>::api_version(&())
}

#[cfg(test)]
mod tests {
    use super::super::pods::token_key;
    use super::super::tests::{owner, place, platform};
    use super::*;

    #[test]
    fn prometheus_presents_the_platforms_token() {
        let owner = owner();
        let place = place(&owner);
        let key = token_key(place, &platform(json!({})));
        let monitor = service_monitor(place, &key);
        let endpoint = &monitor["spec"]["endpoints"][0];
        let credentials = &endpoint["authorization"]["credentials"];
        assert_eq!(*credentials, json!({"name": "mcp-token", "key": "token"}));
        assert_eq!(monitor["apiVersion"], "monitoring.coreos.com/v1");
    }

    #[test]
    fn a_mesh_neither_repeats_nor_cuts() {
        let route = virtual_service(place(&owner()));
        assert_eq!(route["spec"]["hosts"][0], "mcp.agents.svc.cluster.local");
        let routes = route["spec"]["http"].as_array().unwrap();
        assert_eq!(routes.len(), 3);
        for route in routes {
            assert_eq!(route["retries"]["attempts"], 0);
            assert_eq!(route["timeout"], "0s");
        }
    }
}
