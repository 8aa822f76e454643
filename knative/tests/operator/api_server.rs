//! An etcd and a kube-apiserver of a test's own, on free ports of the loopback.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The user as which the operator speaks, in the audit log.
pub const OPERATOR: &str = "operator";
/// The user as which the tests speak.
const TESTER: &str = "tester";

/// Knative's kinds that the operator touches.
const KNATIVE: [&str; 4] = [
    "services.serving.knative.dev",
    "revisions.serving.knative.dev",
    "brokers.eventing.knative.dev",
    "triggers.eventing.knative.dev",
];

/// Kinds of Prometheus' operator and of Istio: group, kind and plural. Here they take anything.
const NEIGHBOURS: [(&str, &str, &str); 5] = [
    ("monitoring.coreos.com", "PodMonitor", "podmonitors"),
    ("monitoring.coreos.com", "PrometheusRule", "prometheusrules"),
    ("monitoring.coreos.com", "ServiceMonitor", "servicemonitors"),
    ("networking.istio.io", "Gateway", "gateways"),
    ("networking.istio.io", "VirtualService", "virtualservices"),
];

pub struct ApiServer {
    folder: TempDir,
    processes: Vec<Child>,
    address: String,
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl ApiServer {
    /// Starts one.
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let places = ["etcd", "kubernetes", "manifests"].map(place);
        for place in &places {
            assert!(
                place.exists(),
                "{place:?} is missing: run tests/cluster/install"
            );
        }
        let [etcd, kubernetes, manifests] = places;
        let mut server = Self {
            folder: tempfile::tempdir().expect("a folder"),
            processes: Vec::new(),
            address: format!("https://127.0.0.1:{}", free_port()),
        };
        let store = server.start_etcd(&etcd);
        server.start_api(&kubernetes, &store);
        server.await_api().await;
        server.define(&manifests).await;
        server.grant().await;
        server
    }

    /// As the tests speak.
    pub fn client(&self) -> Client {
        self.client_of(TESTER)
    }

    /// As the operator speaks.
    pub fn operators_client(&self) -> Client {
        self.client_of(OPERATOR)
    }

    /// A file by which a program speaks as the operator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_of(OPERATOR)
    }

    /// Runs kubectl as the tests speak, with this as its standard input.
    pub fn kubectl(&self, words: &[&str], input: &str) -> Result<String, String> {
        let kubectl = place("kubernetes").join("kubectl");
        let mut child = Command::new(kubectl)
            .args(words)
            .env("KUBECONFIG", self.kubeconfig_of(TESTER))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        let ended = child.wait_with_output().expect("its output");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match ended.status.success() {
            true => Ok(text(ended.stdout)),
            false => Err(text(ended.stderr)),
        }
    }

    fn kubeconfig_of(&self, user: &str) -> PathBuf {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster":
                {"server": self.address, "insecure-skip-tls-verify": true}}],
            "users": [{"name": "test", "user": {"token": format!("token-of-{user}")}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        let file = self.file(&format!("kubeconfig-of-{user}"));
        std::fs::write(&file, config.to_string()).expect("a file");
        file
    }

    fn client_of(&self, user: &str) -> Client {
        let mut config = Config::new(self.address.parse().expect("an address"));
        config.accept_invalid_certs = true;
        config.auth_info.token = Some(format!("token-of-{user}").into());
        Client::try_from(config).expect("a client")
    }

    /// A file of its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_etcd(&mut self, etcd: &Path) -> String {
        let client = format!("http://127.0.0.1:{}", free_port());
        let peer = format!("http://127.0.0.1:{}", free_port());
        let data = self.file("etcd");
        let mut command = dying(&etcd.join("etcd"));
        command
            .arg("--data-dir")
            .arg(data)
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .arg("--unsafe-no-fsync");
        self.run("etcd", command);
        client
    }

    fn start_api(&mut self, kubernetes: &Path, store: &str) {
        let write = |name: &str, text: &str| {
            std::fs::write(self.file(name), text).expect("a file");
        };
        write(
            "tokens.csv",
            "token-of-tester,tester,1,system:masters\n\
             token-of-operator,operator,2\n",
        );
        let policy = json!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata"}],
        });
        write("audit.json", &policy.to_string());
        let key = self.file("accounts.key");
        let made = Command::new("openssl")
            .args(["genrsa", "-out"])
            .arg(&key)
            .arg("2048")
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("openssl").success());
        let port = self.address.rsplit(':').next().unwrap_or_default();
        let mut command = dying(&kubernetes.join("hyperkube"));
        let flag = |name: &str, file: &str| format!("--{name}={}", self.file(file).display());
        command
            .args(["kube-apiserver", "--bind-address=127.0.0.1"])
            .arg(format!("--secure-port={port}"))
            .arg(format!("--etcd-servers={store}"))
            .arg(flag("cert-dir", "certificates"))
            .arg(flag("token-auth-file", "tokens.csv"))
            .arg(flag("audit-policy-file", "audit.json"))
            .arg(flag("audit-log-path", "audit.log"))
            .arg(flag("service-account-key-file", "accounts.key"))
            .arg(flag("service-account-signing-key-file", "accounts.key"))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg("--service-cluster-ip-range=10.0.0.0/24")
            .arg("--authorization-mode=RBAC");
        self.run("kube-apiserver", command);
    }

    fn run(&mut self, name: &str, mut command: Command) {
        let log = std::fs::File::create(self.file(&format!("{name}.log"))).expect("a log");
        let process = command.stdout(Stdio::null()).stderr(log).spawn();
        self.processes.push(process.expect("a process"));
    }

    async fn await_api(&mut self) {
        let client = self.client();
        let mut said = None;
        for _ in 0..600 {
            let answer = client.request_text(http_get("/readyz")).await;
            if answer.as_ref().is_ok_and(|it| it == "ok") {
                return;
            }
            said = Some(answer);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = std::fs::read_to_string(self.file("kube-apiserver.log")).unwrap_or_default();
        let last: Vec<_> = log.lines().rev().take(20).collect();
        panic!("the API server does not become ready: {said:?}, {last:#?}");
    }

    /// Brings in the definitions of Dormouse and Knative, and waits until they are served.
    async fn define(&self, manifests: &Path) {
        let knative = std::fs::read_to_string(manifests.join("crds.yaml")).expect("definitions");
        let ours = dormouse_operator::crd::yaml();
        let of =
            |text: &str| -> Vec<Value> { serde_saphyr::from_multiple(text).expect("definitions") };
        let is_needed = |it: &Value| {
            it["metadata"]["name"]
                .as_str()
                .is_some_and(|name| KNATIVE.contains(&name))
        };
        let mut definitions: Vec<_> = of(&knative).into_iter().filter(is_needed).collect();
        definitions.extend(of(&ours));
        self.apply_definitions(&definitions).await;
    }

    /// Brings in what Prometheus' operator and Istio would.
    pub async fn define_neighbours(&self) {
        let definition = |(group, kind, plural): &(&str, &str, &str)| {
            json!({
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("{plural}.{group}")},
                "spec": {
                    "group": group,
                    "scope": "Namespaced",
                    "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                    "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                        "openAPIV3Schema": {
                            "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                        },
                    }}],
                },
            })
        };
        let definitions: Vec<_> = NEIGHBOURS.iter().map(definition).collect();
        self.apply_definitions(&definitions).await;
    }

    async fn apply_definitions(&self, definitions: &[Value]) {
        let api = Api::<DynamicObject>::all_with(self.client(), &definition());
        for definition in definitions {
            let name = definition["metadata"]["name"].as_str().unwrap_or_default();
            let params = PatchParams::apply("tester").force();
            let applied = api.patch(name, &params, &Patch::Apply(definition)).await;
            applied.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        for definition in definitions {
            let spec = &definition["spec"];
            let version = spec["versions"]
                .as_array()
                .and_then(|all| all.iter().find(|it| it["served"] == true))
                .map(|it| &it["name"]);
            let path = format!(
                "/apis/{}/{}/{}",
                text(&spec["group"]),
                version.map(text).unwrap_or_default(),
                text(&spec["names"]["plural"])
            );
            self.await_served(&path).await;
        }
    }

    /// Lets the operator do what its manifest grants, and nothing else; its Lease is in `default`.
    async fn grant(&self) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("base/operator-role.yaml");
        let roles = std::fs::read_to_string(file).expect("the operator's role");
        let roles: Vec<Value> = serde_saphyr::from_multiple(&roles).expect("YAML");
        for mut role in roles {
            if role["subjects"].is_array() {
                role["subjects"] = json!([{"kind": "User", "name": OPERATOR}]);
            }
            let kind = text(&role["kind"]).to_lowercase();
            let path = match kind.starts_with("cluster") {
                true => format!("{kind}s"),
                false => {
                    role["metadata"]["namespace"] = "default".into();
                    format!("namespaces/default/{kind}s")
                }
            };
            let request = http::Request::post(format!("/apis/rbac.authorization.k8s.io/v1/{path}"))
                .header("content-type", "application/json")
                .body(role.to_string().into_bytes())
                .expect("a request");
            let made = self.client().request_text(request).await;
            made.unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        let group = "/apis/dormouse.dev/v1alpha1/agentpools";
        await_answer(&self.operators_client(), group).await;
    }

    async fn await_served(&self, path: &str) {
        await_answer(&self.client(), path).await;
    }
}

/// Waits until something can be read.
async fn await_answer(client: &Client, path: &str) {
    for _ in 0..300 {
        if client.request_text(http_get(path)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} is not served");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn http_get(path: &str) -> http::Request<Vec<u8>> {
    http::Request::get(path)
        .body(Vec::new())
        .expect("a request")
}

fn definition() -> ApiResource {
    let object = json!({
        "group": "apiextensions.k8s.io", "version": "v1", "api_version": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition", "plural": "customresourcedefinitions",
    });
    let part = |name: &str| text(&object[name]).to_owned();
    ApiResource {
        group: part("group"),
        version: part("version"),
        api_version: part("api_version"),
        kind: part("kind"),
        plural: part("plural"),
    }
}

/// A program that dies with the thread that started it.
fn dying(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// A port that was free just now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// Where the test cluster keeps a component.
fn place(component: &str) -> PathBuf {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cluster/boot/places.sh");
    let script = format!("source '{}'; place {component}", scripts.display());
    let output = Command::new("bash").args(["-c", &script]).output();
    let output = output.map(|it| it.stdout).unwrap_or_default();
    PathBuf::from(String::from_utf8_lossy(&output).trim())
}
