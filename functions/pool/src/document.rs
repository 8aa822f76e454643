//! The file as written: every field of the YAML, nothing checked beyond its shape.

use std::collections::BTreeMap;
use std::time::Duration;

use dormouse_contract::balance::Balance;
use dormouse_contract::breaker::BreakerSpec;
use dormouse_contract::duration::DurationText;
use dormouse_contract::filter::Trigger;
use dormouse_contract::policy::DeliverySpec;
use schemars::JsonSchema;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::container::Resources;

/// One AgentPool document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    /// [`API_VERSION`](crate::API_VERSION).
    pub api_version: String,
    /// [`KIND`](crate::KIND).
    pub kind: String,
    /// Its name.
    pub metadata: Metadata,
    /// What it is.
    pub spec: Spec,
}

/// Kubernetes' `ObjectMeta`, as far as people write it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The pool's name: a DNS label (RFC 1123), at most 63 characters.
    pub name: String,
    /// Where it lives in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels for people and selectors; of no effect here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Notes for people and tools; of no effect here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What the pool is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// `educational`, `github`, `database` or any other word. Default: the one that the function's
    /// manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    /// What a laptop runs, where it has to be there. A cluster leaves it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunSpec>,
    /// The container image that a cluster runs, where it has to be there. A laptop leaves it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The function's environment. Default: nothing but what the platform sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvSpec>,
    /// How far it scales.
    #[serde(default)]
    pub scaling: ScalingSpec,
    /// How calls are delivered to it; what is absent is the platform's.
    #[serde(default)]
    pub delivery: DeliverySpec,
    /// Which instance takes a call. Default: one after the other.
    #[serde(default)]
    pub balance: Balance,
    /// When the pool is left alone because deliveries to it fail; what is absent is the platform's.
    #[serde(default)]
    pub breaker: BreakerSpec,
    /// Delivery policies of single tools, by declared name, laid over the pool's. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, DeliverySpec>,
    /// Which events it takes. Default: those that the function's manifest lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// How many calls may wait. Default: 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueSpec>,
    /// What it is said to be able to do. The function's manifest decides; this is for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// The most instances, where neither `scaling.max` nor `autoscaling` says it. A ceiling: pools
    /// sleep when nobody calls them, whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub pool_size: Option<u32>,
    /// The bounds of the instances, where `scaling` does not say them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// The MCPServer of the namespace that offers the pool. Default: every one that offers pools
    /// of its `agentType`. Only in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The processor time and memory of one instance. Default: the cluster's. Only in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The service account that the function runs as. Default: the namespace's. Only in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
}

/// What a laptop runs: exactly one of `cargo`, `command`, `mcp`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunSpec {
    /// The name of a binary of this workspace, which is built first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cargo: Option<String>,
    /// A program and its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandSpec>,
    /// An MCP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp: Option<McpSpec>,
    /// How the program gets its listener; default `stdin` for `cargo`, `port` for `command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<Listen>,
}

/// A program and its arguments, no shell: `[program, arg, …]`, or one line split at blanks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum CommandSpec {
    /// `python server.py`
    Line(String),
    /// `[python, server.py]`
    Words(Vec<String>),
}

impl<'de> Deserialize<'de> for CommandSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = CommandSpec;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a list `[program, argument, …]` or one line of text")
            }

            fn visit_str<E: de::Error>(self, line: &str) -> Result<CommandSpec, E> {
                Ok(CommandSpec::Line(line.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<CommandSpec, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = list.next_element()? {
                    words.push(word);
                }
                Ok(CommandSpec::Words(words))
            }
        }
        from.deserialize_any(Either)
    }
}

/// An MCP server, in the words of MCP clients' configuration: `command` or `url`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct McpSpec {
    /// The program of a stdio server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The address of an HTTP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// How a program gets its listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Listen {
    /// A listening socket as standard input: the fastest way to wake.
    Stdin,
    /// A free port in `PORT`, probed until it answers.
    Port,
}

/// One environment variable: with `value`, with `valueFrom`, or with neither, which takes it from
/// the platform's own environment where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvSpec {
    /// Its name.
    pub name: String,
    /// Its value, literally.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where its value is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueSource>,
}

/// Where a value is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueSource {
    /// A key of a secret.
    pub secret_key_ref: SecretKeySelector,
}

/// A key of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeySelector {
    /// The secret.
    pub name: String,
    /// The key.
    pub key: String,
    /// Whether the variable is left out when the secret or key is missing. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// How far a pool scales.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ScalingSpec {
    /// So many instances stay awake. Default: `autoscaling.minReplicas`, else 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// At most so many instances. Default: `autoscaling.maxReplicas`, else `poolSize`, else the
    /// platform's, which is 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max: Option<u32>,
    /// So many calls at a time in one instance, at most 1000. Default 10.
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: u32,
    /// After so long without a call an instance goes to sleep. Default 60 s.
    #[serde(with = "dormouse_contract::duration")]
    #[schemars(with = "DurationText")]
    pub idle: Duration,
}

impl Default for ScalingSpec {
    fn default() -> Self {
        Self {
            min: None,
            max: None,
            concurrency: 10,
            idle: Duration::from_secs(60),
        }
    }
}

/// How many calls may wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueSpec {
    /// Beyond so many the pool is busy.
    #[schemars(range(min = 1))]
    pub limit: usize,
}

/// The bounds of the instances, in the words of Kubernetes' autoscalers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Autoscaling {
    /// Whether these bounds hold. Default false.
    #[serde(default)]
    pub enabled: bool,
    /// The fewest instances. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<u32>,
    /// The most instances. Default: `poolSize`, else the platform's, which is 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_replicas: Option<u32>,
}
