//! What stands in a pool's way is told, and goes no further than the pool.

use dormouse_operator::AgentPool;
use dormouse_operator::agent_pool::Check;
use dormouse_operator::conditions::Truth;
use dormouse_operator::pool::knative::Service;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::scene::{NAMESPACE, Scene, eventually, read};

fn spec() -> Value {
    json!({"image": "dormouse/educational:0.1.0"})
}

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn what_stands_in_a_pools_way_is_told() {
    let scene = Scene::begin().await;
    nobody_offers_it(&scene).await;
    the_cluster_is_too_hasty(&scene).await;
    the_name_is_taken(&scene).await;
    the_coordinator_is_away(&scene).await;
    scene.end().await;
}

async fn nobody_offers_it(scene: &Scene) {
    scene.make_pool("early", spec()).await;
    scene
        .until_told("early", Check::ServiceReady, "NoServer")
        .await;
    scene.make_platform(json!({})).await;
    scene.play_ready("early", "early-00001").await;
    scene.until_ready("early").await;
}

async fn the_cluster_is_too_hasty(scene: &Scene) {
    let mut slow = spec();
    slow["tools"] = json!({"slow": {"timeout": "15m"}});
    scene.make_pool("slow", slow).await;
    let told = scene
        .until_told("slow", Check::ServiceReady, "TimeoutTooLong")
        .await;
    assert!(
        told.message.starts_with("spec.tools.slow.timeout: 900 s"),
        "{told:?}"
    );
    scene.make_namespace("knative-serving").await;
    let defaults: ConfigMap = read(json!({
        "metadata": {"name": "config-defaults"},
        "data": {"max-revision-timeout-seconds": "1200"},
    }));
    Api::<ConfigMap>::namespaced(scene.server.client(), "knative-serving")
        .create(&PostParams::default(), &defaults)
        .await
        .expect("settings");
    let service = scene.until::<Service>("slow", "there", |_| true).await;
    assert_eq!(service.spec["template"]["spec"]["timeoutSeconds"], 900);
}

async fn the_name_is_taken(scene: &Scene) {
    let kind = GroupVersionKind::gvk("serving.knative.dev", "v1", "Service");
    let api = Api::<DynamicObject>::namespaced_with(
        scene.server.client(),
        NAMESPACE,
        &ApiResource::from_gvk(&kind),
    );
    let theirs: DynamicObject = read(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Service",
        "metadata": {"name": "taken"},
        "spec": {"template": {"spec": {"containers": [{"name": "theirs", "image": "theirs"}]}}},
    }));
    api.create(&PostParams::default(), &theirs)
        .await
        .expect("a service");
    scene.make_pool("taken", spec()).await;
    scene
        .until_told("taken", Check::ServiceReady, "NameTaken")
        .await;
    let still = scene.until::<Service>("taken", "there", |_| true).await;
    let container = &still.spec["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "theirs");
}

async fn the_coordinator_is_away(scene: &Scene) {
    scene.peer.refuse(true);
    scene.make_pool("late", spec()).await;
    scene.play_ready("late", "late-00001").await;
    let told = scene.until_told("late", Check::Registered, "Refused").await;
    assert_eq!(told.status, Truth::False);
    assert!(told.message.contains("503"), "{told:?}");
    scene.peer.refuse(false);
    scene.until_ready("late").await;
    // One that goes while its coordinator is away waits for it.
    scene.peer.refuse(true);
    let before = scene.peer.asked("DELETE /pools/late").len();
    scene
        .api::<AgentPool>()
        .delete("late", &DeleteParams::default())
        .await
        .expect("a deletion");
    eventually("it is tried", async || {
        scene.peer.asked("DELETE /pools/late").len() > before
    })
    .await;
    scene.until::<AgentPool>("late", "waiting", |_| true).await;
    scene.peer.refuse(false);
    scene.until_gone::<AgentPool>("late").await;
}

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn an_operator_that_comes_back_writes_nothing_that_is_there() {
    let mut scene = Scene::begin().await;
    scene.make_platform(json!({})).await;
    scene.make_pool("educational", spec()).await;
    scene.play_ready("educational", "educational-00001").await;
    scene.until_ready("educational").await;
    scene.end_operator().await;
    let before = scene.server.requests().len();
    scene.begin_operator();
    eventually("it is registered again", async || {
        scene.peer.asked("PUT /pools/educational").len() == 2
    })
    .await;
    scene
        .make_pool(
            "other",
            json!({"image": "x", "delivery": {"timeout": "3h"}}),
        )
        .await;
    scene
        .until_told("other", Check::ServiceReady, "TimeoutTooLong")
        .await;
    let requests = scene.server.requests().split_off(before);
    let others = [
        "patch agentpools/",
        "patch agentpools/status",
        "create events/",
    ];
    let writes: Vec<_> = requests
        .iter()
        .filter(|it| !it.starts_with("get") && !others.contains(&it.as_str()))
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
    let asked = scene.peer.asked("GET /functions/educational/capabilities");
    assert_eq!(asked.len(), 1, "once for each revision");
    scene.end().await;
}
