//! Triggers as people see them: by name, with the delivery that holds for their events.

use dormouse_contract::filter::{Filter, Ordering};
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::Registration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::routes;

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

/// The triggers of a pool, in its order.
pub(super) fn of_pool(registration: &Registration) -> impl Iterator<Item = TriggerView> + '_ {
    let triggers = registration.triggers.iter().enumerate();
    triggers.map(|(place, trigger)| TriggerView {
        pool: registration.pool.to_string(),
        name: routes::name(place, trigger),
        filters: trigger.filters.clone(),
        ordering: trigger.ordering,
        delivery: routes::delivery(registration, trigger),
    })
}
