//! Which triggers take an event, and with what policy its tasks run.

use std::sync::Arc;
use std::time::Duration;

use dormouse_broker::Route;
use dormouse_contract::Event;
use dormouse_contract::filter::{Ordering, Trigger};
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::Registration;
use dormouse_contract::trigger_index::TriggerIndex;

/// How long an event waits for its pool when its trigger does not say: nobody waits for the answer,
/// so longer than calls do.
pub(crate) const QUEUE_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The triggers of all registered pools; made anew when one changes.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    index: TriggerIndex,
    /// One for each trigger of the index, in its order.
    routes: Vec<Route>,
}

impl Routes {
    pub(crate) fn new(pools: &[Arc<Registration>]) -> Self {
        let (mut triggers, mut routes) = (Vec::new(), Vec::new());
        for pool in pools {
            for (place, trigger) in pool.triggers().iter().enumerate() {
                routes.push(route(pool, place, trigger));
                triggers.push(trigger.clone());
            }
        }
        Self {
            index: TriggerIndex::new(triggers),
            routes,
        }
    }

    /// A route for each trigger that takes the event, in the order of registration.
    pub(crate) fn of(&self, event: &Event) -> Vec<Route> {
        let taking = self.index.matching(event).into_iter();
        taking
            .filter_map(|place| self.routes.get(place).cloned())
            .collect()
    }
}

fn route(pool: &Registration, place: usize, trigger: &Trigger) -> Route {
    Route {
        pool: Arc::clone(&pool.pool),
        capability: None,
        trigger: name(place, trigger).into(),
        ordered: match trigger.ordering {
            Some(Ordering::Subject) => true,
            None => false,
        },
        delivery: Arc::new(delivery(pool, trigger)),
    }
}

/// What a trigger is called in its pool.
pub(crate) fn name(place: usize, trigger: &Trigger) -> String {
    trigger.name.clone().unwrap_or_else(|| place.to_string())
}

/// The policy of a trigger's tasks: the pool's, under the trigger's own.
pub(crate) fn delivery(pool: &Registration, trigger: &Trigger) -> Delivery {
    let base = Delivery {
        // Whoever reacts to events copes with seeing one twice: delivery is at least once.
        repeatable: true,
        queue_expiry: QUEUE_EXPIRY,
        ..pool.delivery.clone()
    };
    match &trigger.delivery {
        Some(spec) => base.with(spec),
        None => base,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use dormouse_contract::Manifest;

    use super::*;

    pub(crate) fn pool(name: &str, triggers: &[&str]) -> Arc<Registration> {
        Arc::new(Registration {
            pool: name.into(),
            agent_type: String::new(),
            revision: "1".into(),
            manifest: Arc::new(Manifest::parse(br#"{"contract":1}"#).unwrap()),
            delivery: Delivery::default(),
            tools: std::collections::BTreeMap::new(),
            triggers: Some(
                triggers
                    .iter()
                    .map(|json| serde_json::from_str::<Trigger>(json).unwrap())
                    .collect(),
            ),
            slots: 1,
            queue_limit: 1,
        })
    }

    const PUSH: &str = r#"{"filters":[{"exact":{"type":"com.github.push"}}]}"#;
    const ANY: &str = r#"{"name":"any","filters":[],"ordering":"subject",
        "delivery":{"timeout":"9s","retry":1}}"#;
    const OTHER: &str = r#"{"filters":[{"exact":{"type":"other"}}]}"#;

    #[test]
    fn each_matching_trigger_is_a_route_with_its_own_policy() {
        let pools = [
            pool("both", &[PUSH, ANY]),
            pool("none", &[OTHER]),
            pool("silent", &[]),
        ];
        let routes = Routes::new(&pools).of(&Event::new("1", "/repo", "com.github.push"));
        let seen: Vec<_> = routes
            .iter()
            .map(|route| (&*route.pool, &*route.trigger, route.ordered))
            .collect();
        assert_eq!(seen, [("both", "0", false), ("both", "any", true)]);
        assert!(routes.iter().all(|route| route.delivery.repeatable));
        assert_eq!(routes[0].delivery.timeout.as_secs(), 300);
        assert_eq!(routes[1].delivery.timeout.as_secs(), 9);
        assert_eq!(routes[1].delivery.retries, 1);
        assert_eq!(routes[0].delivery.queue_expiry, QUEUE_EXPIRY);
    }
}
