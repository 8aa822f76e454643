//! The operator's role grants what it uses, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use dormouse_operator::agent_pool::Check as PoolCheck;
use dormouse_operator::leader::Candidate;
use dormouse_operator::mcp_server::Check;
use dormouse_operator::pool::knative::{Service, Trigger};
use dormouse_operator::{AgentPool, McpServer};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::audit::Right;
use crate::platforms::{make_broker, until_other_told};
use crate::scene::{Scene, eventually, read};

/// Only clusters that check owners ask for this one.
const OF_OWNERS: &str = "finalizers";

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn the_role_grants_what_is_used_and_nothing_else() {
    let mut scene = Scene::without_operator().await;
    scene.server.define_neighbours().await;
    scene.begin_operator();
    lead(&scene).await;
    bring_up_a_platform(&scene).await;
    bring_up_a_pool(&scene).await;
    let used = scene.server.used();
    let granted = granted();
    let unused: Vec<_> = granted.difference(&used).collect();
    let unused = unused.iter().filter(|(_, it, _)| !it.ends_with(OF_OWNERS));
    let unused: Vec<_> = unused.collect();
    assert!(unused.is_empty(), "granted and not used: {unused:#?}");
    let missing: Vec<_> = used.difference(&granted).collect();
    assert!(missing.is_empty(), "used and not granted: {missing:#?}");
    scene.end().await;
}

async fn lead(scene: &Scene) {
    let candidate = Candidate::new(scene.server.operators_client(), "default", "rights");
    let leader = candidate.lead(&CancellationToken::new()).await;
    leader.expect("the lead").give_back().await;
}

async fn bring_up_a_platform(scene: &Scene) {
    let secret: Secret = read(json!({
        "metadata": {"name": "keys"}, "stringData": {"mcp": "open-sesame"},
    }));
    scene.create(&secret).await;
    make_broker(scene).await;
    let spec = json!({
        "auth": {"tokenSecretRef": {"name": "keys", "key": "mcp"}},
        "broker": {"name": "default"},
    });
    scene.create(&McpServer::new("mcp", spec)).await;
    until_other_told(scene, "mcp", Check::BrokerFound, "Found").await;
    // Nobody answers for it here.
    let deleted = scene
        .api::<McpServer>()
        .delete("mcp", &DeleteParams::default())
        .await;
    deleted.expect("a deletion");
}

/// One that is ready, is not, is again, and goes.
async fn bring_up_a_pool(scene: &Scene) {
    let broker = json!({"broker": {"name": "default"}});
    scene.make_platform(broker).await;
    let trigger = |ty: &str| json!({"filters": [{"exact": {"type": ty}}]});
    let spec = json!({
        "image": "dormouse/educational:0.1.0", "server": "platform",
        "triggers": [trigger("a"), trigger("b")],
    });
    scene.make_pool("orders", spec).await;
    scene.play_ready("orders", "orders-00001").await;
    let triggers = async || {
        let list = scene.api::<Trigger>().list(&ListParams::default()).await;
        list.expect("triggers").items
    };
    eventually("there are two", async || triggers().await.len() == 2).await;
    let fewer = json!({"spec": {"triggers": [trigger("a")]}});
    scene.change::<AgentPool>("orders", fewer).await;
    eventually("one is left", async || triggers().await.len() == 1).await;
    for trigger in triggers().await {
        let name = trigger.metadata.name.as_deref().unwrap_or_default();
        let ready = json!({
            "observedGeneration": trigger.metadata.generation,
            "conditions": [{"type": "Ready", "status": "True"}],
        });
        scene.set_status::<Trigger>(name, ready).await;
    }
    scene.until_ready("orders").await;
    let status: Value = json!({"conditions": [
        {"type": "Ready", "status": "False", "reason": "NoPods", "message": "none"},
        {"type": "RoutesReady", "status": "True"},
    ]});
    scene.set_status::<Service>("orders", status).await;
    scene.until_told("orders", PoolCheck::Ready, "NoPods").await;
    scene.play_ready("orders", "orders-00001").await;
    scene.until_ready("orders").await;
    let deleted = scene
        .api::<AgentPool>()
        .delete("orders", &DeleteParams::default())
        .await;
    deleted.expect("a deletion");
    scene.until_gone::<AgentPool>("orders").await;
}

/// What the roles of the operator's manifest grant.
fn granted() -> BTreeSet<Right> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("base/operator-role.yaml");
    let text = std::fs::read_to_string(file).expect("the operator's role");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let rules = documents.iter().filter_map(|it| it["rules"].as_array());
    rules.flatten().flat_map(rights).collect()
}

fn rights(rule: &Value) -> Vec<Right> {
    let words = |key: &str| -> Vec<String> {
        serde_json::from_value(rule[key].clone()).expect("a list of texts")
    };
    let mut rights = Vec::new();
    for group in words("apiGroups") {
        for resource in words("resources") {
            for verb in words("verbs") {
                rights.push((group.clone(), resource.clone(), verb));
            }
        }
    }
    rights
}
