//! An MCPServer's life, in which the tests play Kubernetes' controllers.

use dormouse_operator::McpServer;
use dormouse_operator::conditions::Condition;
use dormouse_operator::mcp_server::Check;
use dormouse_operator::platform::neighbours::{ServiceMonitor, VirtualService};
use dormouse_operator::platform::pods;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::scene::{NAMESPACE, Scene, read};

const BROKER: &str = "http://broker-ingress.knative-eventing.svc.cluster.local/agents/default";

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn a_platform_comes_whole_and_stays_so() {
    let mut scene = Scene::without_operator().await;
    scene.server.define_neighbours().await;
    scene.begin_operator();
    let spec = json!({"broker": {"name": "default"}});
    scene.create(&McpServer::new("mcp", spec)).await;
    until_told(&scene, Check::BrokerFound, "BrokerMissing").await;
    let set = scene.until::<StatefulSet>("mcp", "there", |_| true).await;
    assert_eq!(pods::broker_url(&set), None);
    make_broker(&scene).await;
    scene
        .until::<StatefulSet>("mcp", "connected with the Broker", |set| {
            pods::broker_url(set) == Some(BROKER)
        })
        .await;

    scene.until::<Secret>("mcp-token", "there", |_| true).await;
    scene.until::<Secret>("mcp-broker", "there", |_| true).await;
    scene
        .until::<ServiceAccount>("mcp-platform", "there", |_| true)
        .await;
    scene
        .until::<PodDisruptionBudget>("mcp", "there", |_| true)
        .await;
    scene
        .until::<ServiceMonitor>("mcp", "there", |_| true)
        .await;
    scene
        .until::<VirtualService>("mcp", "there", |_| true)
        .await;
    play_ready(&scene).await;
    until_told(&scene, Check::Ready, "Ready").await;

    drift(&scene).await;
    scene.end().await;
}

/// What somebody else changes or deletes is as it was, and what is as it should be is left alone.
async fn drift(scene: &Scene) {
    let deleted = scene
        .api::<NetworkPolicy>()
        .delete("mcp", &DeleteParams::default())
        .await;
    deleted.expect("a deletion");
    scene.until::<NetworkPolicy>("mcp", "back", |_| true).await;
    let changed = json!({"spec": {"selector": {"dormouse.dev/mcp-server": "other"}}});
    scene.change::<Service>("mcp", changed).await;
    scene
        .until::<Service>("mcp", "repaired", |service| {
            let selector = service.spec.as_ref().and_then(|it| it.selector.as_ref());
            selector.is_some_and(|it| it["dormouse.dev/mcp-server"] == "mcp")
        })
        .await;
    let before = scene.server.requests().len();
    let noted = json!({"metadata": {"annotations": {"note": "x"}}});
    scene.change::<McpServer>("mcp", noted).await;
    // Another one is dealt with after it, so it has been looked at by then.
    let databases = json!({"storage": {
        "postgres": {"secretKeyRef": {"name": "db", "key": "url"}},
        "redis": {"secretKeyRef": {"name": "redis", "key": "url"}},
    }});
    scene.create(&McpServer::new("other", databases)).await;
    until_other_told(scene, "other", Check::SecretsFound, "DatabasesNotBuilt").await;
    let requests = scene.server.requests().split_off(before);
    let writes: Vec<_> = requests
        .iter()
        .filter(|it| !it.starts_with("get") && !it.contains("mcpservers/status"))
        .filter(|it| !it.contains("events"))
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
}

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn a_token_that_is_named_must_be_there() {
    let scene = Scene::begin().await;
    let spec = json!({"auth": {"tokenSecretRef": {"name": "keys", "key": "mcp"}}});
    scene.create(&McpServer::new("mcp", spec)).await;
    let told = until_told(&scene, Check::SecretsFound, "SecretMissing").await;
    assert!(
        told.message.starts_with("spec.auth.tokenSecretRef: "),
        "{told:?}"
    );
    let secret: Secret = read(json!({
        "metadata": {"name": "keys"}, "stringData": {"mcp": "open-sesame"},
    }));
    scene.create(&secret).await;
    until_told(&scene, Check::SecretsFound, "Found").await;
    let own = scene.api::<Secret>().get_opt("mcp-token").await;
    assert!(own.expect("an answer").is_none());
    scene.end().await;
}

async fn until_told(scene: &Scene, check: Check, reason: &str) -> Condition {
    until_other_told(scene, "mcp", check, reason).await
}

pub async fn until_other_told(
    scene: &Scene,
    server: &str,
    check: Check,
    reason: &str,
) -> Condition {
    let condition = |it: &McpServer| it.status.as_ref()?.conditions.get(check).cloned();
    let is_told = |it: &McpServer| condition(it).is_some_and(|it| it.reason == reason);
    let what = format!("{check} with {reason}");
    let server = scene.until::<McpServer>(server, &what, is_told).await;
    condition(&server).expect("what was waited for")
}

/// Says what Kubernetes would of a set whose pod is ready.
async fn play_ready(scene: &Scene) {
    let set = scene.until::<StatefulSet>("mcp", "there", |_| true).await;
    let status = json!({
        "observedGeneration": set.metadata.generation,
        "replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a",
    });
    scene.set_status::<StatefulSet>("mcp", status).await;
}

pub async fn make_broker(scene: &Scene) {
    let kind = GroupVersionKind::gvk("eventing.knative.dev", "v1", "Broker");
    let resource = ApiResource::from_gvk(&kind);
    let api = Api::<DynamicObject>::namespaced_with(scene.server.client(), NAMESPACE, &resource);
    let broker: DynamicObject = read(json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
        "metadata": {"name": "default"}, "spec": {},
    }));
    let made = api.create(&PostParams::default(), &broker).await;
    made.expect("a Broker");
    let status: Value = json!({"status": {"address": {"url": BROKER}}});
    let patch = Patch::Merge(&status);
    let told = api
        .patch_status("default", &PatchParams::default(), &patch)
        .await;
    told.expect("its status");
}
