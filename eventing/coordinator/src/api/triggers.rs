//! `/triggers`: the rules that route events, by name, with the delivery that holds; and what they
//! would do with an event.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Json;
use dormouse_contract::Event;
use dormouse_contract::filter::{Filter, Mismatch, Ordering, Trigger};
use dormouse_contract::http_binding;
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::Registration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::{Content, Operation, Tag, get, post};
use super::payload::Payload;
use super::problem::{Kind, Problem};
use super::read::Asked;
use super::{Api, events, examples};
use crate::routes;

/// The answer of `GET /triggers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerPage {
    /// All triggers: pools in the order of registration, triggers in that of their pool.
    pub triggers: Vec<TriggerView>,
}

/// A trigger of a registered pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerView {
    /// The pool that its events go to.
    pub pool: String,
    /// What it is called within its pool: its name, or its place in the list, from 0.
    pub name: String,
    /// All must match; none at all matches every event.
    pub filters: Vec<Filter>,
    /// Which events wait for each other; absent: none do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<Ordering>,
    /// The policy that holds for its events: the trigger's, laid over the pool's.
    pub delivery: Delivery,
}

/// The answer of `POST /triggers/test`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerTest {
    /// The events, in their order.
    pub events: Vec<TestedEvent>,
}

/// What the triggers would do with an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestedEvent {
    /// The event's `id`.
    pub id: String,
    /// Its `source`.
    pub source: String,
    /// Its `type`.
    #[serde(rename = "type")]
    pub ty: String,
    /// How many triggers take it.
    pub takers: usize,
    /// What each trigger makes of it: those that take it first.
    pub triggers: Vec<TestedTrigger>,
}

/// What a trigger makes of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestedTrigger {
    /// The trigger's pool.
    pub pool: String,
    /// The trigger's name, or its place in the list, from 0.
    pub name: String,
    /// Whether it takes the event.
    pub matches: bool,
    /// The conditions that would have to come out otherwise: all of them, or under `any` one.
    /// Absent when it takes the event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<Mismatch>,
    /// The same in words, one text for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
}

/// The query of `GET /triggers`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TriggersQuery {
    /// Only of this pool.
    pool: Option<String>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/triggers", list)
            .named(
                Tag::Triggers,
                "listTriggers",
                "List the triggers",
                "Every trigger of every registered pool, with the delivery policy that holds for \
                 its events.",
            )
            .query::<TriggersQuery>()
            .answers(
                StatusCode::OK,
                "The triggers.",
                Content::json(TriggerPage {
                    triggers: vec![examples::trigger()],
                }),
            ),
        events::with_event(post("/triggers/test", test))
            .named(
                Tag::Triggers,
                "testTriggers",
                "Try an event on the triggers",
                "Says which triggers would take an event, and of the others why they would not. \
                 Nothing is stored and nothing is delivered.",
            )
            .answers(
                StatusCode::OK,
                "What each trigger makes of it.",
                Content::json(examples::trigger_test()),
            )
            .problems(&[Kind::InvalidEvent, Kind::UnsupportedFormat]),
    ]
}

/// The triggers of a pool, in its order.
pub(super) fn of_pool(registration: &Registration) -> Vec<TriggerView> {
    let view = |(place, trigger): (usize, &Trigger)| TriggerView {
        pool: registration.pool.to_string(),
        name: routes::name(place, trigger),
        filters: trigger.filters.clone(),
        ordering: trigger.ordering,
        delivery: routes::delivery(registration, trigger),
    };
    let triggers = registration.triggers();
    triggers.iter().enumerate().map(view).collect()
}

async fn list(State(api): State<Api>, Asked(query): Asked<TriggersQuery>) -> Json<TriggerPage> {
    let registered = api.coordinator.registrations().borrow().clone();
    let pools = registered
        .iter()
        .filter(|pool| query.pool.as_deref().is_none_or(|name| *name == *pool.pool));
    Json(TriggerPage {
        triggers: pools.flat_map(|pool| of_pool(pool)).collect(),
    })
}

async fn test(
    State(api): State<Api>,
    headers: HeaderMap,
    Payload(body): Payload,
) -> Result<Json<TriggerTest>, Problem> {
    let received = http_binding::read_many(&headers, body)?;
    let registered = api.coordinator.registrations().borrow().clone();
    let tested = received
        .events()
        .iter()
        .map(|event| tested(&registered, event));
    Ok(Json(TriggerTest {
        events: tested.collect(),
    }))
}

fn tested(pools: &[Arc<Registration>], event: &Event) -> TestedEvent {
    let mut triggers = Vec::new();
    for pool in pools {
        for (place, trigger) in pool.triggers().iter().enumerate() {
            let explanation = trigger.explain(event);
            let why = explanation.mismatches.iter().map(ToString::to_string);
            triggers.push(TestedTrigger {
                pool: pool.pool.to_string(),
                name: routes::name(place, trigger),
                matches: explanation.matches,
                why: why.collect(),
                mismatches: explanation.mismatches,
            });
        }
    }
    triggers.sort_by_key(|trigger| !trigger.matches);
    TestedEvent {
        id: event.id.clone(),
        source: event.source.clone(),
        ty: event.ty.clone(),
        takers: triggers.iter().filter(|trigger| trigger.matches).count(),
        triggers,
    }
}
