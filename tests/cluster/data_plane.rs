//! What a real data plane answers in place of a function: told from what functions say, and known to
//! have run, or not, or not known.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::http;
use crate::kourier;
use crate::kubectl::{eventually, kubectl};
use crate::namespace::{Kind, knative_service};
use crate::session::{Session, text};

const IMAGE: &str = "dev.local/fixture:1";

/// A platform that calls functions through Knative Services which the test has made, so that it can
/// make them badly.
struct Stage {
    deployment: Deployment,
    session: Session,
}

impl Stage {
    async fn open() -> Self {
        let deployment = Deployment::up().await;
        let session = deployment.session().await;
        Self {
            deployment,
            session,
        }
    }

    /// A Knative Service of the fixture, with these members of its template.
    async fn service(&self, name: &str, annotations: Value, spec: &[(&str, Value)]) {
        let mut service = knative_service(name, IMAGE, &json!([]));
        let template = &mut service["spec"]["template"];
        template["metadata"]["annotations"] = annotations;
        for (member, value) in spec {
            template["spec"][member] = value.clone();
        }
        self.deployment.namespace.apply(&service).await;
        let namespace = &self.deployment.namespace;
        namespace.ready(Kind::KnativeService, name).await;
    }

    /// Tells the platform of a pool at this host, which offers one of the fixture's tools. It is
    /// tried once, so that what is known of a call is what was answered.
    async fn declare(&self, pool: &str, host: &str, tool: &str) {
        let mut manifest = self.manifest().await;
        let tools = manifest["tools"].as_array_mut().expect("tools");
        tools.retain(|it| it["name"] == tool);
        let row = json!({
            "runs_on": "knative",
            "endpoint": format!("http://{host}"),
            "revision": "1",
            "manifest": manifest,
            "delivery": {"retry": 0},
            "breaker": {"failures": 0},
        });
        let token = self.deployment.authorization();
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
        ];
        let (coordinator, path) = (self.deployment.coordinator(), format!("/pools/{pool}"));
        let told = http::send(Method::PUT, &coordinator, &path, &headers, row.to_string()).await;
        assert!(told.status.is_success(), "{told:?}");
        let offered = format!("\"{tool}\"");
        eventually("the tool to be offered", async || {
            let listed = self.session.ask("tools/list", json!({})).await.ok()?;
            listed.to_string().contains(&offered).then_some(())
        })
        .await;
    }

    async fn manifest(&self) -> Value {
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_dormouse"));
        let fixture = program.with_file_name("examples/fixture");
        let output = tokio::process::Command::new(fixture)
            .arg("--capabilities")
            .output()
            .await
            .expect("the fixture runs");
        serde_json::from_slice(&output.stdout).expect("a manifest")
    }

    fn host(&self, service: &str) -> String {
        self.deployment.namespace.host(service)
    }

    /// Calls a tool; what is known of the call, and what the caller reads.
    async fn call(&self, tool: &str, arguments: Value) -> (String, String) {
        known(&self.session.call(tool, arguments).await)
    }
}

fn known(result: &Value) -> (String, String) {
    let outcome = result["_meta"]["dev.dormouse/outcome"].as_str();
    (
        outcome.unwrap_or("completed").to_owned(),
        text(result).to_owned(),
    )
}

#[track_caller]
fn assert_known((outcome, said): (String, String), expected: &str, words: &[&str]) {
    assert_eq!(outcome, expected, "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_service_that_the_ingress_does_not_know_has_not_run() {
    let stage = Stage::open().await;
    // A name that leads to the ingress, where no route has it.
    let host = "kourier-internal.kourier-system.svc.cluster.local";
    stage.declare("missing", host, "count").await;
    let called = stage.call("count", json!({"file": "x", "key": "k"})).await;
    assert_known(called, "not-run", &["Knative answered 404"]);
    stage
        .declare("nowhere", &stage.host("nowhere"), "add")
        .await;
    let called = stage.call("add", json!({"a": 1, "b": 2})).await;
    assert_known(called, "not-run", &[]);
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_function_that_dies_at_work_may_have_run() {
    let stage = Stage::open().await;
    stage.service("dying", json!({}), &[]).await;
    stage.declare("dying", &stage.host("dying"), "exit").await;
    let called = stage.call("exit", json!({})).await;
    assert_known(called, "unknown", &["Knative answered", "502"]);

    // What the function says itself is not taken for Knative's word, whatever the status.
    stage.declare("failing", &stage.host("dying"), "fail").await;
    // Until the container is back nothing listens in the pod.
    let said = eventually("the function to be back", async || {
        let (outcome, said) = stage.call("fail", json!({})).await;
        (outcome != "not-run").then_some(said)
    })
    .await;
    assert!(said.contains("the fixture fails as asked"), "{said}");
    assert!(!said.contains("Knative"), "{said}");

    // The whole pod goes, with the proxy in it.
    stage.declare("killed", &stage.host("dying"), "hang").await;
    let hang = json!({"name": "hang", "arguments": {}});
    let (_, answer) = stage.session.start("tools/call", hang);
    let namespace = &stage.deployment.namespace;
    eventually("the call to be in the pod", async || {
        let tasks = stage.deployment.get("/tasks?pool=killed").await;
        let awake = namespace.pods("dying").await;
        let ready = awake.iter().any(is_pod_ready);
        (tasks["tasks"][0]["state"] == "running" && ready).then_some(())
    })
    .await;
    // Nothing outside of the pod tells that the request has arrived there.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    for pod in namespace.pods("dying").await {
        let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
        let namespace = namespace.name();
        let words = [
            "delete",
            "pod",
            &name,
            "--namespace",
            namespace,
            "--force",
            "--grace-period=0",
        ];
        kubectl(&words, "").await.expect("it is killed");
    }
    let answer = answer.await.expect("an answer");
    assert_known(known(&answer["result"]), "unknown", &["Knative answered"]);
}

fn is_pod_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|it| it["type"] == "Ready" && it["status"] == "True")
    })
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn what_knative_cuts_short_may_have_run() {
    let stage = Stage::open().await;
    let short = [("timeoutSeconds", json!(2))];
    stage.service("late", json!({}), &short).await;
    stage.declare("late", &stage.host("late"), "hang").await;
    let called = stage.call("hang", json!({})).await;
    assert_known(called, "unknown", &["504", "request timeout"]);

    // Its pod does not start any more: the activator waits for it, and then says no more than that.
    let namespace = &stage.deployment.namespace;
    namespace.apply(&secret()).await;
    let name = json!({"secretKeyRef": {"name": "needed", "key": "key"}});
    let mut service = knative_service(
        "ailing",
        IMAGE,
        &json!([{"name": "NEEDED", "valueFrom": name}]),
    );
    service["spec"]["template"]["spec"]["timeoutSeconds"] = json!(4);
    namespace.apply(&service).await;
    namespace.ready(Kind::KnativeService, "ailing").await;
    stage
        .declare("ailing", &stage.host("ailing"), "sleep")
        .await;
    namespace.asleep("ailing").await;
    let words = [
        "delete",
        "secret",
        "needed",
        "--namespace",
        namespace.name(),
    ];
    kubectl(&words, "").await.expect("it is deleted");
    let called = stage.call("sleep", json!({"ms": 1})).await;
    assert_known(called, "unknown", &["504", "activator request timeout"]);
}

fn secret() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "needed"},
        "stringData": {"key": "x"},
    })
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn what_finds_no_place_in_the_queue_has_not_run() {
    let stage = Stage::open().await;
    // With no burst capacity the activator gets out of the way while there is a pod, and the pod's
    // own queue, which holds ten, is what counts.
    let alone = json!({
        "autoscaling.knative.dev/max-scale": "1",
        "autoscaling.knative.dev/target-burst-capacity": "0",
    });
    let one_each = [("containerConcurrency", json!(1))];
    stage.service("full", alone, &one_each).await;
    stage.declare("full", &stage.host("full"), "sleep").await;
    let sleep = || stage.call("sleep", json!({"ms": 300}));
    eventually("more calls than have a place", async || {
        let called = futures_util::future::join_all((0..24).map(|_| sleep())).await;
        let (done, others): (Vec<_>, Vec<_>) = called
            .into_iter()
            .partition(|(outcome, _)| outcome == "completed");
        assert!(!done.is_empty(), "{others:?}");
        for (outcome, said) in &others {
            assert_eq!(outcome, "not-run", "{said}");
            assert!(said.contains("queue full"), "{said}");
        }
        (!others.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_function_marks_what_it_says_and_knative_does_not() {
    let stage = Stage::open().await;
    stage.service("marked", json!({}), &[]).await;
    let address = kourier::address().await;
    for (host, status, is_marked) in [
        (stage.host("marked"), StatusCode::OK, true),
        ("nobody.example".to_owned(), StatusCode::NOT_FOUND, false),
    ] {
        let headers = [("host", host.as_str())];
        let path = "/capabilities";
        let answer = http::send(Method::GET, &address, path, &headers, "").await;
        assert_eq!(answer.status, status, "{answer:?}");
        let mark = answer.headers.get("dormouse-contract");
        assert_eq!(mark.is_some(), is_marked, "{answer:?}");
    }
}
