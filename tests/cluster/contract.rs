//! The function image against Knative's runtime contract, point by point
//! (`specs/serving/runtime-contract.md` of knative/specs; its sections are named below). What the
//! contract asks of the platform alone is Knative's own to test.

use std::path::Path;
use std::process::Command;

use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::http;
use crate::knocks::Knocks;
use crate::kourier::post_event;
use crate::kubectl::{eventually, in_tree, kubectl};
use crate::namespace::{Kind, Namespace, knative_service};
use crate::programs;

const FIXTURE: &str = "dev.local/fixture:1";

/// Nobody's port but the one that a pod is told.
const PORT: u16 = 9_000;

/// Nobody's user.
const USER: u32 = 12_345;

/// A function in a bare pod, as bad as a platform may treat it: a user that no image knows, no
/// rights, nothing to write to, little memory, and another port than the default.
struct Function {
    namespace: Namespace,
    pod: Value,
}

impl Function {
    /// Starts it; it is ready when its probe says so, which asks from outside the pod.
    async fn start(image: &str) -> Self {
        let probe = |page: &str| json!({"httpGet": {"path": page, "port": PORT}});
        let namespace = Namespace::new().await;
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "function"},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": false,
                "containers": [{
                    "name": "function",
                    "image": image,
                    "imagePullPolicy": "Never",
                    "env": [
                        {"name": "PORT", "value": PORT.to_string()},
                        {"name": "K_SERVICE", "value": "function"},
                    ],
                    "readinessProbe": probe("/health/readiness"),
                    "livenessProbe": probe("/health/liveness"),
                    "resources": {"limits": {"memory": "32Mi"}},
                    "securityContext": {
                        "runAsUser": USER,
                        "runAsGroup": USER,
                        "runAsNonRoot": true,
                        "readOnlyRootFilesystem": true,
                        "allowPrivilegeEscalation": false,
                        "capabilities": {"drop": ["ALL"]},
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                }],
            },
        });
        namespace.apply(&pod).await;
        let pod = eventually("the function to be ready", async || {
            let pod = namespace.get(Kind::Pod, "function").await?;
            let conditions = pod["status"]["conditions"].as_array()?;
            let ready = conditions.iter().find(|it| it["type"] == "Ready")?;
            (ready["status"] == "True").then_some(pod)
        })
        .await;
        Self { namespace, pod }
    }

    fn address(&self) -> String {
        let ip = self.pod["status"]["podIP"].as_str();
        format!("{}:{PORT}", ip.expect("an address"))
    }

    /// Its process, which is the first one in its container.
    fn process(&self, program: &str) -> i32 {
        let found = programs::find(&self.pod, program);
        let [process] = found.as_slice() else {
            panic!("not one process: {found:?}");
        };
        *process
    }

    async fn logs(&self) -> String {
        let words = ["logs", "--namespace", self.namespace.name(), "function"];
        kubectl(&words, "").await.expect("its logs")
    }
}

/// The headers of a call of a tool, or of another event.
fn event(ty: &str) -> [(&'static str, String); 5] {
    [
        ("content-type", "application/json".to_owned()),
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", "1".to_owned()),
        ("ce-source", "/tests".to_owned()),
        ("ce-type", ty.to_owned()),
    ]
}

fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    headers
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect()
}

/// Inbound network connectivity: HTTP/1.1, HTTP/2 with prior knowledge on the same port, and the
/// question for an upgrade, which a function may pass over but not break at.
#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn it_speaks_what_the_contract_names_on_the_port_that_it_is_told() {
    let function = Function::start(FIXTURE).await;
    let address = function.address();
    let (ping, data) = (event("org.example.ping"), "{\"n\":1}");
    let answer = http::post(&address, "/", &borrowed(&ping), data).await;
    assert_eq!(answer.headers["ce-type"], "org.example.pong", "{answer:?}");
    assert_eq!(answer.body, data);

    let mut headers = HeaderMap::new();
    for (name, value) in &ping {
        headers.insert(*name, HeaderValue::from_str(value).expect("a header"));
    }
    let url = format!("http://{address}/");
    let answer = http::post_http2(&address, &url, headers, data.into()).await;
    assert_eq!(answer.headers["ce-type"], "org.example.pong", "{answer:?}");

    let upgrade = [
        ("connection", "Upgrade, HTTP2-Settings"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
    ];
    for method in [Method::GET, Method::OPTIONS] {
        let page = "/health/liveness";
        let answer = http::send(method.clone(), &address, page, &upgrade, "").await;
        assert!(!answer.status.is_server_error(), "{method}: {answer:?}");
    }
    // A proxy stands before it, and tells so.
    let proxied = [
        ("host", "function.example.com"),
        ("forwarded", "for=192.0.2.1;proto=https"),
        ("x-forwarded-for", "192.0.2.1, 192.0.2.2"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "1"),
    ];
    let answer = http::send(Method::GET, &address, "/capabilities", &proxied, "").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

/// User, root, mounts, devices, file descriptors: the image that ships runs as anybody, writes
/// nowhere, and what it says is in the logs.
#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn it_needs_no_rights_and_writes_nothing() {
    let function = Function::start("dormouse/educational:0.1.0").await;
    let answer = http::get(&function.address(), "/capabilities").await;
    assert_eq!(answer.json()["agentType"], "educational");
    let process = function.process("dormouse-educational");
    assert_eq!(
        programs::status(process, "NSpid:").split('\t').next_back(),
        Some("1")
    );
    let users = [USER; 4].map(|user| user.to_string());
    assert_eq!(programs::status(process, "Uid:"), users.join("\t"));
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(programs::status(process, set), "0000000000000000", "{set}");
    }
    assert_eq!(programs::status(process, "NoNewPrivs:"), "1");
    assert_eq!(programs::status(process, "Seccomp:"), "2");
    for entry in std::fs::read_dir(format!("/proc/{process}/fd")).expect("it runs") {
        let file = std::fs::read_link(entry.expect("an entry").path()).unwrap_or_default();
        let is_file = file.is_absolute() && !file.starts_with("/dev");
        assert!(!is_file, "it holds a file open: {}", file.display());
    }
    let logs = function.logs().await;
    assert!(logs.contains("listening"), "{logs}");
}

/// Lifecycle: after SIGTERM it finishes what runs, takes nothing new, and ends well.
#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn it_finishes_what_runs_when_it_is_told_to_stop() {
    let function = Function::start(FIXTURE).await;
    let address = function.address();
    let knocks = Knocks::listen().await;
    let params = json!({"name": "knock", "arguments": knocks.arguments("running")});
    let call = json!({"method": "tools/call", "params": params, "client": {}}).to_string();
    let headers = event("dev.dormouse.task.requested.v1");
    let headers = borrowed(&headers);
    let running = http::post(&address, "/", &headers, &call);
    let stopping = async {
        knocks.heard("running", 1).await;
        programs::signal(&function.pod, "fixture", Signal::TERM);
        eventually("the probe to hear of it", async || {
            let probe = http::get(&address, "/health/readiness").await;
            (probe.status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
        })
        .await;
        let late = http::post(&address, "/", &headers, &call).await;
        assert_eq!(late.headers["dormouse-not-run"], "true", "{late:?}");
        knocks.open();
    };
    let (answer, ()) = tokio::join!(running, stopping);
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.body.contains("heard running"), "{answer:?}");
    let ended = eventually("the container to end", async || {
        let pod = function.namespace.get(Kind::Pod, "function").await?;
        let state = &pod["status"]["containerStatuses"][0]["state"];
        state.get("terminated").cloned()
    })
    .await;
    assert_eq!(ended["exitCode"], 0, "{ended}");
    assert_eq!(knocks.count("running"), 1);
}

/// Process: arguments reach the program, and an ended one ends well.
#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn it_describes_itself_and_ends() {
    let namespace = Namespace::new().await;
    let flag = ["--capabilities".to_owned()];
    let image = "dormouse/educational:0.1.0";
    let said = namespace.run_pod("describe", image, &flag).await;
    let manifest: Value = serde_json::from_str(&said).expect("a manifest");
    assert_eq!(manifest["contract"], 1);
}

/// Protocols and ports, and the environment, as Knative itself sets them: either protocol by the
/// port's name, and the four variables.
#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn knative_finds_it_on_either_protocol() {
    let namespace = Namespace::new().await;
    for protocol in ["http1", "h2c"] {
        let mut service = knative_service(protocol, FIXTURE, &json!([]));
        let container = &mut service["spec"]["template"]["spec"]["containers"][0];
        container["ports"] = json!([{"name": protocol, "containerPort": PORT}]);
        namespace.apply(&service).await;
    }
    for protocol in ["http1", "h2c"] {
        namespace.ready(Kind::KnativeService, protocol).await;
        let params = json!({"name": "env", "arguments": {}});
        let call = json!({"method": "tools/call", "params": params, "client": {}});
        let headers = event("dev.dormouse.task.requested.v1");
        let headers: Vec<_> = borrowed(&headers).into_iter().skip(2).collect();
        let host = namespace.host(protocol);
        let answer = post_event(&host, &headers, &call.to_string()).await;
        let present = &answer.json()["result"]["structuredContent"]["present"];
        for name in ["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"] {
            assert_eq!(present[name], true, "{protocol}: {name}: {answer:?}");
        }
    }
}

/// What the image is made of decides alone what it is: no clock, no folder, no chance.
#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn the_same_program_makes_the_same_image() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = Path::new(env!("CARGO_BIN_EXE_dormouse")).with_file_name("dormouse-educational");
    let images = ["one", "other"].map(|name| {
        let image = folder.path().join(name);
        let packed = Command::new(in_tree("docker/pack.py"))
            .arg(&image)
            .arg("dev.local/educational:1")
            .arg(&program)
            .arg("--strip")
            .status();
        assert!(packed.expect("it starts").success());
        std::fs::read(image).expect("an archive")
    });
    assert!(images[0] == images[1], "they differ");
}
