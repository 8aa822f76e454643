//! What the coordinator is told of a pool: `PUT /pools/POOL`, the whole row.

use dormouse_contract::declaration::{Declaration, RunsOn, Terms};
use dormouse_contract::filter::Trigger;
use dormouse_pool::{Container, Pool};

use super::manifest::Known;
use super::secret::Secrets;

/// The most deliveries that a coordinator lets be on their way to one pool.
const MOST_CONNECTIONS: usize = 100_000;

/// The row of a pool as JSON; the same pool is the same text. `ceiling` is the most instances of a
/// pool that does not say it.
///
/// # Errors
/// When the manifest is no JSON.
pub fn row(
    pool: &Pool<Container>,
    endpoint: &str,
    known: &Known,
    secrets: &Secrets,
    ceiling: usize,
) -> serde_json::Result<String> {
    let connections = pool.scaling.ceiling(ceiling) * pool.scaling.concurrency;
    serde_json::to_string(&Declaration {
        pool_id: None,
        runs_on: RunsOn::Knative,
        endpoint: endpoint.to_owned(),
        health_endpoint: None,
        revision: Some(known.revision.clone()),
        manifest: Some(serde_json::from_str(&known.json)?),
        queue_limit: Some(pool.queue_limit),
        terms: Terms {
            agent_type: pool.agent_type.clone(),
            capabilities: None,
            triggers: routed(&pool.triggers),
            delivery: Some(pool.delivery.clone()),
            tools: Some(pool.tools.clone()),
            balance: Some(pool.balance),
            breaker: Some(pool.breaker),
            connections: Some(connections.clamp(1, MOST_CONNECTIONS)),
            delivery_secret: is_guarded(pool).then(|| secrets.delivery.clone()),
            pool_token: Some(secrets.token.clone()),
        },
    })
}

/// Whether all deliveries come from the coordinator, which knows the pool's secret: Knative's own
/// deliveries cannot carry it.
#[must_use]
pub fn is_guarded(pool: &Pool<Container>) -> bool {
    !pool.triggers.iter().any(|trigger| trigger.direct)
}

/// What the coordinator routes. A file that lists no triggers leaves them to the manifest; one
/// that lists only direct ones leaves it none.
fn routed(triggers: &[Trigger]) -> Option<Vec<Trigger>> {
    let routed = triggers.iter().filter(|trigger| !trigger.direct);
    (!triggers.is_empty()).then(|| routed.cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::pool;
    use super::*;

    fn told(file: &str) -> Value {
        let known = Known {
            revision: "educational-00001".to_owned(),
            json: r#"{"contract":1, "x":1.0}"#.to_owned(),
        };
        let secrets = Secrets {
            delivery: "d".to_owned(),
            token: "t".to_owned(),
        };
        let row = row(
            &pool(file),
            "http://educational.agents",
            &known,
            &secrets,
            10,
        )
        .unwrap();
        assert!(row.contains(&known.json), "{row}");
        serde_json::from_str(&row).unwrap()
    }

    #[test]
    fn all_that_there_is_to_know_is_told() {
        let row = told("\n  agentType: educational\n  scaling: {max: 3, concurrency: 5}");
        assert_eq!(row["runs_on"], "knative");
        assert_eq!(row["revision"], "educational-00001");
        assert_eq!(row["agent_type"], "educational");
        assert_eq!(row["connections"], 15);
        assert_eq!(row["queue_limit"], 1_000);
        assert_eq!(row["delivery_secret"], "d");
        assert_eq!(row["pool_token"], "t");
        assert_eq!(row.get("triggers"), None);
        assert_eq!(
            told("\n  scaling: {max: 900, concurrency: 900}")["connections"],
            100_000
        );
    }

    #[test]
    fn direct_triggers_are_not_the_coordinators() {
        let row = told("\n  triggers: [{direct: true}, {name: kept}]");
        assert_eq!(row["triggers"], json!([{"name": "kept", "filters": []}]));
        assert_eq!(row.get("delivery_secret"), None);
        assert_eq!(
            told("\n  triggers: [{direct: true}]")["triggers"],
            json!([])
        );
    }
}
