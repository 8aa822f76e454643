//! What disturbs the whole cluster, or needs all of it: `run` runs these one after the other, when
//! the others are done.

mod load;

use serde_json::json;

use crate::deployment::{Deployment, SYSTEM};
use crate::knocks::Knocks;
use crate::kubectl::{eventually, pods};
use crate::namespace::Kind;
use crate::pools::fixture;
use crate::programs;
use crate::session::text;

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn calls_need_no_operator_and_the_next_one_goes_on() {
    let deployment = Deployment::up().await;
    deployment.deploy_pool(&fixture("before")).await;
    let session = deployment.session().await;
    let knocks = Knocks::listen().await;
    knocks.open();
    deployment.known_asleep("before").await;
    let label = "app.kubernetes.io/name=dormouse-operator";
    for pod in &pods(SYSTEM, label).await {
        programs::kill(pod, "dormouse-operator");
    }
    deployment.namespace.apply(&fixture("after")).await;
    let result = session.call("knock", knocks.arguments("meanwhile")).await;
    assert_eq!(text(&result), "heard meanwhile");
    deployment.namespace.ready(Kind::AgentPool, "after").await;
    assert_eq!(knocks.count("meanwhile"), 1);
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_killed_activator_loses_no_call_and_runs_none_twice() {
    const TOOLS: [&str; 2] = ["knock", "knock_idempotent"];
    let deployment = Deployment::up().await;
    let namespace = &deployment.namespace;
    deployment.deploy_pool(&fixture("fixture")).await;
    deployment.known_asleep("fixture").await;
    let session = deployment.session().await;
    let knocks = Knocks::listen().await;
    knocks.open();
    let calls = TOOLS.map(|tool| {
        let call = json!({"name": tool, "arguments": knocks.arguments(tool)});
        session.start("tools/call", call).1
    });
    // Both wait in it for a pod that is just being made.
    eventually("a pod", async || {
        (!namespace.pods("fixture").await.is_empty()).then_some(())
    })
    .await;
    for pod in &pods("knative-serving", "app=activator").await {
        programs::kill(pod, "serving-activator");
    }
    let [once, again] = calls;
    let once = once.await.expect("an answer")["result"].take();
    match once["isError"].as_bool() {
        Some(true) => assert_eq!(once["_meta"]["dev.dormouse/outcome"], "unknown", "{once}"),
        Some(false) | None => assert_eq!(text(&once), "heard knock"),
    }
    assert!(knocks.count("knock") <= 1, "it ran twice");
    let again = again.await.expect("an answer");
    assert_eq!(text(&again["result"]), "heard knock_idempotent");
}
