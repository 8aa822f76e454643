//! `GET /pools` and `GET /pools/{pool}`: what is registered, what it offers and how it is.

use axum::extract::State;
use axum::response::Json;
use dormouse_contract::filter::Trigger;
use dormouse_contract::registration::Registration;
use serde::{Deserialize, Serialize};

use super::Api;
use super::problem::Problem;
use super::segment::Segment;

/// The answer of `GET /pools`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PoolPage {
    /// All registered pools, in the order of registration.
    pub pools: Vec<PoolView>,
}

/// A pool as people see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolView {
    /// The AgentPool's `metadata.name`.
    pub name: String,
    /// The mission's agent type.
    pub agent_type: String,
    /// Which version is deployed.
    pub revision: String,
    /// `asleep`, `waking`, `awake` or `failing`.
    pub state: String,
    /// How many processes there are.
    pub instances: InstanceCounts,
    /// Why the last start failed, until one succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The tools it offers, by their declared names.
    pub tools: Vec<ToolView>,
    /// Which events are routed to it.
    pub triggers: Vec<Trigger>,
    /// How many tasks may run at the same time.
    pub slots: usize,
    /// How many tasks may wait.
    pub queue_limit: usize,
    /// How many tasks wait.
    pub queued: usize,
    /// How many tasks run.
    pub running: usize,
}

/// How many processes a pool has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceCounts {
    /// Started and taking requests.
    pub ready: usize,
    /// Started, not yet answering.
    pub waking: usize,
    /// Taken out of rotation, finishing.
    pub stopping: usize,
}

/// A tool of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolView {
    /// Its declared name.
    pub name: String,
    /// What a person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

pub(super) async fn list(State(api): State<Api>) -> Json<PoolPage> {
    let registered = api.coordinator.registrations().borrow().clone();
    let depths = api.coordinator.broker().depths();
    let pools = registered
        .iter()
        .map(|registration| view(&api, registration, &depths))
        .collect();
    Json(PoolPage { pools })
}

pub(super) async fn show(
    State(api): State<Api>,
    Segment(pool): Segment,
) -> Result<Json<PoolView>, Problem> {
    let registered = api.coordinator.registrations().borrow().clone();
    let registration = registered
        .iter()
        .find(|registration| *registration.pool == *pool)
        .ok_or(Problem::UnknownPool(pool))?;
    let depths = api.coordinator.broker().depths();
    Ok(Json(view(&api, registration, &depths)))
}

type Depths = [(std::sync::Arc<str>, usize, usize)];

fn view(api: &Api, registration: &Registration, depths: &Depths) -> PoolView {
    let instances = api
        .coordinator
        .instances(&registration.pool)
        .unwrap_or_default();
    let (queued, running) = depths
        .iter()
        .find(|(pool, ..)| *pool == registration.pool)
        .map_or((0, 0), |(_, queued, running)| (*queued, *running));
    PoolView {
        name: registration.pool.to_string(),
        agent_type: registration.agent_type.clone(),
        revision: registration.revision.clone(),
        state: instances.state().to_owned(),
        instances: InstanceCounts {
            ready: instances.ready,
            waking: instances.waking,
            stopping: instances.stopping,
        },
        failure: instances.failure,
        tools: tools(registration),
        triggers: registration.triggers.clone(),
        slots: registration.slots,
        queue_limit: registration.queue_limit,
        queued,
        running,
    }
}

/// The tools of a manifest; it was checked when the pool was registered.
fn tools(registration: &Registration) -> Vec<ToolView> {
    let parsed = registration.manifest.parsed_tools().unwrap_or_default();
    parsed
        .into_iter()
        .map(|tool| ToolView {
            name: tool.name,
            title: tool.title,
        })
        .collect()
}
