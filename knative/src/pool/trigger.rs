//! The Knative Triggers of a pool, where its platform takes events from a Broker.
//!
//! A trigger leads to the platform's coordinator, which matches it again and makes a task of the
//! event: so history, order, slots and dead letters are those of every other event. One that says
//! `direct: true` leads to the function itself, and Knative delivers, in its own way.

use std::time::Duration;

use dormouse_contract::filter::Trigger;
use dormouse_contract::policy::{BackoffPolicy, DeadLetterSink, Delivery, DeliverySpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::controller::names;

/// A Broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Where it lives; its triggers have to live there too.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A pool whose triggers are made.
#[derive(Debug, Clone, Copy)]
pub struct Subscriber<'a> {
    /// Its name.
    pub pool: &'a str,
    /// Where it lives.
    pub namespace: &'a str,
    /// The AgentPool that the triggers belong to.
    pub owner: &'a OwnerReference,
    /// The pool's delivery policy.
    pub delivery: &'a DeliverySpec,
    /// Where the coordinator answers.
    pub coordinator: &'a str,
    /// The token by which Brokers send it events: a Trigger can be told an address and no header.
    pub token: &'a str,
}

/// The Trigger on a Broker for one trigger of a pool, as it is applied.
#[must_use]
pub fn trigger(subscriber: &Subscriber<'_>, broker: &Broker, trigger: &Trigger) -> Value {
    let namespace = broker.namespace.as_str();
    let (destination, delivery) = match trigger.direct {
        true => (direct(subscriber), direct_delivery(subscriber, trigger)),
        false => (
            json!({"uri": format!(
                "{}/brokers/{}/events",
                subscriber.coordinator, subscriber.token
            )}),
            // Enough to outlive a restart of the platform: 17 minutes.
            json!({"retry": 10, "backoffPolicy": "exponential", "backoffDelay": "PT1S"}),
        ),
    };
    let mut object = json!({
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Trigger",
        "metadata": {
            "name": name(subscriber, broker, trigger),
            "namespace": namespace,
            "labels": names::pool_labels(subscriber.namespace, subscriber.pool),
        },
        "spec": {
            "broker": broker.name,
            "subscriber": destination,
            "delivery": delivery,
        },
    });
    if !trigger.filters.is_empty() {
        object["spec"]["filters"] = json!(trigger.filters);
    }
    // An owner in another namespace would have it collected at once.
    if namespace == subscriber.namespace {
        object["metadata"]["ownerReferences"] = json!([subscriber.owner]);
    }
    object
}

/// What of the triggers is not honoured because Knative delivers.
#[must_use]
pub fn not_honoured(triggers: &[Trigger]) -> Vec<String> {
    let direct = triggers.iter().enumerate();
    let direct = direct.filter(|(_, trigger)| trigger.direct);
    let mut words: Vec<_> = direct
        .flat_map(|(index, trigger)| lost(index, trigger))
        .collect();
    if !words.is_empty() {
        words.push(
            "the pool's delivery secret: Knative cannot send it, so the function takes events from \
             everybody in the cluster"
                .to_owned(),
        );
    }
    words
}

fn lost(index: usize, trigger: &Trigger) -> Vec<String> {
    let delivery = trigger.delivery.clone().unwrap_or_default();
    let mut words = vec![format!(
        "spec.triggers[{index}].direct: these events have no history, wait for no slot and leave no \
         dead letters here"
    )];
    let mut name = |there: bool, field: &str| {
        if there {
            words.push(format!(
                "spec.triggers[{index}].{field}: Knative has nothing like it"
            ));
        }
    };
    name(trigger.ordering.is_some(), "ordering");
    name(delivery.queue_expiry.is_some(), "delivery.queueExpiry");
    name(delivery.total_budget.is_some(), "delivery.totalBudget");
    name(
        delivery.suspension_expiry.is_some(),
        "delivery.suspensionExpiry",
    );
    name(delivery.retry_after_max.is_some(), "delivery.retryAfterMax");
    words
}

fn direct(subscriber: &Subscriber<'_>) -> Value {
    json!({"ref": {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "name": subscriber.pool,
        "namespace": subscriber.namespace,
    }})
}

fn direct_delivery(subscriber: &Subscriber<'_>, trigger: &Trigger) -> Value {
    let own = trigger.delivery.clone().unwrap_or_default();
    let delivery = Delivery::default().with(subscriber.delivery).with(&own);
    let mut written = json!({
        "retry": delivery.retries,
        "backoffPolicy": match delivery.backoff_policy {
            BackoffPolicy::Linear => "linear",
            BackoffPolicy::Exponential => "exponential",
        },
        "backoffDelay": iso(delivery.backoff_delay),
        "timeout": iso(delivery.timeout),
    });
    match &delivery.dead_letter_sink {
        None => {}
        Some(DeadLetterSink::Uri(uri)) => written["deadLetterSink"] = json!({"uri": uri}),
        Some(DeadLetterSink::Ref(pool)) => {
            written["deadLetterSink"] = direct(&Subscriber {
                pool: &pool.name,
                ..*subscriber
            });
        }
    }
    written
}

/// A duration as Knative reads it (ISO 8601): `PT1.5S`.
fn iso(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("PT{}S", time.as_secs()),
        millis => format!("PT{}.{millis:03}S", time.as_secs()),
    }
}

/// The broker of a Trigger cannot be changed, so it is a part of the name, as is what makes the
/// trigger another one.
fn name(subscriber: &Subscriber<'_>, broker: &Broker, trigger: &Trigger) -> String {
    let identity = json!([
        subscriber.namespace,
        broker.namespace,
        broker.name,
        trigger.direct,
        (!trigger.direct).then_some(subscriber.coordinator),
        trigger.filters,
    ]);
    let hash = Sha256::digest(identity.to_string().as_bytes());
    let hash: String = hash[..5].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{hash}", subscriber.pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(written: &str) -> Value {
        let owner = OwnerReference::default();
        let delivery = DeliverySpec::default();
        let subscriber = Subscriber {
            pool: "orders",
            namespace: "agents",
            owner: &owner,
            delivery: &delivery,
            coordinator: "http://platform.agents.svc.cluster.local:8888",
            token: "c0ffee",
        };
        let broker = Broker {
            namespace: "agents".to_owned(),
            name: "default".to_owned(),
        };
        trigger(
            &subscriber,
            &broker,
            &serde_json::from_str(written).unwrap(),
        )
    }

    #[test]
    fn a_trigger_leads_to_the_coordinator() {
        let made = made(r#"{"filters": [{"exact": {"type": "com.example.order"}}]}"#);
        let spec = &made["spec"];
        assert_eq!(spec["broker"], "default");
        assert_eq!(
            spec["subscriber"]["uri"],
            "http://platform.agents.svc.cluster.local:8888/brokers/c0ffee/events"
        );
        assert_eq!(spec["filters"][0]["exact"]["type"], "com.example.order");
        assert_eq!(spec["delivery"]["retry"], 10);
        assert_eq!(
            made["metadata"]["ownerReferences"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }

    #[test]
    fn a_direct_one_leads_to_the_function_with_its_delivery() {
        let made = made(
            r#"{"direct": true, "delivery": {"retry": 2, "backoffDelay": "1500ms",
                "backoffPolicy": "linear", "timeout": "20s",
                "deadLetterSink": {"ref": {"kind": "AgentPool", "name": "grave"}}}}"#,
        );
        let spec = &made["spec"];
        assert_eq!(spec["subscriber"]["ref"]["name"], "orders");
        assert_eq!(spec["filters"], Value::Null);
        let expected = json!({
            "retry": 2, "backoffPolicy": "linear", "backoffDelay": "PT1.500S", "timeout": "PT20S",
            "deadLetterSink": {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service",
                "name": "grave", "namespace": "agents"}},
        });
        assert_eq!(spec["delivery"], expected);
    }

    #[test]
    fn what_makes_it_another_makes_another_name() {
        let name = |written: &str| made(written)["metadata"]["name"].clone();
        let one = r#"{"filters": [{"exact": {"type": "a"}}]}"#;
        assert_eq!(name(one), name(one));
        assert_ne!(
            name(one),
            name(r#"{"filters": [{"exact": {"type": "b"}}]}"#)
        );
        let direct = r#"{"direct": true, "filters": [{"exact": {"type": "a"}}]}"#;
        assert_ne!(name(one), name(direct));
    }

    #[test]
    fn what_a_direct_one_loses_is_named() {
        let triggers: Vec<Trigger> = serde_json::from_str(
            r#"[{}, {"direct": true, "ordering": "subject", "delivery": {"queueExpiry": "1m"}}]"#,
        )
        .unwrap();
        assert!(not_honoured(&triggers[..1]).is_empty());
        let lost = not_honoured(&triggers).join("\n");
        for named in [
            "spec.triggers[1].direct: ",
            "spec.triggers[1].ordering: ",
            "spec.triggers[1].delivery.queueExpiry: ",
            "delivery secret",
        ] {
            assert!(lost.contains(named), "{lost}");
        }
    }
}
