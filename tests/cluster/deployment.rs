//! Dormouse as people deploy it: the operator from `knative/install.yaml`, one for all tests, and a
//! platform in a namespace of the test's own.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::http;
use crate::kubectl::{eventually, in_tree, kubectl};
use crate::namespace::{Kind, Namespace};
use crate::session::Session;

/// Where the operator is.
pub const SYSTEM: &str = "dormouse-system";

/// The name of every test's platform.
pub const PLATFORM: &str = "platform";

/// A platform that takes calls. It goes with its namespace.
pub struct Deployment {
    pub namespace: Namespace,
    /// Its bearer token.
    pub token: String,
    address: String,
}

impl Deployment {
    /// An MCPServer with nothing but defaults, ready.
    pub async fn up() -> Self {
        Self::with(json!({})).await
    }

    /// One with this spec.
    pub async fn with(spec: Value) -> Self {
        Self::within(Namespace::new().await, spec).await
    }

    /// One with this spec in a namespace that has what it needs.
    pub async fn within(namespace: Namespace, spec: Value) -> Self {
        install().await;
        namespace.apply(&server(&spec)).await;
        Self::of(namespace).await
    }

    /// Gives it another spec, and waits until it is ready with that.
    pub async fn update(&self, spec: Value) {
        self.namespace.apply(&server(&spec)).await;
        self.namespace.ready(Kind::McpServer, PLATFORM).await;
    }

    /// The one of a namespace, as soon as it is ready.
    pub async fn of(namespace: Namespace) -> Self {
        namespace.ready(Kind::McpServer, PLATFORM).await;
        let service = namespace.get(Kind::Service, PLATFORM).await;
        let service = service.expect("what is ready has a Service");
        let address = service["spec"]["clusterIP"].as_str();
        let deployment = Self {
            token: namespace.secret("platform-token", "token").await,
            address: address.expect("an address").to_owned(),
            namespace,
        };
        // The node's network learns a moment later that the pod is ready.
        for door in [deployment.mcp(), deployment.coordinator()] {
            eventually("the platform's Service to lead to it", async || {
                TcpStream::connect(&door).await.ok()
            })
            .await;
        }
        deployment
    }

    /// Where MCP clients connect, as `host:port`.
    pub fn mcp(&self) -> String {
        format!("{}:9876", self.address)
    }

    /// The admin door, as `host:port`.
    pub fn admin(&self) -> String {
        format!("{}:9877", self.address)
    }

    /// The coordinator's API, as `host:port`.
    pub fn coordinator(&self) -> String {
        format!("{}:8888", self.address)
    }

    /// The header that every door asks for.
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// An MCP session over WebSocket.
    pub async fn session(&self) -> Session {
        let headers = [("authorization", self.authorization())];
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let session = Session::connect(&self.mcp(), &headers).await;
        let session = session.unwrap_or_else(|error| panic!("{}: {error}", self.mcp()));
        let hello = session.initialize(crate::session::LEGACY).await;
        hello.expect("the platform says hello");
        session
    }

    /// What the coordinator's API answers.
    pub async fn get(&self, path: &str) -> Value {
        let token = self.authorization();
        let headers = [("authorization", token.as_str())];
        let answer = http::send(Method::GET, &self.coordinator(), path, &headers, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.json()
    }

    /// Applies an AgentPool and waits until it is ready.
    pub async fn deploy_pool(&self, pool: &Value) -> Value {
        self.namespace.apply(pool).await;
        let name = pool["metadata"]["name"].as_str().expect("a name");
        self.namespace.ready(Kind::AgentPool, name).await
    }

    /// Waits until a pool has no pods and the platform knows it.
    pub async fn known_asleep(&self, pool: &str) {
        self.namespace.asleep(pool).await;
        self.told_asleep(pool).await;
    }

    /// Waits until the platform has been told that a pool sleeps.
    pub async fn told_asleep(&self, pool: &str) {
        let path = format!("/pools/{pool}");
        eventually(&format!("{pool} to be known asleep"), async || {
            (self.get(&path).await["state"] == "asleep").then_some(())
        })
        .await;
    }

    /// Applies an AgentPool's file of the tree as it is and waits until the pool is ready.
    pub async fn deploy(&self, file: &str, pool: &str) -> Value {
        self.namespace.apply_file(file).await;
        self.namespace.ready(Kind::AgentPool, pool).await
    }
}

fn server(spec: &Value) -> Value {
    json!({
        "apiVersion": "dormouse.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": PLATFORM},
        "spec": spec,
    })
}

/// Installs the operator, once.
pub async fn install() {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let install = async || {
        let file = in_tree("knative/install.yaml");
        let apply = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename",
            &file,
        ];
        kubectl(&apply, "").await.expect("install.yaml is applied");
        let available = ["--for", "condition=Available", "--timeout", "120s"];
        let wait = ["wait", "--namespace", SYSTEM, "deployment", "--all"];
        let ready = kubectl(&[&wait[..], &available].concat(), "").await;
        if let Err(said) = ready {
            let describe = ["describe", "pods", "--namespace", SYSTEM];
            panic!(
                "{said}\n{}",
                kubectl(&describe, "").await.unwrap_or_default()
            );
        }
    };
    INSTALLED.get_or_init(install).await;
}

/// What the operator has said so far.
pub async fn operators_log() -> String {
    let words = ["logs", "--namespace", SYSTEM, "--tail", "-1"];
    let selector = ["--selector", "app.kubernetes.io/name=dormouse-operator"];
    let log = kubectl(&[&words[..], &selector].concat(), "").await;
    log.expect("the operator's log")
}
