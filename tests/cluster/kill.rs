//! What is killed in the middle of calls: pods of functions, and the platform's own.

use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::knocks::Knocks;
use crate::kubectl::eventually;
use crate::namespace::Kind;
use crate::pools::fixture;
use crate::programs;
use crate::session::{LEGACY, Session, text};

/// The tools that are called: one that must not run twice, and one that may.
const TOOLS: [&str; 2] = ["knock", "knock_idempotent"];

/// It may have run, and nobody knows how it went: that is told.
#[track_caller]
fn check_unknown(result: &Value) {
    assert_eq!(result["isError"], true, "{result}");
    assert_eq!(result["_meta"]["dev.dormouse/outcome"], "unknown");
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_killed_function_runs_again_only_where_that_is_safe() {
    let deployment = Deployment::up().await;
    deployment.deploy_pool(&fixture("fixture")).await;
    let session = deployment.session().await;
    let knocks = Knocks::listen().await;
    let calls = TOOLS.map(|tool| {
        let call = json!({"name": tool, "arguments": knocks.arguments(tool)});
        session.start("tools/call", call).1
    });
    for tool in TOOLS {
        knocks.heard(tool, 1).await;
    }
    for pod in deployment.namespace.pods("fixture").await {
        programs::kill(&pod, "fixture");
    }
    knocks.open();
    let [once, again] = calls;
    check_unknown(&once.await.expect("an answer")["result"]);
    let again = again.await.expect("an answer");
    assert_eq!(text(&again["result"]), "heard knock_idempotent");
    assert_eq!(TOOLS.map(|tool| knocks.count(tool)), [1, 2]);
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_deleted_pod_finishes_its_calls() {
    let deployment = Deployment::up().await;
    let namespace = &deployment.namespace;
    deployment.deploy_pool(&fixture("fixture")).await;
    let session = deployment.session().await;
    let knocks = Knocks::listen().await;
    let call = json!({"name": "knock", "arguments": knocks.arguments("last")});
    let (_, answer) = session.start("tools/call", call);
    knocks.heard("last", 1).await;
    let pods = namespace.pods("fixture").await;
    namespace
        .delete_pods("serving.knative.dev/service=fixture")
        .await;
    // Another one is there for who calls now.
    eventually("another pod", async || {
        let now = namespace.pods("fixture").await;
        let is_new = |pod: &Value| {
            let uid = |pod: &Value| pod["metadata"]["uid"].clone();
            pods.iter().all(|before| uid(before) != uid(pod))
        };
        now.iter().any(is_new).then_some(())
    })
    .await;
    knocks.open();
    let answer = answer.await.expect("an answer");
    assert_eq!(text(&answer["result"]), "heard last");
    let next = session.call("knock", knocks.arguments("next")).await;
    assert_eq!(text(&next), "heard next");
    assert_eq!(["last", "next"].map(|key| knocks.count(key)), [1, 1]);
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn every_call_has_one_answer_although_the_platforms_pod_dies() {
    let deployment = Deployment::up().await;
    deployment.deploy_pool(&fixture("fixture")).await;
    let (mcp, authorization) = (deployment.mcp(), deployment.authorization());
    let headers = [
        ("authorization", &*authorization),
        ("dormouse-resume", "new"),
    ];
    let session = Session::connect(&mcp, &headers).await.expect("a socket");
    let hello = session.initialize(LEGACY).await.expect("a session");
    let id = hello["_meta"]["dev.dormouse/session"].as_str();
    let id = id.expect("the session's id").to_owned();
    let knocks = Knocks::listen().await;
    let calls = TOOLS.map(|tool| {
        let call = json!({"name": tool, "arguments": knocks.arguments(tool)});
        session.start("tools/call", call).0
    });
    for tool in TOOLS {
        knocks.heard(tool, 1).await;
    }

    let pod = deployment.namespace.get(Kind::Pod, "platform-0").await;
    programs::kill(&pod.expect("the platform's pod"), "dormouse");
    knocks.open();
    let headers = [
        ("authorization", &*authorization),
        ("mcp-session-id", &*id),
        ("dormouse-received", "1"),
    ];
    let session = eventually("the session to go on", async || {
        Session::connect(&mcp, &headers).await.ok()
    })
    .await;
    let mut answers = Vec::new();
    while answers.len() < calls.len() {
        let message = session.next().await.expect("an answer");
        answers.extend(message.get("id").is_some().then_some(message));
    }
    let [once, again] = calls.map(|call| {
        let mut of_it = answers.iter().filter(|answer| answer["id"] == call);
        of_it.next().expect("an answer to each call")["result"].clone()
    });
    check_unknown(&once);
    assert_eq!(text(&again), "heard knock_idempotent");
    assert_eq!(TOOLS.map(|tool| knocks.count(tool)), [1, 2]);

    // Nothing comes after the answers: what is asked now is answered next.
    session.say(json!({"jsonrpc": "2.0", "id": "last", "method": "ping"}).to_string());
    let last = session.next().await.expect("an answer");
    assert_eq!(last["id"], "last", "{last}");
}
