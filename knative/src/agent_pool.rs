//! AgentPools: functions that the cluster runs as Knative Services.

use std::fmt;

use dormouse_pool::{Container, Invalid, Pool, Spec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Conditions;
use crate::object;

/// One AgentPool. Its spec is the one of the laptop's file.
pub type AgentPool = object::Object<Kind>;

/// The kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {}

impl object::Kind for Kind {
    const KIND: &'static str = dormouse_pool::KIND;
    const PLURAL: &'static str = "agentpools";
    const SINGULAR: &'static str = "agentpool";
    const SHORT_NAMES: &'static [&'static str] = &["ap"];
    type Spec = Spec;
    type Status = Status;
}

impl AgentPool {
    /// The pool, read and checked.
    ///
    /// # Errors
    /// The first field that cannot be used, and what is allowed there.
    pub fn pool(&self) -> Result<Pool<Container>, Invalid> {
        Pool::in_cluster(self.name(), self.spec()?)
    }
}

/// What the operator tells of an AgentPool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "AgentPoolStatus")]
pub struct Status {
    /// The `metadata.generation` that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What holds: `Ready` when `ServiceReady`, `ManifestKnown` and `Registered` hold, and
    /// `TriggersReady` where a Broker is named; and `Honoured`, which names the fields that have
    /// no effect here.
    pub conditions: Conditions,
    /// The Knative Revision that takes calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Where its events are POSTed to, inside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its agent type: that of the spec, or of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    /// The names of its tools, as the manifest of the revision declares them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// How many tools there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_count: Option<u32>,
    /// Whether it sleeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// How many instances take calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
}

/// Whether a pool sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No instance runs; the next call wakes one.
    Asleep,
    /// The first instance starts.
    Waking,
    /// Instances take calls.
    Awake,
    /// Instances cannot start.
    Failing,
}

/// What the conditions of an AgentPool are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The pool takes calls: all that has to hold does.
    Ready,
    /// The Knative Service is ready.
    ServiceReady,
    /// What the revision offers is known.
    ManifestKnown,
    /// Every platform that offers the pool knows it.
    Registered,
    /// The Knative Triggers on the named Broker are ready. Absent where no Broker is named.
    TriggersReady,
    /// Every field has its effect here.
    Honoured,
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ready => "Ready",
            Self::ServiceReady => "ServiceReady",
            Self::ManifestKnown => "ManifestKnown",
            Self::Registered => "Registered",
            Self::TriggersReady => "TriggersReady",
            Self::Honoured => "Honoured",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_of_another_version_is_read_as_far_as_it_goes() {
        let status: Status =
            serde_json::from_value(json!({"revision": "a-00001", "shoeSize": 43})).unwrap();
        assert_eq!(status.revision.as_deref(), Some("a-00001"));
        assert_eq!(status.conditions, Conditions::default());
    }

    #[test]
    fn what_the_shape_allows_is_checked_too() {
        for (name, spec, field) in [
            ("a", json!({}), "spec.image: is missing"),
            ("3d", json!({"image": "x"}), "metadata.name: "),
            ("A", json!({"image": "x"}), "metadata.name: "),
            (
                "a",
                json!({"image": "x", "scaling": {"min": 3, "max": 2}}),
                "spec.scaling.min: 3 is more than spec.scaling.max",
            ),
            (
                "a",
                json!({"image": "x", "env": [{"name": "K_SINK", "value": ""}]}),
                "spec.env[0].name: K_SINK is set by the platform",
            ),
            (
                "a",
                json!({"image": "x", "resources": {"limits": {"memory": "much"}}}),
                "spec.resources.limits.memory: `much` is no amount",
            ),
            (
                "a",
                json!({"image": "x", "triggers": [{"delivery": {"timeout": "0s"}}]}),
                "spec.triggers[0].delivery.timeout: is no time at all",
            ),
        ] {
            let error = AgentPool::new(name, spec).pool().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
    }

    #[test]
    fn what_only_a_laptop_honours_is_named() {
        let spec = json!({
            "image": "x",
            "run": {"cargo": "x"},
            "env": [{"name": "A"}],
            "balance": "session-affinity",
        });
        let pool = AgentPool::new("a", spec).pool().unwrap();
        let fields: Vec<_> = pool
            .not_honoured()
            .iter()
            .filter_map(|words| Some(words.split_once(": ")?.0))
            .collect();
        assert_eq!(fields, ["spec.run", "spec.env[0]", "spec.balance"]);
    }
}
