//! How a platform is reached, and by whom.

use serde_json::{Value, json};

use super::{ADMIN, COORDINATOR, MCP, Place};
use crate::mcp_server::Platform;

/// The Service, as it is applied.
#[must_use]
pub fn service(place: Place<'_>, platform: &Platform) -> Value {
    let port = |name: &str, port: u16| {
        json!({
            "name": name, "port": port, "targetPort": name, "protocol": "TCP", "appProtocol": "http",
        })
    };
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": place.metadata(place.server),
        "spec": {
            "type": platform.doors.service_type.to_string(),
            "selector": place.selector(),
            "ports": [port("mcp", MCP), port("admin", ADMIN), port("coordinator", COORDINATOR)],
        },
    })
}

/// Who may connect, as it is applied: MCP clients from everywhere, to the other doors the pods of
/// the cluster.
#[must_use]
pub fn network_policy(place: Place<'_>) -> Value {
    let port = |port: u16| json!({"protocol": "TCP", "port": port});
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": place.metadata(place.server),
        "spec": {
            "podSelector": {"matchLabels": place.selector()},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"ports": [port(MCP)]},
                {
                    "from": [{"namespaceSelector": {}}],
                    "ports": [port(ADMIN), port(COORDINATOR)],
                },
            ],
        },
    })
}

/// The names by which clients in the cluster address the Service, the shortest first.
#[must_use]
pub fn hosts(place: Place<'_>) -> [String; 4] {
    let Place {
        namespace, server, ..
    } = place;
    [
        server.to_owned(),
        format!("{server}.{namespace}"),
        format!("{server}.{namespace}.svc"),
        format!("{server}.{namespace}.svc.cluster.local"),
    ]
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use k8s_openapi::api::networking::v1::NetworkPolicy;

    use super::super::tests::{owner, place, platform};
    use super::*;

    #[test]
    fn it_has_three_doors_that_lead_to_its_pods() {
        let wanted = json!({"doors": {"serviceType": "NodePort"}});
        let service: Service =
            serde_json::from_value(service(place(&owner()), &platform(wanted))).unwrap();
        let spec = service.spec.unwrap();
        assert_eq!(spec.type_.as_deref(), Some("NodePort"));
        let ports: Vec<_> = spec.ports.unwrap();
        let ports: Vec<_> = ports
            .iter()
            .map(|it| (it.name.as_deref(), it.port))
            .collect();
        let wanted = [("mcp", 9876), ("admin", 9877), ("coordinator", 8888)];
        assert_eq!(ports, wanted.map(|(name, port)| (Some(name), port)));
        assert_eq!(spec.selector.unwrap()["dormouse.dev/mcp-server"], "mcp");
    }

    #[test]
    fn only_the_door_of_clients_is_open_to_the_outside() {
        let policy: NetworkPolicy =
            serde_json::from_value(network_policy(place(&owner()))).unwrap();
        let rules = policy.spec.unwrap().ingress.unwrap();
        for rule in rules {
            let ports = rule.ports.unwrap().len();
            assert_eq!(rule.from.is_none(), ports == 1, "{ports} ports");
        }
    }
}
