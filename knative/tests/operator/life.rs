//! A pool's whole life.

use dormouse_operator::AgentPool;
use dormouse_operator::agent_pool::{Check, State};
use dormouse_operator::controller::names;
use dormouse_operator::pool::knative::{Service, Trigger};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::json;

use crate::peer::MANIFEST;
use crate::scene::{NAMESPACE, Scene, eventually, read};

/// The most requests from applying a pool until it is ready.
const MOST_REQUESTS: usize = 12;

fn spec() -> serde_json::Value {
    json!({"image": "dormouse/educational:0.1.0", "agentType": "educational"})
}

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn a_pool_comes_is_known_and_goes() {
    let scene = Scene::begin().await;
    scene.make_platform(json!({})).await;
    scene.make_pool("educational", spec()).await;
    scene.play_ready("educational", "educational-00001").await;
    let pool = scene.until_ready("educational").await;
    let status = pool.status.expect("a status");
    assert_eq!(status.revision.as_deref(), Some("educational-00001"));
    assert_eq!(status.tools, ["ask"]);
    assert_eq!(status.state, Some(State::Asleep));
    let requests = scene.server.requests();
    assert!(requests.len() <= MOST_REQUESTS, "{requests:#?}");
    println!("{} requests: {requests:#?}", requests.len());

    let map = scene
        .until::<ConfigMap>("educational-manifest", "there", |_| true)
        .await;
    assert_eq!(map.data.unwrap_or_default()["manifest.json"], MANIFEST);
    let secret = scene
        .until::<Secret>("educational-dormouse", "there", |_| true)
        .await;
    let data = secret.data.unwrap_or_default();
    let rows = scene.peer.asked("PUT /pools/educational");
    let [row] = rows.as_slice() else {
        panic!("not one row: {rows:#?}");
    };
    assert_eq!(row.bearer.as_deref(), Some("open-sesame"));
    assert_eq!(row.body["runs_on"], "knative");
    assert_eq!(row.body["revision"], "educational-00001");
    let secret = row.body["delivery_secret"].as_str().unwrap_or_default();
    assert_eq!(secret.as_bytes(), data["delivery-secret"].0);

    awake(&scene).await;
    drift(&scene).await;
    paused(&scene).await;
    gone(&scene).await;
    scene.end().await;
}

/// Pods are counted, and told to the coordinator.
async fn awake(scene: &Scene) {
    let kind = GroupVersionKind::gvk("serving.knative.dev", "v1", "Revision");
    let resource = ApiResource::from_gvk(&kind);
    let api =
        kube::Api::<DynamicObject>::namespaced_with(scene.server.client(), NAMESPACE, &resource);
    let revision: DynamicObject = read(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Revision",
        "metadata": {"name": "educational-00001", "labels": {
            "app.kubernetes.io/managed-by": "dormouse-operator",
            "dormouse.dev/agent-pool": "educational",
            "dormouse.dev/agent-pool-namespace": NAMESPACE,
        }},
        "spec": {"containers": [{"image": "x"}]},
    }));
    api.create(&PostParams::default(), &revision)
        .await
        .expect("a revision");
    let counted = json!({"status": {"actualReplicas": 1, "desiredReplicas": 1}});
    api.patch_status(
        "educational-00001",
        &kube::api::PatchParams::default(),
        &kube::api::Patch::Merge(counted),
    )
    .await
    .expect("a status");
    scene
        .until::<AgentPool>("educational", "awake", |pool| {
            pool.status.as_ref().is_some_and(|status| {
                status.state == Some(State::Awake) && status.instances == Some(1)
            })
        })
        .await;
    let told = scene.peer.asked("PUT /pools/educational/instances");
    let counts: Vec<_> = told.iter().map(|it| it.body["ready"].clone()).collect();
    assert_eq!(counts, [0, 1]);
    let asked = scene.peer.asked("GET /functions/educational/capabilities");
    assert_eq!(asked.len(), 1, "once for each revision");
}

/// What somebody else changes is changed back, and what is as it should be is left alone.
async fn drift(scene: &Scene) {
    let changed = json!({"spec": {"template": {"spec": {"containerConcurrency": 77}}}});
    scene.change::<Service>("educational", changed).await;
    let service = scene
        .until::<Service>("educational", "repaired", |service| {
            service.spec["template"]["spec"]["containerConcurrency"] == 10
        })
        .await;
    scene.play_ready("educational", "educational-00001").await;
    scene.until_ready("educational").await;
    let generation = service.metadata.generation;
    let before = scene.server.requests().len();
    let noted = json!({"metadata": {"annotations": {"note": "x"}}});
    scene.change::<AgentPool>("educational", noted).await;
    // Another pool is dealt with after it, so it has been looked at by then.
    let other = json!({"image": "x", "delivery": {"timeout": "3h"}});
    scene.make_pool("other", other).await;
    scene
        .until_told("other", Check::ServiceReady, "TimeoutTooLong")
        .await;
    let requests = scene.server.requests().split_off(before);
    let writes: Vec<_> = requests
        .iter()
        .filter(|it| !it.contains("agentpools") && !it.contains("events"))
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
    let service = scene
        .until::<Service>("educational", "there", |_| true)
        .await;
    assert_eq!(service.metadata.generation, generation);
}

/// What is paused is left as it is.
async fn paused(scene: &Scene) {
    let annotated = |value: &str| json!({"metadata": {"annotations": {names::PAUSED: value}}});
    let change = annotated("true");
    scene.change::<AgentPool>("educational", change).await;
    let before = scene.server.requests().len();
    let changed = json!({"spec": {"template": {"spec": {"containerConcurrency": 77}}}});
    scene.change::<Service>("educational", changed).await;
    let other = json!({"image": "x", "delivery": {"timeout": "4h"}});
    scene.make_pool("another", other).await;
    scene
        .until_told("another", Check::ServiceReady, "TimeoutTooLong")
        .await;
    let requests = scene.server.requests().split_off(before);
    assert!(
        !requests.contains(&"patch services/".to_owned()),
        "{requests:#?}"
    );
    let change = annotated("false");
    scene.change::<AgentPool>("educational", change).await;
    scene
        .until::<Service>("educational", "repaired", |service| {
            service.spec["template"]["spec"]["containerConcurrency"] == 10
        })
        .await;
}

/// It is taken out before it goes.
async fn gone(scene: &Scene) {
    let deleted = scene
        .api::<AgentPool>()
        .delete("educational", &DeleteParams::default())
        .await;
    deleted.expect("a deletion");
    scene.until_gone::<AgentPool>("educational").await;
    assert_eq!(scene.peer.asked("DELETE /pools/educational").len(), 1);
    let events = scene.api::<Event>().list(&ListParams::default()).await;
    let reasons: Vec<_> = events
        .expect("events")
        .items
        .into_iter()
        .filter_map(|it| it.reason)
        .collect();
    assert!(reasons.iter().any(|it| it == "Ready"), "{reasons:?}");
    assert!(
        reasons.iter().any(|it| it == "TimeoutTooLong"),
        "{reasons:?}"
    );
}

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn triggers_become_knatives_where_a_broker_is_named() {
    let scene = Scene::begin().await;
    scene
        .make_platform(json!({"broker": {"name": "default"}}))
        .await;
    let mut written = spec();
    written["triggers"] = json!([
        {"filters": [{"exact": {"type": "a"}}]},
        {"filters": [{"exact": {"type": "b"}}], "direct": true},
    ]);
    scene.make_pool("orders", written).await;
    scene.play_ready("orders", "orders-00001").await;
    scene
        .until_told("orders", Check::TriggersReady, "Waiting")
        .await;
    let triggers = all_triggers(&scene).await;
    assert_eq!(triggers.len(), 2, "{triggers:#?}");
    let uri = format!("{}/brokers/c0ffee/events", scene.peer.url);
    assert!(
        triggers
            .iter()
            .any(|it| it.spec["subscriber"]["uri"] == *uri)
    );
    let direct = |it: &Trigger| it.spec["subscriber"]["ref"]["name"] == "orders";
    assert!(triggers.iter().any(direct));
    for trigger in &triggers {
        let name = trigger.metadata.name.as_deref().unwrap_or_default();
        let ready = json!({
            "observedGeneration": trigger.metadata.generation,
            "conditions": [{"type": "Ready", "status": "True"}],
        });
        scene.set_status::<Trigger>(name, ready).await;
    }
    scene.until_ready("orders").await;
    scene
        .until_told("orders", Check::Honoured, "NotHonoured")
        .await;

    let fewer = json!({"spec": {"triggers": [{"filters": [{"exact": {"type": "a"}}]}]}});
    scene.change::<AgentPool>("orders", fewer).await;
    eventually("the other trigger goes", async || {
        all_triggers(&scene).await.len() == 1
    })
    .await;
    scene.end().await;
}

async fn all_triggers(scene: &Scene) -> Vec<Trigger> {
    let list = scene.api::<Trigger>().list(&ListParams::default()).await;
    list.expect("triggers").items
}
