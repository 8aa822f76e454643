//! What is made keeps to the strictest of Kubernetes' pod security standards.

use dormouse_operator::McpServer;
use dormouse_operator::pool::knative;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::scene::{NAMESPACE, Scene, read};

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn pods_are_taken_where_only_restricted_ones_are() {
    let scene = Scene::begin().await;
    let label =
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    Api::<Namespace>::all(scene.server.client())
        .patch(NAMESPACE, &PatchParams::default(), &Patch::Merge(label))
        .await
        .expect("a label");
    let account: ServiceAccount = read(json!({"metadata": {"name": "default"}}));
    scene.create(&account).await;
    scene.create(&McpServer::new("mcp", json!({}))).await;
    let set = scene.until::<StatefulSet>("mcp", "there", |_| true).await;
    let template = set.spec.and_then(|it| it.template.spec);
    let mut platform = json!(template);
    let volumes = platform["volumes"].as_array_mut().expect("volumes");
    volumes.push(json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}}));
    take(&scene, platform).await;

    let spec = json!({"image": "dormouse/educational:0.1.0"});
    scene.make_pool("educational", spec).await;
    let service = scene
        .until::<knative::Service>("educational", "there", |_| true)
        .await;
    let mut containers = service.spec["template"]["spec"]["containers"].clone();
    // Knative fills in the ports of probes.
    for probe in ["readinessProbe", "livenessProbe"] {
        containers[0][probe]["httpGet"]["port"] = json!(8080);
    }
    take(&scene, json!({"containers": containers})).await;
    // The standard is asked for indeed.
    let loose = json!({"containers": [{"name": "a", "image": "a"}]});
    let refused = try_to_take(&scene, loose).await;
    let refused = refused.expect_err("a refusal").to_string();
    assert!(refused.contains("violates PodSecurity"), "{refused}");
    scene.end().await;
}

async fn take(scene: &Scene, spec: Value) {
    let taken = try_to_take(scene, spec).await;
    taken.expect("a pod");
}

async fn try_to_take(scene: &Scene, spec: Value) -> kube::Result<Pod> {
    let pod: Pod = read(json!({"metadata": {"name": "pod"}, "spec": spec}));
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    scene.api::<Pod>().create(&params, &pod).await
}
