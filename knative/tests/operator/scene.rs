//! A namespace with a platform, the operator at work, and the words to play Knative.

use std::fmt::Debug;
use std::time::Duration;

use dormouse_operator::agent_pool::Check;
use dormouse_operator::conditions::Condition;
use dormouse_operator::controller::{self, names};
use dormouse_operator::pool::knative::Service;
use dormouse_operator::{AgentPool, McpServer};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api_server::ApiServer;
use crate::peer::Peer;

pub const NAMESPACE: &str = "agents";

/// So many looks, one every so often, until something must have come about.
const LOOKS: usize = 1_200;
const PAUSE: Duration = Duration::from_millis(25);

pub struct Scene {
    pub server: ApiServer,
    pub peer: Peer,
    client: Client,
    stop: CancellationToken,
    operator: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Scene {
    pub async fn begin() -> Self {
        let mut scene = Self::without_operator().await;
        scene.begin_operator();
        scene
    }

    pub async fn without_operator() -> Self {
        let server = ApiServer::start().await;
        let client = server.client();
        let scene = Self {
            peer: Peer::start().await,
            stop: CancellationToken::new(),
            operator: None,
            client,
            server,
        };
        scene.make_namespace(NAMESPACE).await;
        scene
    }

    pub async fn end(mut self) {
        self.end_operator().await;
    }

    pub fn begin_operator(&mut self) {
        let (client, stop) = (self.server.operators_client(), CancellationToken::new());
        self.stop = stop.clone();
        self.operator = Some(tokio::spawn(async move {
            controller::run(client, None, "test", &stop).await
        }));
    }

    pub async fn end_operator(&mut self) {
        self.stop.cancel();
        if let Some(operator) = self.operator.take() {
            operator.await.expect("no panic").expect("a good end");
        }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    pub async fn make_namespace(&self, name: &str) {
        let namespace: Namespace = read(json!({"metadata": {"name": name}}));
        let api = Api::<Namespace>::all(self.client.clone());
        api.create(&PostParams::default(), &namespace)
            .await
            .expect("a namespace");
    }

    /// A platform whose coordinator is the peer, and whose pod the operator does not make.
    pub async fn make_platform(&self, spec: Value) {
        let token: Secret = read(json!({
            "metadata": {"name": "platform-token", "labels":
                {"app.kubernetes.io/managed-by": "dormouse-operator"}},
            "stringData": {"token": "open-sesame"},
        }));
        self.create(&token).await;
        let of_broker: Secret = read(json!({
            "metadata": {"name": "platform-broker", "labels":
                {"app.kubernetes.io/managed-by": "dormouse-operator"}},
            "stringData": {"token": "c0ffee"},
        }));
        self.create(&of_broker).await;
        let mut server = McpServer::new("platform", spec);
        let paused = (names::PAUSED.to_owned(), "true".to_owned());
        server.metadata.annotations = Some([paused].into());
        self.create(&server).await;
        let status = json!({"coordinatorUrl": self.peer.url});
        self.set_status::<McpServer>("platform", status).await;
    }

    pub async fn make_pool(&self, name: &str, spec: Value) {
        self.create(&AgentPool::new(name, spec)).await;
    }

    pub async fn create<K>(&self, object: &K)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Serialize
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let made = self.api::<K>().create(&PostParams::default(), object).await;
        made.unwrap_or_else(|error| panic!("{object:?}: {error}"));
    }

    pub async fn set_status<K>(&self, name: &str, status: Value)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let patch = Patch::Merge(json!({"status": status}));
        self.api::<K>()
            .patch_status(name, &PatchParams::default(), &patch)
            .await
            .expect("a status");
    }

    /// Changes an object as somebody else.
    pub async fn change<K>(&self, name: &str, patch: Value)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let changed = self
            .api::<K>()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        changed.expect("a change");
    }

    /// Waits until an object is there and as it should be.
    pub async fn until<K>(&self, name: &str, what: &str, is_so: impl Fn(&K) -> bool) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let api = self.api::<K>();
        let mut last = None;
        for _ in 0..LOOKS {
            last = api.get_opt(name).await.expect("an answer");
            if let Some(object) = last.take_if(|it| is_so(it)) {
                return object;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{name} does not become {what}: {last:#?}");
    }

    /// Waits until an object is gone.
    pub async fn until_gone<K>(&self, name: &str)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let api = self.api::<K>();
        eventually(&format!("{name} goes"), async || {
            api.get_opt(name).await.expect("an answer").is_none()
        })
        .await;
    }

    /// Waits for a condition of a pool with this reason.
    pub async fn until_told(&self, pool: &str, check: Check, reason: &str) -> Condition {
        let condition = |pool: &AgentPool| pool.status.as_ref()?.conditions.get(check).cloned();
        let is_told = |pool: &AgentPool| condition(pool).is_some_and(|it| it.reason == reason);
        let what = format!("{check} with {reason}");
        let pool = self.until::<AgentPool>(pool, &what, is_told).await;
        condition(&pool).expect("what was waited for")
    }

    pub async fn until_ready(&self, pool: &str) -> AgentPool {
        let is_ready = |pool: &AgentPool| {
            let status = pool.status.as_ref();
            status.is_some_and(|it| it.conditions.holds(Check::Ready))
        };
        self.until::<AgentPool>(pool, "ready", is_ready).await
    }

    /// Says what Knative would of a pool whose revision is ready.
    pub async fn play_ready(&self, pool: &str, revision: &str) {
        let service = self.until::<Service>(pool, "there", |_| true).await;
        let status = json!({
            "observedGeneration": service.metadata.generation,
            "conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "RoutesReady", "status": "True"},
            ],
            "latestCreatedRevisionName": revision,
            "traffic": [{"revisionName": revision, "percent": 100}],
            "address": {"url": format!("{}/functions/{pool}", self.peer.url)},
        });
        self.set_status::<Service>(pool, status).await;
    }
}

/// Waits until something is so.
pub async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..LOOKS {
        if is_so().await {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("never: {what}");
}

pub fn read<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).expect("an object")
}
