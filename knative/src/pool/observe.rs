//! What Knative tells of a pool, in the operator's words.

use std::sync::Arc;

use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::Instances;
use dormouse_pool::{Container, Pool};

use super::knative::{Condition, Revision, Service, Trigger, condition};
use super::manifest::Known;
use crate::agent_pool::State;
use crate::conditions::Finding;

/// Whether the Knative Service is ready.
#[must_use]
pub fn service(service: Option<&Service>) -> Finding {
    let Some(service) = service else {
        return Finding::pends("Creating", "the Knative Service is not there yet");
    };
    let status = &service.status;
    let is_old = status.observed_generation != service.metadata.generation;
    ready(&status.conditions, is_old, "the Knative Service")
}

/// Whether the Knative Triggers are: `wanted` of them should be there.
#[must_use]
pub fn triggers(there: &[Arc<Trigger>], wanted: usize) -> Finding {
    for trigger in there {
        let status = &trigger.status;
        let is_old = status.observed_generation != trigger.metadata.generation;
        let name = trigger.metadata.name.as_deref().unwrap_or_default();
        let finding = ready(&status.conditions, is_old, &format!("Trigger {name}"));
        if finding.status != crate::conditions::Truth::True {
            return finding;
        }
    }
    match there.len() == wanted {
        true => Finding::holds("Ready", format!("{wanted} triggers")),
        false => Finding::pends("Creating", "the Knative Triggers are not all there yet"),
    }
}

fn ready(conditions: &[Condition], is_old: bool, what: &str) -> Finding {
    let Some(ready) = condition(conditions, "Ready").filter(|_| !is_old) else {
        return Finding::pends("Waiting", format!("{what} has not been looked at yet"));
    };
    let reason = match ready.reason.as_str() {
        "" => "NotReady",
        reason => reason,
    };
    match ready.status.as_str() {
        "True" => Finding::holds("Ready", ""),
        "False" => Finding::fails(reason, format!("{what}: {}", ready.message)),
        _ => Finding::pends(reason, format!("{what}: {}", ready.message)),
    }
}

/// How many pods the revisions of a pool have.
#[must_use]
pub fn instances(revisions: &[Arc<Revision>], service: Option<&Service>) -> Instances {
    let mut instances = Instances::default();
    for revision in revisions {
        let count = |replicas: Option<i32>| {
            usize::try_from(replicas.unwrap_or_default()).unwrap_or_default()
        };
        let actual = count(revision.status.actual_replicas);
        let desired = count(revision.status.desired_replicas);
        instances.ready += actual.min(desired);
        instances.waking += desired.saturating_sub(actual);
        instances.stopping += actual.saturating_sub(desired);
    }
    let newest = service.and_then(|it| it.status.latest_created_revision_name.as_deref());
    instances.failure = revisions
        .iter()
        .find(|revision| revision.metadata.name.as_deref() == newest)
        .and_then(|revision| condition(&revision.status.conditions, "Ready"))
        .filter(|ready| ready.status == "False")
        .map(|ready| format!("{}: {}", ready.reason, ready.message));
    instances
}

/// The state of a pool with these pods.
#[must_use]
pub fn state(instances: &Instances) -> State {
    match instances.state() {
        "failing" => State::Failing,
        "asleep" => State::Asleep,
        "waking" => State::Waking,
        _ => State::Awake,
    }
}

/// Which of the manifest's own policies this cluster does not honour: requests end after `timeout`
/// seconds, which the manifest had no say in.
#[must_use]
pub fn cut_tools(pool: &Pool<Container>, known: &Known, timeout: u64) -> Vec<String> {
    let Ok(manifest) = known.manifest() else {
        return Vec::new();
    };
    let base = Delivery::default().with(&pool.delivery);
    let tools = manifest.parsed_tools().unwrap_or_default();
    let cut = tools.iter().filter_map(|tool| {
        let wanted = tool.delivery(&base, pool.tools.get(&tool.name)).timeout;
        (wanted.as_secs() > timeout).then(|| {
            format!(
                "spec.tools.{}.timeout: the function's manifest says {} s, and requests end after \
                 {timeout} s; say it here",
                tool.name,
                wanted.as_secs()
            )
        })
    });
    cut.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::pool;
    use super::*;
    use crate::conditions::Truth;

    fn read<T: serde::de::DeserializeOwned>(object: serde_json::Value) -> T {
        serde_json::from_value(object).unwrap()
    }

    fn told(generation: i64, ready: &str) -> Service {
        read(json!({
            "metadata": {"name": "a", "generation": generation},
            "status": {
                "observedGeneration": 1,
                "latestCreatedRevisionName": "a-00002",
                "conditions": [
                    {"type": "Ready", "status": ready, "reason": "Why", "message": "so"},
                    {"type": "RoutesReady", "status": ready},
                ],
                "traffic": [{"revisionName": "a-00001", "percent": 100}],
                "address": {"url": "http://a.ns.svc.cluster.local"},
            },
        }))
    }

    #[test]
    fn a_service_is_what_it_says_of_its_newest_generation() {
        assert_eq!(service(None).status, Truth::Unknown);
        assert_eq!(service(Some(&told(1, "True"))).status, Truth::True);
        assert_eq!(service(Some(&told(2, "True"))).status, Truth::Unknown);
        let failed = service(Some(&told(1, "False")));
        assert_eq!(
            (failed.status, failed.reason.as_str()),
            (Truth::False, "Why")
        );
        assert_eq!(told(1, "True").routed(), Some("a-00001"));
        assert_eq!(told(1, "Unknown").routed(), None);
    }

    #[test]
    fn pods_are_counted_over_revisions() {
        let revision = |name: &str, actual: i32, desired: i32, ready: &str| {
            Arc::new(read::<Revision>(json!({
                "metadata": {"name": name},
                "spec": {"containers": []},
                "status": {"actualReplicas": actual, "desiredReplicas": desired,
                    "conditions": [{"type": "Ready", "status": ready}]},
            })))
        };
        let service = told(1, "True");
        let counted = instances(
            &[
                revision("a-00001", 3, 1, "True"),
                revision("a-00002", 0, 1, "True"),
            ],
            Some(&service),
        );
        assert_eq!((counted.ready, counted.waking, counted.stopping), (1, 1, 2));
        assert_eq!(state(&counted), State::Awake);
        assert_eq!(state(&instances(&[], Some(&service))), State::Asleep);
        let broken = instances(&[revision("a-00002", 0, 0, "False")], Some(&service));
        assert_eq!(state(&broken), State::Failing);
    }

    #[test]
    fn a_manifest_that_wants_more_time_than_there_is_is_named() {
        let known = Known {
            revision: "a-00001".to_owned(),
            json: json!({"contract": 1, "tools": [
                {"name": "slow", "inputSchema": {"type": "object"},
                 "_meta": {"dev.dormouse/policy": {"timeout": "400s"}}},
                {"name": "quick", "inputSchema": {"type": "object"}},
            ]})
            .to_string(),
        };
        let cut = cut_tools(&pool(""), &known, 300);
        assert_eq!(cut.len(), 1);
        assert!(cut[0].starts_with("spec.tools.slow.timeout: "), "{cut:?}");
        let said = pool("\n  tools: {slow: {timeout: 30s}}");
        assert!(cut_tools(&said, &known, 300).is_empty());
    }
}
