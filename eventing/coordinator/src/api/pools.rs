//! `/pools`: what is registered, what it offers and how it is.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use dormouse_contract::Manifest;
use dormouse_contract::balance::Balance;
use dormouse_contract::registration::Registration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Api;
use super::examples;
use super::operation::{Content, Operation, Tag, get};
use super::problem::{Kind, Problem};
use super::segment::Segment;
use super::triggers::{TriggerView, of_pool};
use crate::{BreakerView, EndpointView};

/// The answer of `GET /pools`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PoolPage {
    /// All registered pools, in the order of registration.
    pub pools: Vec<PoolView>,
}

/// A pool as people see it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
    /// Why the last start failed, until one succeeds; of a pool that was registered from outside,
    /// why it takes no calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Which of its endpoints or instances takes a call.
    #[serde(default)]
    pub balance: Balance,
    /// Whether deliveries go through; with several endpoints, as at the best of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerView>,
    /// The endpoints of a pool that was registered from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointView>,
    /// What the rows of such a pool say that it can do. Offered is what its manifest describes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<String>,
    /// The tools it offers, by their declared names.
    pub tools: Vec<ToolView>,
    /// The prompts it offers, by their declared names.
    #[serde(default)]
    pub prompts: Vec<ToolView>,
    /// The resources it offers.
    #[serde(default)]
    pub resources: Vec<ResourceView>,
    /// The resource templates it offers.
    #[serde(default)]
    pub resource_templates: Vec<TemplateView>,
    /// Which events are routed to it.
    pub triggers: Vec<TriggerView>,
    /// Whether nothing of it is handed out: it is drained, by itself or with the platform.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drained: bool,
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceCounts {
    /// Started and taking requests.
    pub ready: usize,
    /// Started, not yet answering.
    pub waking: usize,
    /// Taken out of rotation, finishing.
    pub stopping: usize,
}

/// A tool or a prompt of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolView {
    /// Its declared name.
    pub name: String,
    /// What a person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A resource of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceView {
    /// Its URI.
    pub uri: String,
    /// What a program calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What a person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A resource template of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateView {
    /// A URI template (RFC 6570).
    pub uri_template: String,
    /// What a program calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What a person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/pools", list)
            .named(
                Tag::Pools,
                "listPools",
                "List the pools",
                "Every registered pool, in the order of registration.",
            )
            .answers(
                StatusCode::OK,
                "The pools.",
                Content::json(examples::pool_page()),
            ),
        get("/pools/{pool}", show)
            .named(
                Tag::Pools,
                "getPool",
                "Show a pool",
                "What one pool offers and how it is. Looking at a pool never wakes it.",
            )
            .answers(StatusCode::OK, "The pool.", Content::json(examples::pool()))
            .problems(&[Kind::UnknownPool]),
        get("/pools/{pool}/manifest", manifest)
            .named(
                Tag::Pools,
                "getManifest",
                "Show a pool's manifest",
                "What the function says of itself, its MCP objects to the letter. It is the \
                 manifest that was read when the revision was registered, or that the function \
                 has announced since; the function is not asked, so it is not woken.",
            )
            .answers(
                StatusCode::OK,
                "The manifest.",
                Content::json(examples::manifest()),
            )
            .problems(&[Kind::UnknownPool]),
    ]
}

async fn list(State(api): State<Api>) -> Json<PoolPage> {
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
    let registration = find(&api, pool)?;
    let depths = api.coordinator.broker().depths();
    Ok(Json(view(&api, &registration, &depths)))
}

async fn manifest(State(api): State<Api>, Segment(pool): Segment) -> Result<Response, Problem> {
    let registration = find(&api, pool)?;
    // A manifest holds JSON that has been read before: writing it down does not fail.
    let body = serde_json::to_vec(&*registration.manifest).unwrap_or_default();
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

pub(super) fn find(api: &Api, pool: String) -> Result<std::sync::Arc<Registration>, Problem> {
    let registered = api.coordinator.registrations();
    let registered = registered.borrow();
    let found = registered.iter().find(|it| *it.pool == *pool).cloned();
    found.ok_or(Problem::UnknownPool(pool))
}

type Depths = [(std::sync::Arc<str>, usize, usize)];

fn view(api: &Api, registration: &Registration, depths: &Depths) -> PoolView {
    let pool = &*registration.pool;
    let instances = api.coordinator.instances(pool).unwrap_or_default();
    let (queued, running) = depths
        .iter()
        .find(|(pool, ..)| *pool == registration.pool)
        .map_or((0, 0), |(_, queued, running)| (*queued, *running));
    let Manifest {
        tools,
        prompts,
        resources,
        resource_templates,
        ..
    } = &*registration.manifest;
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
        balance: api.coordinator.balance(pool).unwrap_or_default(),
        breaker: api.coordinator.breaker(pool),
        endpoints: api.coordinator.endpoints(pool).unwrap_or_default(),
        declared: api.coordinator.declared(pool).unwrap_or_default(),
        tools: views(tools),
        prompts: views(prompts),
        resources: views(resources),
        resource_templates: views(resource_templates),
        triggers: of_pool(registration),
        drained: api.coordinator.is_pool_drained(&registration.pool),
        slots: registration.slots,
        queue_limit: registration.queue_limit,
        queued,
        running,
    }
}

/// The members that people see of each object; one that lacks them is left out, as the gateway
/// leaves it out of its catalogue.
fn views<T: for<'a> Deserialize<'a>>(objects: &[Box<RawValue>]) -> Vec<T> {
    objects
        .iter()
        .filter_map(|object| serde_json::from_str(object.get()).ok())
        .collect()
}
