//! The Knative Service of a pool.
//!
//! Everything here is a function of the pool's file and the few facts in [`Deployment`], so the
//! same pool never makes a new revision: nothing in the template depends on time, order or the
//! state of the cluster.

use dormouse_contract::task::DELIVERY_SECRET_ENV;
use dormouse_pool::{Container, EnvValue, EnvVar, Pool, Resources};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use super::{scaling, secret};
use crate::controller::names;

/// Where a function listens when nobody says otherwise.
const PORT: u16 = 8080;

/// A pool, and where it is deployed.
#[derive(Debug, Clone, Copy)]
pub struct Deployment<'a> {
    /// What was written.
    pub pool: &'a Pool<Container>,
    /// Where it runs.
    pub namespace: &'a str,
    /// The AgentPool that everything belongs to.
    pub owner: &'a OwnerReference,
    /// `K_SINK`: where the function reports.
    pub sink: &'a str,
    /// Tells its secrets from others, so that new ones reach the pods.
    pub secrets: &'a str,
    /// Whether deliveries carry the pool's secret, and others are refused.
    pub guarded: bool,
    /// How long a request may take, in seconds.
    pub timeout: u64,
    /// The most instances, where the pool does not say it.
    pub ceiling: usize,
}

/// The Knative Service, as it is applied.
#[must_use]
pub fn service(deployment: &Deployment<'_>) -> Value {
    let name = deployment.pool.name.as_str();
    let labels = names::pool_labels(deployment.namespace, name);
    let mut own_labels = labels.clone();
    // Nobody outside of the cluster has business with a function.
    own_labels.insert(
        "networking.knative.dev/visibility".to_owned(),
        "cluster-local".to_owned(),
    );
    let mut annotations = scaling::annotations(&deployment.pool.scaling, deployment.ceiling);
    annotations.insert(names::SECRETS.to_owned(), deployment.secrets.into());
    json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": deployment.namespace,
            "labels": own_labels,
            "ownerReferences": [deployment.owner],
        },
        "spec": {"template": {
            "metadata": {"labels": labels, "annotations": annotations},
            "spec": revision(deployment),
        }},
    })
}

fn revision(deployment: &Deployment<'_>) -> Value {
    let mut spec = json!({
        "containerConcurrency": deployment.pool.scaling.concurrency,
        "timeoutSeconds": deployment.timeout,
        // A call answers once, at its end, so silence before that says nothing; 0 is never.
        "responseStartTimeoutSeconds": 0,
        "idleTimeoutSeconds": 0,
        "enableServiceLinks": false,
        "automountServiceAccountToken": false,
        "containers": [container(deployment)],
    });
    if let Some(account) = &deployment.pool.run.service_account_name {
        spec["serviceAccountName"] = account.as_str().into();
    }
    spec
}

fn container(deployment: &Deployment<'_>) -> Value {
    let probe = |page: &str| json!({"httpGet": {"path": format!("/health/{page}")}});
    let mut container = json!({
        "name": "function",
        "image": deployment.pool.run.image,
        "ports": [{"name": "http1", "containerPort": PORT}],
        "env": environment(deployment),
        "readinessProbe": probe("readiness"),
        "livenessProbe": probe("liveness"),
        "securityContext": {
            "runAsNonRoot": true,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    });
    let resources = &deployment.pool.run.resources;
    if *resources != Resources::default() {
        container["resources"] = json!(resources);
    }
    container
}

fn environment(deployment: &Deployment<'_>) -> Vec<Value> {
    let of_secret = |name: &str, key: &str| {
        let secret = names::pool_secret(deployment.pool.name.as_str());
        json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    };
    let mut variables: Vec<_> = deployment.pool.env.iter().filter_map(variable).collect();
    variables.push(json!({"name": "K_SINK", "value": deployment.sink}));
    variables.push(of_secret("K_CE_OVERRIDES", secret::OVERRIDES));
    if deployment.guarded {
        variables.push(of_secret(DELIVERY_SECRET_ENV, secret::DELIVERY_SECRET));
    }
    variables
}

/// An empty value is written as none, because Kubernetes leaves it out; it means the same. What
/// would be inherited is left out: there is nothing here to inherit it from.
fn variable(variable: &EnvVar) -> Option<Value> {
    let name = variable.name.as_str();
    match &variable.value {
        EnvValue::Literal(text) if text.is_empty() => Some(json!({"name": name})),
        EnvValue::Literal(text) => Some(json!({"name": name, "value": text})),
        EnvValue::Inherited => None,
        EnvValue::Secret(secret) => {
            let mut selector = json!({"name": secret.name, "key": secret.key});
            if secret.optional {
                selector["optional"] = true.into();
            }
            Some(json!({"name": name, "valueFrom": {"secretKeyRef": selector}}))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::pool;
    use super::*;

    fn applied(pool: &Pool<Container>) -> Value {
        let owner = OwnerReference {
            api_version: "dormouse.dev/v1alpha1".to_owned(),
            kind: "AgentPool".to_owned(),
            name: "educational".to_owned(),
            uid: "1-2-3".to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        };
        service(&Deployment {
            pool,
            namespace: "agents",
            owner: &owner,
            sink: "http://platform.agents.svc.cluster.local:8888/pools/educational/events",
            secrets: "c0ffee",
            guarded: true,
            timeout: 300,
            ceiling: 10,
        })
    }

    #[test]
    fn the_same_pool_is_the_same_service() {
        let file = "
  env: [{name: B, value: b}, {name: A, value: a}]
  tools: {x: {timeout: 5s}, a: {timeout: 6s}}";
        let one = applied(&pool(file)).to_string();
        assert_eq!(one, applied(&pool(file)).to_string());
    }

    #[test]
    fn a_function_has_no_more_rights_than_it_needs() {
        let service = applied(&pool(""));
        let spec = &service["spec"]["template"]["spec"];
        assert_eq!(spec["automountServiceAccountToken"], false);
        assert_eq!(spec["serviceAccountName"], Value::Null);
        let context = &spec["containers"][0]["securityContext"];
        assert_eq!(context["runAsNonRoot"], true);
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["capabilities"]["drop"][0], "ALL");
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
        let labels = &service["metadata"]["labels"];
        assert_eq!(labels["networking.knative.dev/visibility"], "cluster-local");
        assert_eq!(labels[names::POOL], "educational");
    }

    #[test]
    fn calls_end_at_the_deliverys_time_and_not_before() {
        let service = applied(&pool("\n  scaling: {concurrency: 3}"));
        let spec = &service["spec"]["template"]["spec"];
        assert_eq!(spec["containerConcurrency"], 3);
        assert_eq!(spec["timeoutSeconds"], 300);
        assert_eq!(spec["responseStartTimeoutSeconds"], 0);
        assert_eq!(spec["idleTimeoutSeconds"], 0);
    }

    #[test]
    fn resources_and_account_are_those_of_the_file() {
        let file = "
  serviceAccountName: teacher
  resources: {limits: {memory: 64Mi}}";
        let service = applied(&pool(file));
        let spec = &service["spec"]["template"]["spec"];
        assert_eq!(spec["serviceAccountName"], "teacher");
        let resources = &spec["containers"][0]["resources"];
        assert_eq!(*resources, json!({"limits": {"memory": "64Mi"}}));
        assert!(
            applied(&pool(""))["spec"]["template"]["spec"]["containers"][0]
                .get("resources")
                .is_none()
        );
    }

    #[test]
    fn the_environment_is_the_files_and_the_platforms() {
        let file = "
  env:
    - {name: PLAIN, value: text}
    - {name: EMPTY, value: ''}
    - {name: INHERITED}
    - {name: KEY, valueFrom: {secretKeyRef: {name: openai, key: key, optional: true}}}";
        let service = applied(&pool(file));
        let env = &service["spec"]["template"]["spec"]["containers"][0]["env"];
        let expected = json!([
            {"name": "PLAIN", "value": "text"},
            {"name": "EMPTY"},
            {"name": "KEY", "valueFrom": {"secretKeyRef":
                {"name": "openai", "key": "key", "optional": true}}},
            {"name": "K_SINK", "value":
                "http://platform.agents.svc.cluster.local:8888/pools/educational/events"},
            {"name": "K_CE_OVERRIDES", "valueFrom": {"secretKeyRef":
                {"name": "educational-dormouse", "key": "ce-overrides"}}},
            {"name": "DORMOUSE_DELIVERY_SECRET", "valueFrom": {"secretKeyRef":
                {"name": "educational-dormouse", "key": "delivery-secret"}}},
        ]);
        assert_eq!(*env, expected);
    }
}
