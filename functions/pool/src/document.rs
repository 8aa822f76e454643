//! The file as written: every field of the YAML, nothing checked beyond its shape.

use std::collections::BTreeMap;
use std::time::Duration;

use dormouse_contract::balance::Balance;
use dormouse_contract::breaker::BreakerSpec;
use dormouse_contract::filter::Trigger;
use dormouse_contract::policy::DeliverySpec;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// `educational`, `github`, `database` or any other word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    /// What a laptop runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunSpec>,
    /// What a cluster runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The function's environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvSpec>,
    /// How far it scales.
    #[serde(default)]
    pub scaling: ScalingSpec,
    /// How calls are delivered to it.
    #[serde(default)]
    pub delivery: DeliverySpec,
    /// Which instance takes a call.
    #[serde(default)]
    pub balance: Balance,
    /// When the pool is left alone because deliveries to it fail.
    #[serde(default)]
    pub breaker: BreakerSpec,
    /// Policies of single tools, by declared name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, DeliverySpec>,
    /// Which events it takes. Default: those that the function's manifest lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// How many calls may wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueSpec>,
    /// What it is said to be able to do; the manifest decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// A fixed number of replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_size: Option<u32>,
    /// Replicas by load, in the words of the first CRD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
}

/// What a laptop runs: exactly one of `cargo`, `command`, `mcp`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listen {
    /// A listening socket as standard input: the fastest way to wake.
    Stdin,
    /// A free port in `PORT`, probed until it answers.
    Port,
}

/// One environment variable; see the crate's page for the three forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueSource {
    /// A key of a secret.
    pub secret_key_ref: SecretKeySelector,
}

/// A key of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ScalingSpec {
    /// So many instances stay awake. Default 0.
    pub min: u32,
    /// At most so many instances. Default: the platform's, which is 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// So many calls at a time in one instance. Default 10.
    pub concurrency: u32,
    /// After so long without a call an instance goes to sleep. Default 60 s.
    #[serde(with = "dormouse_contract::duration")]
    pub idle: Duration,
}

impl Default for ScalingSpec {
    fn default() -> Self {
        Self {
            min: 0,
            max: None,
            concurrency: 10,
            idle: Duration::from_secs(60),
        }
    }
}

/// How many calls may wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueSpec {
    /// Beyond so many the pool is busy. Default
    /// [`QUEUE_LIMIT`](dormouse_contract::registration::QUEUE_LIMIT).
    pub limit: usize,
}

/// Replicas by load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Autoscaling {
    /// Whether the number of replicas follows the load.
    #[serde(default)]
    pub enabled: bool,
    /// The fewest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<u32>,
    /// The most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<u32>,
}
