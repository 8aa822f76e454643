//! How a pool is declared to the coordinator by whoever runs it elsewhere: what the bodies of
//! `POST /pools` and `PUT /pools/{pool}` have in common, and the whole of the second.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::balance::Balance;
use crate::breaker::BreakerSpec;
use crate::filter::Trigger;
use crate::policy::DeliverySpec;

/// What runs a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunsOn {
    /// Somebody keeps it running: its endpoint is probed, and asked what it offers.
    #[default]
    AlwaysOn,
    /// Knative Serving, which wakes it for a request and lets it sleep again: it is neither probed
    /// nor asked, because both would wake it.
    Knative,
}

/// How a pool is called and what is routed to it; what is absent is the default.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Terms {
    /// The mission's agent type. Default: the manifest's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    /// What the pool is said to be able to do: shown, but offered only as far as the manifest
    /// describes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
    /// Which events are routed to it. Default: on Knative those that the manifest asks for, else
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggers: Option<Vec<Trigger>>,
    /// Its delivery policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
    /// Policies of single tools, by declared name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<BTreeMap<String, DeliverySpec>>,
    /// Which of its endpoints takes a call. Default: round-robin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// When an endpoint is left alone because deliveries fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerSpec>,
    /// How many deliveries may be on their way at the same time, 1 to 100000; the rest queue.
    /// Default 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
    /// What deliveries carry in `dormouse-delivery-secret`, so that the agent believes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_secret: Option<String>,
    /// What events carry in `pooltoken` that the agent sends outside of a task, so that its pool's
    /// sink believes them. Default: it believes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_token: Option<String>,
}

/// What `PUT /pools/{pool}` takes: all that there is to know of a pool. It replaces what was known.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Declaration {
    /// The pool, if it is said again: as the path says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_id: Option<String>,
    /// What runs it. Default: somebody keeps it running.
    #[serde(default)]
    pub runs_on: RunsOn,
    /// Where its events are POSTed to: an absolute `http` or `https` URL. On Knative the service's
    /// cluster address.
    pub endpoint: String,
    /// Of what is always on: what is probed by `GET`, an absolute URL or a path of the endpoint's
    /// host. Default: `health/readiness` below the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_endpoint: Option<String>,
    /// On Knative, and only there: which version is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// On Knative, and only there: what this revision answered to `GET /capabilities`, to the
    /// letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub manifest: Option<Box<RawValue>>,
    /// How many tasks may wait; beyond it the pool is busy. Default 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_limit: Option<usize>,
    /// How it is called and what is routed to it.
    #[serde(flatten)]
    pub terms: Terms,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_one_flat_object_with_its_manifest_to_the_letter() {
        let manifest = r#"{"contract":1, "x":1.0}"#;
        let declaration = Declaration {
            pool_id: None,
            runs_on: RunsOn::Knative,
            endpoint: "http://p.default.svc.cluster.local".to_owned(),
            health_endpoint: None,
            revision: Some("p-00001".to_owned()),
            manifest: RawValue::from_string(manifest.to_owned()).ok(),
            queue_limit: None,
            terms: Terms {
                connections: Some(7),
                ..Terms::default()
            },
        };
        let json = serde_json::to_string(&declaration).unwrap();
        assert_eq!(
            json,
            format!(
                r#"{{"runs_on":"knative","endpoint":"http://p.default.svc.cluster.local","revision":"p-00001","manifest":{manifest},"connections":7}}"#
            )
        );
    }
}
