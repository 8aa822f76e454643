//! Calls of clients, from zero pods to zero pods.

use serde_json::json;

use crate::client::{Running, node};
use crate::deployment::Deployment;
use crate::educational;
use crate::knocks::Knocks;
use crate::pools::fixture;
use crate::session::{LEGACY, Session, text};

const EDUCATIONAL: &str = "config/pools/educational.yaml";

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_client_over_websocket_wakes_a_pod_and_lets_it_sleep_again() {
    let deployment = Deployment::up().await;
    deployment.deploy(EDUCATIONAL, "educational").await;
    deployment.known_asleep("educational").await;

    let mut command = node("sdk1.mjs").command(&format!("ws://{}/mcp", deployment.mcp()));
    command.args(["--token", &deployment.token]);
    command.args(["list", "pause", "align"]);
    let mut client = Running::start(command);
    client.read_until("paused").await;
    let pods = deployment.namespace.pods("educational").await;
    assert!(pods.is_empty(), "a list wakes nobody: {pods:#?}");

    client.go_on().await;
    let seen = client.finish().await;
    let tools = seen.only("listed")["tools"].as_array().expect("a list");
    assert!(tools.contains(&json!("curriculum-alignment")), "{tools:?}");
    let told = &seen.only("progressed")["message"];
    assert_eq!(told, "waking pool `educational`");
    let result = &seen.of("called", "curriculum-alignment")["result"];
    assert!(result.to_string().contains("fraction"), "{result}");
    assert_eq!(seen.all("errored").next(), None, "{seen:#?}");
    deployment.known_asleep("educational").await;
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn the_laptops_file_does_the_same_here() {
    let deployment = Deployment::up().await;
    deployment.deploy(EDUCATIONAL, "educational").await;
    educational::does_its_work(&deployment.session().await).await;
    let authorization = deployment.authorization();
    educational::asks_and_writes(&deployment.mcp(), Some(&authorization)).await;
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_question_outlives_the_pod_that_asks_it() {
    let deployment = Deployment::up().await;
    let namespace = &deployment.namespace;
    deployment.deploy_pool(&fixture("fixture")).await;
    let headers = [("authorization", &*deployment.authorization())];
    let session = Session::connect(&deployment.mcp(), &headers).await;
    let session = session.expect("a socket");
    let hello = session.hello(LEGACY, json!({"elicitation": {}})).await;
    hello.expect("a session");

    // The pod's root file system cannot be written to.
    let arguments = json!({"file": "/dev/null", "questions": 1});
    let call = json!({"name": "quiz", "arguments": arguments});
    let (_, mut answer) = session.start("tools/call", call);
    let question = session.next().await.expect("a question");
    assert_eq!(question["method"], "elicitation/create", "{question}");
    let asked_by = namespace.pods("fixture").await;
    namespace.asleep("fixture").await;
    assert!(answer.try_recv().is_err(), "nothing is answered yet");

    let filled_in = json!({"action": "accept", "content": {"grade": 2}});
    let filled_in = json!({"jsonrpc": "2.0", "id": question["id"], "result": filled_in});
    session.say(filled_in.to_string());
    let answer = answer.await.expect("an answer");
    assert!(text(&answer["result"]).ends_with("; grades 2"), "{answer}");
    for pod in namespace.pods("fixture").await {
        let is_new = asked_by
            .iter()
            .all(|before| before["metadata"]["uid"] != pod["metadata"]["uid"]);
        assert!(is_new, "{pod:#?}");
    }
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_function_takes_nothing_from_strangers() {
    let deployment = Deployment::up().await;
    let namespace = &deployment.namespace;
    deployment.deploy_pool(&fixture("fixture")).await;
    let knocks = Knocks::listen().await;
    knocks.open();
    let arguments = knocks.arguments("who is there");
    let params = json!({"name": "knock", "arguments": arguments});
    let data = json!({"method": "tools/call", "params": params, "client": {}}).to_string();
    let secret = namespace
        .secret("fixture-dormouse", "delivery-secret")
        .await;
    let host = namespace.host("fixture");
    for (name, secret, status) in [
        ("without", None, "401"),
        ("mistaken", Some("open-sesame"), "401"),
        ("initiate", Some(secret.as_str()), "200"),
    ] {
        let mut words = vec![
            "--silent".to_owned(),
            "--show-error".to_owned(),
            "--write-out".to_owned(),
            "\n%{http_code}".to_owned(),
            "--data".to_owned(),
            data.clone(),
            format!("http://{host}/"),
        ];
        for header in [
            "content-type: application/json",
            "prefer: reply",
            "ce-specversion: 1.0",
            "ce-id: 1",
            "ce-source: /strangers",
            "ce-subject: knock",
            "ce-type: dev.dormouse.task.requested.v1",
            "ce-taskid: 01900000-0000-7000-8000-000000000000",
            "ce-pool: fixture",
            "ce-round: 1",
            "ce-attempt: 1",
            "ce-attempttoken: 00000000000000000000000000000000",
        ] {
            words.extend(["--header".to_owned(), header.to_owned()]);
        }
        if let Some(secret) = secret {
            let header = format!("dormouse-delivery-secret: {secret}");
            words.extend(["--header".to_owned(), header]);
        }
        let said = namespace.run_pod(name, "dev.local/curl:1", &words).await;
        assert!(said.ends_with(status), "{name}: {said}");
        let runs = usize::from(status == "200");
        assert_eq!(knocks.count("who is there"), runs, "{name}: {said}");
    }
}
