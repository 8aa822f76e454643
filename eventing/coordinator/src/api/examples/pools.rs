//! Pools, and the bodies that make them, for the OpenAPI document.

use dormouse_contract::Manifest;
use dormouse_contract::balance::Balance;
use dormouse_contract::declaration::{Declaration, RunsOn, Terms};
use dormouse_contract::registration::Instances;
use serde_json::value::to_raw_value;

use super::trigger;
use crate::api::pools::{InstanceCounts, PoolPage, PoolView, ResourceView, TemplateView, ToolView};
use crate::{BreakerState, BreakerView, EndpointState, EndpointView, Row};

pub(in crate::api) fn pool_page() -> PoolPage {
    PoolPage {
        pools: vec![pool()],
    }
}

pub(in crate::api) fn pool() -> PoolView {
    PoolView {
        name: "educational".to_owned(),
        agent_type: "educational".to_owned(),
        revision: "educational-1f3870be".to_owned(),
        state: "awake".to_owned(),
        instances: InstanceCounts {
            ready: 1,
            waking: 0,
            stopping: 0,
        },
        failure: None,
        balance: Balance::RoundRobin,
        breaker: Some(breaker()),
        endpoints: Vec::new(),
        declared: Vec::new(),
        tools: vec![ToolView {
            name: "curriculum-alignment".to_owned(),
            title: Some("Align with a curriculum".to_owned()),
        }],
        prompts: vec![ToolView {
            name: "lesson-plan".to_owned(),
            title: None,
        }],
        resources: vec![ResourceView {
            uri: "standards://ccss/math".to_owned(),
            name: Some("ccss-math".to_owned()),
            title: None,
        }],
        resource_templates: vec![TemplateView {
            uri_template: "standards://{framework}/{subject}".to_owned(),
            name: Some("standards".to_owned()),
            title: None,
        }],
        triggers: vec![trigger()],
        drained: false,
        slots: 100,
        queue_limit: 1_000,
        queued: 0,
        running: 1,
    }
}

fn breaker() -> BreakerView {
    BreakerView {
        state: BreakerState::Closed,
        retry_after_ms: None,
        error: None,
    }
}

/// A pool that was registered from outside.
pub(in crate::api) fn outside_pool() -> PoolView {
    PoolView {
        name: "database".to_owned(),
        agent_type: "database".to_owned(),
        revision: "database-5d41402abc".to_owned(),
        endpoints: vec![EndpointView {
            endpoint: "http://10.0.0.7:9000/".to_owned(),
            health_endpoint: Some("http://10.0.0.7:9000/health".to_owned()),
            state: EndpointState::Well,
            probed_at: Some("2026-07-01T12:00:00Z".to_owned()),
            error: None,
            in_flight: 1,
            breaker: breaker(),
        }],
        declared: vec!["backup".to_owned()],
        slots: 50,
        ..pool()
    }
}

/// The row by which it was registered.
pub(in crate::api) fn row() -> Row {
    Row {
        health_endpoint: Some("/health".to_owned()),
        terms: Terms {
            agent_type: Some("database".to_owned()),
            capabilities: Some(vec!["backup".to_owned()]),
            ..Terms::default()
        },
        ..Row::new("database", "http://10.0.0.7:9000")
    }
}

/// A pool that runs on Knative.
pub(in crate::api) fn knative_pool() -> PoolView {
    PoolView {
        revision: "educational-00001".to_owned(),
        endpoints: vec![EndpointView {
            endpoint: SERVICE.to_owned(),
            health_endpoint: None,
            state: EndpointState::Unprobed,
            probed_at: None,
            error: None,
            in_flight: 1,
            breaker: breaker(),
        }],
        ..pool()
    }
}

/// Where a service of Knative is reached inside of the cluster.
const SERVICE: &str = "http://educational.default.svc.cluster.local/";

/// What declares it.
pub(in crate::api) fn declaration() -> Declaration {
    Declaration {
        pool_id: None,
        runs_on: RunsOn::Knative,
        endpoint: SERVICE.to_owned(),
        health_endpoint: None,
        revision: Some("educational-00001".to_owned()),
        manifest: to_raw_value(&manifest()).ok(),
        queue_limit: Some(1_000),
        terms: Terms {
            agent_type: Some("educational".to_owned()),
            connections: Some(100),
            ..Terms::default()
        },
    }
}

/// Its pods.
pub(in crate::api) fn instances() -> Instances {
    Instances {
        ready: 1,
        waking: 0,
        stopping: 0,
        failure: None,
    }
}

pub(in crate::api) fn manifest() -> Manifest {
    Manifest {
        contract: 1,
        pool: "educational".to_owned(),
        agent_type: "educational".to_owned(),
        version: "0.1.0".to_owned(),
        marked: true,
        tools: Vec::new(),
        prompts: Vec::new(),
        resources: Vec::new(),
        resource_templates: Vec::new(),
        completions: Vec::new(),
        triggers: Vec::new(),
    }
}
