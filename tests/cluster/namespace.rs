//! A namespace of one test's own.

use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use crate::kubectl::{eventually, get, in_tree, is_ready, kubectl, pods};

/// It is removed, with all that is in it, when this is dropped. When the test has failed, it first
/// tells what was in it.
pub struct Namespace {
    name: String,
}

/// What tests ask the API for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An AgentPool.
    AgentPool,
    /// A Knative Service.
    KnativeService,
    /// An MCPServer.
    McpServer,
    /// A Pod.
    Pod,
    /// A Secret.
    Secret,
    /// A Service.
    Service,
}

impl Kind {
    /// Where its objects are in the API: group and version, and the plural.
    fn path(self) -> [&'static str; 2] {
        match self {
            Self::AgentPool => ["apis/dormouse.dev/v1alpha1", "agentpools"],
            Self::KnativeService => ["apis/serving.knative.dev/v1", "services"],
            Self::McpServer => ["apis/dormouse.dev/v1alpha1", "mcpservers"],
            Self::Pod => ["api/v1", "pods"],
            Self::Secret => ["api/v1", "secrets"],
            Self::Service => ["api/v1", "services"],
        }
    }
}

impl Namespace {
    /// A new one.
    pub async fn new() -> Self {
        let name = format!("test-{:08x}", rand::random::<u32>());
        let created = kubectl(&["create", "namespace", &name], "").await;
        created.expect("a namespace");
        Self { name }
    }

    /// One that somebody else makes, and nobody else uses.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of a service in the cluster.
    pub fn host(&self, service: &str) -> String {
        format!("{service}.{}.svc.cluster.local", self.name)
    }

    /// Applies an object, as `kubectl apply` does for people.
    pub async fn apply(&self, object: &Value) {
        if let Err(said) = self.try_apply(object).await {
            panic!("{said}");
        }
    }

    /// As [`Namespace::apply`], for an object that may be refused.
    ///
    /// # Errors
    /// What people read then.
    pub async fn try_apply(&self, object: &Value) -> Result<(), String> {
        let words = ["apply", "--namespace", &self.name, "--filename", "-"];
        kubectl(&words, &object.to_string()).await.map(drop)
    }

    /// Applies a file of the tree as it is.
    pub async fn apply_file(&self, path: &str) {
        let file = in_tree(path);
        let words = ["apply", "--namespace", &self.name, "--filename", &file];
        kubectl(&words, "")
            .await
            .unwrap_or_else(|said| panic!("{path}: {said}"));
    }

    /// One object as it is now.
    pub async fn get(&self, kind: Kind, name: &str) -> Option<Value> {
        let [version, plural] = kind.path();
        get(&format!(
            "/{version}/namespaces/{}/{plural}/{name}",
            self.name
        ))
        .await
    }

    /// A value of a Secret.
    pub async fn secret(&self, name: &str, key: &str) -> String {
        let secret = self.get(Kind::Secret, name).await;
        let secret = secret.unwrap_or_else(|| panic!("there is no Secret {name}"));
        let value = secret["data"][key].as_str().map(|it| BASE64.decode(it));
        let value = value.unwrap_or_else(|| panic!("the Secret {name} has no {key}"));
        String::from_utf8(value.expect("base64")).expect("a text")
    }

    /// Waits until an object is ready, and returns it.
    pub async fn ready(&self, kind: Kind, name: &str) -> Value {
        eventually(&format!("{kind:?} {name} to be ready"), async || {
            let object = self.get(kind, name).await?;
            is_ready(&object).then_some(object)
        })
        .await
    }

    /// The pods of a Knative Service, those that are just stopping included.
    pub async fn pods(&self, service: &str) -> Vec<Value> {
        let label = format!("serving.knative.dev/service={service}");
        pods(&self.name, &label).await
    }

    /// Deletes pods, as a drained node does: they may finish what they do.
    pub async fn delete_pods(&self, label: &str) {
        let words = ["delete", "pods", "--wait=false", "--selector", label];
        let deleted = kubectl(&[&words[..], &["--namespace", &self.name]].concat(), "").await;
        deleted.expect("they are deleted");
    }

    /// Waits until a Knative Service has no pods.
    pub async fn asleep(&self, service: &str) {
        eventually(&format!("{service} to sleep"), async || {
            self.pods(service).await.is_empty().then_some(())
        })
        .await;
    }

    /// Runs a pod to its end, and returns what it has printed.
    pub async fn run_pod(&self, name: &str, image: &str, arguments: &[String]) -> String {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "main",
                    "image": image,
                    "imagePullPolicy": "Never",
                    "args": arguments,
                }],
            },
        });
        self.apply(&pod).await;
        eventually(&format!("{name} to end"), async || {
            let pod = self.get(Kind::Pod, name).await?;
            let phase = pod["status"]["phase"].as_str()?;
            ["Succeeded", "Failed"].contains(&phase).then_some(())
        })
        .await;
        let logs = ["logs", "--namespace", &self.name, name];
        kubectl(&logs, "").await.expect("its logs")
    }

    /// Everything that there is to know, for who has to find out why a test failed.
    fn tell(&self) {
        let events = ["get", "events", "--sort-by", ".lastTimestamp"];
        self.run(&["get", "all,ksvc,agentpools,mcpservers", "-o", "wide"]);
        self.run(&events);
        let all_logs = ["logs", "--all-containers", "--prefix", "--tail", "40"];
        self.run(&[&all_logs[..], &["--selector", "dormouse.dev/mcp-server"]].concat());
        self.run(
            &[
                &all_logs[..],
                &["--selector", "serving.knative.dev/service"],
            ]
            .concat(),
        );
    }

    fn run(&self, words: &[&str]) {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.name]).args(words);
        if let Ok(output) = command.output() {
            let said = [output.stdout, output.stderr].concat();
            eprintln!("kubectl {words:?}:\n{}", String::from_utf8_lossy(&said));
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
        self.run(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}

/// A Knative Service of one of our images, with this environment.
pub fn knative_service(name: &str, image: &str, environment: &Value) -> Value {
    json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [{
            "image": image,
            "imagePullPolicy": "Never",
            "env": environment,
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true,
                "runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }]}}},
    })
}
