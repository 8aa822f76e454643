//! Broker mode: events reach pools by way of a real Knative Broker, and what functions send goes back
//! to it.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::deployment::Deployment;
use crate::http;
use crate::kubectl::{condition, eventually, get};
use crate::namespace::Namespace;
use crate::pools;

/// What no mirror has replied to yet.
const TYPE: &str = "com.example.thing";

/// The type of an event that so many mirrors have replied to, one after the other.
fn mirrored(times: usize) -> String {
    format!("{}{TYPE}", "mirrored/".repeat(times))
}

fn exactly(ty: &str) -> Value {
    json!({"filters": [{"exact": {"type": ty}}]})
}

fn directly(ty: &str) -> Value {
    json!({"direct": true, "filters": [{"exact": {"type": ty}}]})
}

async fn platform_with_a_broker() -> Deployment {
    let namespace = Namespace::new().await;
    let broker = json!({
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {"name": "default"},
    });
    namespace.apply(&broker).await;
    Deployment::within(namespace, json!({"broker": {"name": "default"}})).await
}

/// Sends an event to the Broker, as any producer does.
async fn send(deployment: &Deployment, ty: &str) {
    let path = "/api/v1/namespaces/knative-eventing/services/broker-ingress";
    let ingress = get(path).await.expect("Knative Eventing is there");
    let address = ingress["spec"]["clusterIP"].as_str().expect("an address");
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/test"),
        ("ce-type", ty),
    ];
    let path = format!("/{}/default", deployment.namespace.name());
    let taken = http::post(&format!("{address}:80"), &path, &headers, "{}").await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{taken:?}");
}

/// Sends it until the pool has a task. A channel in memory may lose what comes just after its Trigger
/// has become ready; what comes twice has the same id, and is dropped here.
async fn send_until_taken(deployment: &Deployment, ty: &str, pool: &str) {
    eventually(&format!("{pool} to be given {ty}"), async || {
        send(deployment, ty).await;
        for _ in 0..50 {
            if !tasks(deployment, pool).await.is_empty() {
                return Some(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        None
    })
    .await;
}

/// The tasks of a pool as it is shown: the type of their event, and their state.
async fn tasks(deployment: &Deployment, pool: &str) -> Vec<(String, String)> {
    let page = deployment.get(&format!("/tasks?pool={pool}")).await;
    let tasks = page["tasks"].as_array().expect("a page of tasks").iter();
    let word = |task: &Value, name: &str| task[name].as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = tasks
        .map(|task| (word(task, "capability"), word(task, "state")))
        .collect();
    all.sort();
    all
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn events_go_through_a_broker_from_pool_to_pool() {
    let deployment = platform_with_a_broker().await;
    // What is sent goes to a function directly, its reply through the Broker to `near`, whose reply
    // the coordinator gives to `far`; its reply goes to the Broker, and by it to the first function
    // once more, whose reply comes back to `near`.
    let direct = json!([directly(&mirrored(0)), directly(&mirrored(3))]);
    let near = json!([exactly(&mirrored(1)), exactly(&mirrored(4))]);
    let far = json!([exactly(&mirrored(2))]);
    let deploy = async |name: &str, triggers: Value| {
        let pool = pools::of(name, "mirror", json!({"triggers": triggers}));
        deployment.deploy_pool(&pool).await
    };
    let (direct, _, _) = tokio::join!(
        deploy("direct", direct),
        deploy("near", near),
        deploy("far", far),
    );
    let (status, lost) = condition(&direct, "Honoured").expect("it is told");
    assert_eq!(status, "False", "{direct}");
    for named in ["spec.triggers[0].direct", "delivery secret"] {
        assert!(lost.contains(named), "{lost}");
    }

    send_until_taken(&deployment, &mirrored(0), "near").await;
    let completed = |times| (mirrored(times), "completed".to_owned());
    eventually("the last reply to be taken", async || {
        let near = tasks(&deployment, "near").await;
        (near == [completed(1), completed(4)]).then_some(())
    })
    .await;
    // Also by its Trigger, which brings what the platform has already.
    assert_eq!(tasks(&deployment, "far").await, [completed(2)]);
    assert_eq!(tasks(&deployment, "direct").await, []);
    for times in 1..=5 {
        let page = deployment
            .get(&format!("/events?type={}", mirrored(times)))
            .await;
        let events = page["events"].as_array().expect("a page of events");
        assert_eq!(events.len(), 1, "{page}");
    }
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn what_fails_for_good_is_a_dead_letter_that_people_see() {
    let deployment = platform_with_a_broker().await;
    // Without the variable that it wants it fails whatever it is given.
    let spec = json!({
        "triggers": [exactly(TYPE)],
        "delivery": {"retry": 1, "backoffDelay": "100ms"},
    });
    let pool = pools::of("broken", "recorder", spec);
    deployment.deploy_pool(&pool).await;
    send_until_taken(&deployment, TYPE, "broken").await;
    let listed = eventually("a dead letter", async || {
        let listed = Command::new(env!("CARGO_BIN_EXE_dormouse"))
            .args(["dead-letters", "--coordinator-url"])
            .arg(format!("http://{}", deployment.coordinator()))
            .env("DORMOUSE_TOKEN", &deployment.token)
            .output()
            .await
            .expect("it runs");
        assert!(listed.status.success(), "{listed:?}");
        let listed = String::from_utf8(listed.stdout).expect("text");
        listed.contains(TYPE).then_some(listed)
    })
    .await;
    assert!(listed.contains("broken"), "{listed}");
    let failed = [(TYPE.to_owned(), "failed".to_owned())];
    assert_eq!(tasks(&deployment, "broken").await, failed);
}
