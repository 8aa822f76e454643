//! MCPServers: whole platforms in front of the pools of their namespace.

mod platform;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use dormouse_contract::duration::DurationText;
use dormouse_pool::{Quantity, Resources};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Conditions;
use crate::object;

pub use platform::{Platform, Storage};

/// One MCPServer.
pub type McpServer = object::Object<Kind>;

/// The kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {}

impl object::Kind for Kind {
    const KIND: &'static str = "MCPServer";
    const PLURAL: &'static str = "mcpservers";
    const SINGULAR: &'static str = "mcpserver";
    const SHORT_NAMES: &'static [&'static str] = &["mcps"];
    type Spec = Spec;
    type Status = Status;
}

/// A whole platform: one MCP endpoint over the pools of its namespace. `spec: {}` is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "MCPServerSpec")]
pub struct Spec {
    /// The platform's image. Default: the one of the operator's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Which pools it offers. Default: all.
    pub server_type: ServerType,
    /// How many pods it has, 1 to 10; with `autoscaling`, the fewest. More than one needs
    /// `storage.postgres` and `storage.redis`. Default 1.
    #[schemars(range(min = 1, max = 10))]
    pub replicas: u8,
    /// More pods while they are busy. Default: always `replicas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// Where tasks, sessions and events are kept. Default: on a volume of 1Gi.
    pub storage: StorageSpec,
    /// Who may use it.
    pub auth: AuthSpec,
    /// How much it takes on.
    pub limits: Limits,
    /// How it is reached.
    pub doors: Doors,
    /// The Knative Broker whose events the pools' triggers take, and which gets the events that
    /// functions emit. Default: none; events come by the coordinator's `POST /events`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<BrokerRef>,
    /// The processor time and memory of one pod. Default: `100m` and `128Mi` requested, at most
    /// `1Gi`.
    pub resources: Resources,
    /// The labels of the nodes that its pods may run on. Default: any node.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            // None, for what the API server fills in stays when the operator is a newer one.
            image: None,
            server_type: ServerType::default(),
            replicas: 1,
            autoscaling: None,
            storage: StorageSpec::default(),
            auth: AuthSpec::default(),
            limits: Limits::default(),
            doors: Doors::default(),
            broker: None,
            resources: Resources {
                requests: amounts([
                    ("cpu", Quantity::milli(100)),
                    ("memory", Quantity::mebi(128)),
                ]),
                limits: amounts([("memory", Quantity::gibi(1))]),
            },
            node_selector: BTreeMap::new(),
        }
    }
}

fn amounts<const N: usize>(amounts: [(&str, Quantity); N]) -> BTreeMap<String, Quantity> {
    amounts
        .into_iter()
        .map(|(resource, amount)| (resource.to_owned(), amount))
        .collect()
}

/// Which pools of its namespace an MCPServer offers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServerType {
    /// All.
    #[default]
    Orchestrator,
    /// Those of the agent type `educational`.
    Content,
    /// Those of every other agent type.
    Integration,
}

impl ServerType {
    /// Whether pools of an agent type are offered, unless they name another MCPServer.
    #[must_use]
    pub fn offers(self, agent_type: &str) -> bool {
        const EDUCATIONAL: &str = "educational";
        match self {
            Self::Orchestrator => true,
            Self::Content => agent_type == EDUCATIONAL,
            Self::Integration => agent_type != EDUCATIONAL,
        }
    }
}

/// More pods while they are busy, by a HorizontalPodAutoscaler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Autoscaling {
    /// The most pods, 2 to 10. Default 10.
    #[serde(default = "most_replicas")]
    #[schemars(range(min = 2, max = 10))]
    pub max_replicas: u8,
    /// The share of the requested processor time, in percent, beyond which pods are added.
    /// Default 70.
    #[serde(default = "target_cpu")]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu_percent: u8,
}

fn most_replicas() -> u8 {
    10
}

fn target_cpu() -> u8 {
    70
}

/// Where a platform keeps what it must not lose: `volume`, or `postgres` and `redis`. Default: a
/// volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StorageSpec {
    /// On a volume of its one pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeSpec>,
    /// Tasks and events in a PostgreSQL database, by its URL (`postgres://…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<FromSecret>,
    /// Sessions and wake-ups in Redis, by its URL (`redis://…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<FromSecret>,
}

/// A volume that is claimed for the pod and outlives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VolumeSpec {
    /// How large it is, in bytes. Default `1Gi`.
    pub size: Quantity,
    /// Its storage class; the empty text for a volume that is there already. Default: the
    /// cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
}

impl Default for VolumeSpec {
    fn default() -> Self {
        Self {
            size: Quantity::gibi(1),
            storage_class_name: None,
        }
    }
}

/// A value that is in a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FromSecret {
    /// Where.
    pub secret_key_ref: SecretKey,
}

/// A key of a Secret of the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKey {
    /// The Secret.
    pub name: String,
    /// The key.
    pub key: String,
}

/// Who may use a platform: whoever presents its bearer token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AuthSpec {
    /// Where the token is; a change takes effect without a restart. Default: one is generated, in
    /// the Secret `NAME-token` under the key `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKey>,
}

/// How much a platform takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// How many calls run at the same time in one pod; the rest queue. Default 50.
    #[schemars(range(min = 1))]
    pub max_tasks: u32,
    /// The most instances of a pool that does not say it. Default 10.
    #[schemars(range(min = 1))]
    pub max_agents: u16,
    /// How many requests a minute each caller may make; 0: any number. Default 1000.
    pub rate_limit: u32,
    /// How long the end of a pod waits for running calls. Default 30 s.
    #[serde(with = "dormouse_contract::duration")]
    #[schemars(with = "DurationText")]
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_tasks: 50,
            max_agents: 10,
            rate_limit: 1_000,
            drain: Duration::from_secs(30),
        }
    }
}

/// How a platform is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Doors {
    /// Further host names by which clients address it, such as that of an ingress. Default: those
    /// that the cluster gives its Service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_hosts: Vec<String>,
    /// How its Service can be reached. Default: from inside the cluster.
    pub service_type: ServiceType,
}

/// How a Service can be reached, in Kubernetes' words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// From inside the cluster.
    #[default]
    ClusterIP,
    /// By a port of every node, too.
    NodePort,
    /// By an address of the cloud's load balancer, too.
    LoadBalancer,
}

impl fmt::Display for ServiceType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        })
    }
}

/// A Knative Broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BrokerRef {
    /// Its name.
    pub name: String,
    /// Its namespace. Default: the MCPServer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What the operator tells of an MCPServer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "MCPServerStatus")]
pub struct Status {
    /// The `metadata.generation` that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What holds: `Ready` when `SecretsFound` and `ReplicasReady` do, and `BrokerFound` where a
    /// Broker is named.
    pub conditions: Conditions,
    /// Where MCP clients connect, inside the cluster (`ws://…` or `http://…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The coordinator's API, inside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinator_url: Option<String>,
    /// How many pods are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<u32>,
    /// How many pools it offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pools: Option<u32>,
}

/// What the conditions of an MCPServer are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Clients can connect: all that has to hold does.
    Ready,
    /// The spec can be used, and every Secret that it names is there.
    SecretsFound,
    /// As many pods are ready as are wanted.
    ReplicasReady,
    /// The named Broker is there. Absent where none is named.
    BrokerFound,
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ready => "Ready",
            Self::SecretsFound => "SecretsFound",
            Self::ReplicasReady => "ReplicasReady",
            Self::BrokerFound => "BrokerFound",
        })
    }
}
