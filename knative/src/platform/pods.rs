//! The pod of a platform with embedded storage, and what keeps it in its bounds.
//!
//! Everything here is a function of what was written, so the same MCPServer never restarts its pod.

use dormouse_pool::{Quantity, Resources};
use k8s_openapi::api::apps::v1::StatefulSet;
use serde_json::{Value, json};

use super::{ADMIN, COORDINATOR, MCP, Place, service, token};
use crate::controller::names;
use crate::mcp_server::{Platform, SecretKey};

/// The user and group of the image.
const USER: u32 = 65_532;

const DATA: &str = "/var/lib/dormouse";
const TOKEN: &str = "/var/run/secrets/dormouse";
const BROKER_TOKEN: &str = "/var/run/secrets/dormouse-broker";

/// So many seconds the end may take beyond its waiting for running calls.
const CLOSING: u64 = 15;

/// The volume of a platform's pod.
#[derive(Debug, Clone, Copy)]
pub struct Volume<'a> {
    /// How large it is.
    pub size: &'a Quantity,
    /// Its storage class; `None`: the cluster's default.
    pub class: Option<&'a str>,
}

/// The variable with the address of the Broker.
pub const BROKER_URL: &str = "DORMOUSE_BROKER_URL";

/// The StatefulSet of one pod, as it is applied. `broker` is where the Broker takes events, as far as
/// one is named and says so.
#[must_use]
pub fn stateful_set(
    place: Place<'_>,
    platform: &Platform,
    volume: Volume<'_>,
    broker: Option<&str>,
) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": place.metadata(place.server),
        "spec": {
            "replicas": 1,
            "serviceName": place.server,
            "selector": {"matchLabels": place.selector()},
            "template": {
                "metadata": {"labels": names::server_labels(place.server)},
                "spec": pod(place, platform, broker),
            },
            "volumeClaimTemplates": [claim(volume)],
        },
    })
}

fn claim(volume: Volume<'_>) -> Value {
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": volume.size}},
    });
    if let Some(class) = volume.class {
        spec["storageClassName"] = class.into();
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": spec,
    })
}

fn pod(place: Place<'_>, platform: &Platform, broker: Option<&str>) -> Value {
    let mut volumes = vec![secret_volume("token", &token_key(place, platform))];
    if platform.broker.is_some() {
        let key = own_key(names::server_broker(place.server));
        volumes.push(secret_volume("broker-token", &key));
    }
    volumes.push(json!({"name": "tmp", "emptyDir": {}}));
    let mut pod = json!({
        "serviceAccountName": account(place.server),
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": platform.limits.drain.as_secs() + CLOSING,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container(place, platform, broker)],
        "volumes": volumes,
    });
    if !platform.node_selector.is_empty() {
        pod["nodeSelector"] = json!(platform.node_selector);
    }
    pod
}

/// A key of a Secret as a folder, because a file of a subPath never changes.
fn secret_volume(name: &str, key: &SecretKey) -> Value {
    json!({"name": name, "secret": {
        "secretName": key.name,
        "defaultMode": 0o440,
        "items": [{"key": key.key, "path": token::KEY}],
    }})
}

fn container(place: Place<'_>, platform: &Platform, broker: Option<&str>) -> Value {
    let mut mounts = vec![
        json!({"name": "data", "mountPath": DATA}),
        json!({"name": "token", "mountPath": TOKEN, "readOnly": true}),
        json!({"name": "tmp", "mountPath": "/tmp"}),
    ];
    if platform.broker.is_some() {
        mounts.push(json!({"name": "broker-token", "mountPath": BROKER_TOKEN, "readOnly": true}));
    }
    let probe = |path: &str, period: u32, failures: u32| {
        json!({
            "httpGet": {"path": path, "port": "admin", "scheme": "HTTP"},
            "periodSeconds": period,
            "timeoutSeconds": 5,
            "failureThreshold": failures,
        })
    };
    let port =
        |name: &str, port: u16| json!({"name": name, "containerPort": port, "protocol": "TCP"});
    let mut container = json!({
        "name": "platform",
        "image": platform.image,
        "args": ["serve"],
        "env": environment(place, platform, broker),
        "ports": [port("mcp", MCP), port("admin", ADMIN), port("coordinator", COORDINATOR)],
        // Longer than a start waits for the process before it to let go of the volume.
        "startupProbe": probe("/health/liveness", 2, 90),
        "readinessProbe": probe("/health", 5, 2),
        "livenessProbe": probe("/health/liveness", 10, 6),
        "securityContext": {
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    });
    if platform.resources != Resources::default() {
        container["resources"] = json!(platform.resources);
    }
    container
}

fn environment(place: Place<'_>, platform: &Platform, broker: Option<&str>) -> Vec<Value> {
    let mut hosts = service::hosts(place).to_vec();
    hosts.extend(platform.doors.allow_hosts.iter().cloned());
    let limits = &platform.limits;
    let mut variables = vec![
        ("DORMOUSE_DATA_DIR", DATA.to_owned()),
        ("DORMOUSE_TOKEN_FILE", format!("{TOKEN}/{}", token::KEY)),
        ("DORMOUSE_ALLOW_HOSTS", hosts.join(",")),
        ("MCP_MAX_CONCURRENT_TASKS", limits.max_tasks.to_string()),
        ("RATE_LIMIT_MAX_REQUESTS", limits.rate_limit.to_string()),
        ("DORMOUSE_DRAIN_SECONDS", limits.drain.as_secs().to_string()),
    ];
    if platform.broker.is_some() {
        let file = format!("{BROKER_TOKEN}/{}", token::KEY);
        variables.push(("DORMOUSE_BROKER_TOKEN_FILE", file));
    }
    variables.extend(broker.map(|url| (BROKER_URL, url.to_owned())));
    variables
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

/// Where the platform's bearer token is.
#[must_use]
pub fn token_key(place: Place<'_>, platform: &Platform) -> SecretKey {
    let own = || own_key(names::server_token(place.server));
    platform.token.clone().unwrap_or_else(own)
}

/// The key of a Secret that the operator has made.
fn own_key(name: String) -> SecretKey {
    SecretKey {
        name,
        key: token::KEY.to_owned(),
    }
}

/// The address of the Broker that a StatefulSet's pod has.
#[must_use]
pub fn broker_url(set: &StatefulSet) -> Option<&str> {
    let pod = set.spec.as_ref()?.template.spec.as_ref()?;
    let variables = pod.containers.first()?.env.as_ref()?;
    let variable = variables.iter().find(|it| it.name == BROKER_URL)?;
    variable.value.as_deref()
}

/// The ServiceAccount, as it is applied: an account without rights.
#[must_use]
pub fn service_account(place: Place<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": place.metadata(&account(place.server)),
        "automountServiceAccountToken": false,
    })
}

/// Not the bare name: an MCPServer called `default` would take over the namespace's own account.
fn account(server: &str) -> String {
    format!("{server}-platform")
}

/// The PodDisruptionBudget, as it is applied. The one pod may be moved, for else no node could be
/// drained; it ends in order.
#[must_use]
pub fn disruption_budget(place: Place<'_>) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": place.metadata(place.server),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": place.selector()}},
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{PodSpec, ServiceAccount};
    use k8s_openapi::api::policy::v1::PodDisruptionBudget;

    use super::super::tests::{owner, place, platform};
    use super::*;

    fn applied(spec: Value) -> Value {
        let volume = Volume {
            size: &Quantity::gibi(2),
            class: Some("fast"),
        };
        stateful_set(place(&owner()), &platform(spec), volume, Some(BROKER))
    }

    const BROKER: &str = "http://broker-ingress.knative-eventing.svc.cluster.local/agents/default";

    fn pod(spec: Value) -> PodSpec {
        let set: StatefulSet = serde_json::from_value(applied(spec)).unwrap();
        set.spec.unwrap().template.spec.unwrap()
    }

    fn variable(pod: &PodSpec, name: &str) -> String {
        let variables = pod.containers[0].env.as_ref().unwrap();
        let found = variables.iter().find(|it| it.name == name).unwrap();
        found.value.clone().unwrap()
    }

    /// What is compared with the watch's objects must be in Kubernetes' own words.
    #[test]
    fn nothing_is_lost_in_kubernetes_own_types() {
        let owner = owner();
        let set = applied(json!({}));
        let read: StatefulSet = serde_json::from_value(set.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), set);
        let account = service_account(place(&owner));
        let read: ServiceAccount = serde_json::from_value(account.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), account);
        let budget = disruption_budget(place(&owner));
        let read: PodDisruptionBudget = serde_json::from_value(budget.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), budget);
    }

    #[test]
    fn the_pod_serves_on_its_volume() {
        let set = applied(json!({}));
        assert_eq!(set["metadata"]["ownerReferences"][0]["uid"], "1-2-3");
        assert_eq!(set["spec"]["replicas"], 1);
        let claim = &set["spec"]["volumeClaimTemplates"][0]["spec"];
        assert_eq!(claim["resources"]["requests"]["storage"], "2Gi");
        assert_eq!(claim["storageClassName"], "fast");
        let pod = pod(json!({}));
        assert_eq!(pod.containers[0].args, Some(vec!["serve".to_owned()]));
        let data = variable(&pod, "DORMOUSE_DATA_DIR");
        let mounts = pod.containers[0].volume_mounts.as_ref().unwrap();
        assert!(
            mounts
                .iter()
                .any(|it| it.name == "data" && it.mount_path == data)
        );
    }

    #[test]
    fn it_has_no_more_rights_than_it_needs() {
        let pod = pod(json!({}));
        assert_eq!(pod.automount_service_account_token, Some(false));
        let context = pod.security_context.unwrap();
        assert_eq!(context.run_as_non_root, Some(true));
        assert_eq!(context.fs_group, Some(65_532));
        assert_eq!(context.seccomp_profile.unwrap().type_, "RuntimeDefault");
        let context = pod.containers[0].security_context.clone().unwrap();
        assert_eq!(context.read_only_root_filesystem, Some(true));
        assert_eq!(context.allow_privilege_escalation, Some(false));
        assert_eq!(context.capabilities.unwrap().drop.unwrap(), ["ALL"]);
    }

    #[test]
    fn the_token_is_a_folder_so_that_it_can_change() {
        let named = json!({"auth": {"tokenSecretRef": {"name": "keys", "key": "mcp"}}});
        for (spec, name, key) in [(json!({}), "mcp-token", "token"), (named, "keys", "mcp")] {
            let pod = pod(spec);
            let volumes = pod.volumes.as_ref().unwrap();
            let secret = volumes[0].secret.as_ref().unwrap();
            assert_eq!(secret.secret_name.as_deref(), Some(name));
            assert_eq!(secret.items.as_ref().unwrap()[0].key, key);
            let mounts = pod.containers[0].volume_mounts.as_ref().unwrap();
            assert!(mounts.iter().all(|mount| mount.sub_path.is_none()));
            let file = variable(&pod, "DORMOUSE_TOKEN_FILE");
            assert_eq!(file, format!("{}/token", mounts[1].mount_path));
        }
    }

    #[test]
    fn a_broker_is_known_by_its_address_and_its_token() {
        let named = json!({"broker": {"name": "default"}});
        let set: StatefulSet = serde_json::from_value(applied(named.clone())).unwrap();
        assert_eq!(broker_url(&set), Some(BROKER));
        let pod = pod(named);
        let file = variable(&pod, "DORMOUSE_BROKER_TOKEN_FILE");
        let mounts = pod.containers[0].volume_mounts.as_ref().unwrap();
        let mount = mounts.iter().find(|it| it.name == "broker-token").unwrap();
        assert_eq!(file, format!("{}/token", mount.mount_path));
        let volume = &pod.volumes.as_ref().unwrap()[1];
        let secret = volume.secret.as_ref().unwrap();
        assert_eq!(secret.secret_name.as_deref(), Some("mcp-broker"));
    }

    #[test]
    fn limits_and_doors_are_those_of_the_spec() {
        let pod = pod(json!({
            "limits": {"maxTasks": 7, "rateLimit": 0, "drain": "90s"},
            "doors": {"allowHosts": ["mcp.example.com"]},
            "nodeSelector": {"disk": "ssd"},
        }));
        assert_eq!(
            variable(&pod, "DORMOUSE_ALLOW_HOSTS"),
            "mcp,mcp.agents,mcp.agents.svc,mcp.agents.svc.cluster.local,mcp.example.com"
        );
        assert_eq!(variable(&pod, "MCP_MAX_CONCURRENT_TASKS"), "7");
        assert_eq!(variable(&pod, "RATE_LIMIT_MAX_REQUESTS"), "0");
        assert_eq!(variable(&pod, "DORMOUSE_DRAIN_SECONDS"), "90");
        assert!(pod.termination_grace_period_seconds > Some(90));
        assert_eq!(pod.node_selector.unwrap()["disk"], "ssd");
    }

    #[test]
    fn it_may_be_moved() {
        let budget = disruption_budget(place(&owner()));
        assert_eq!(budget["spec"]["maxUnavailable"], 1);
        assert_eq!(
            service_account(place(&owner()))["automountServiceAccountToken"],
            false
        );
    }
}
