//! What is remembered of a pool that was registered from outside, over restarts.

use std::collections::BTreeMap;

use dormouse_contract::Manifest;
use dormouse_contract::balance::Balance;
use dormouse_contract::breaker::BreakerSpec;
use dormouse_contract::filter::Trigger;
use dormouse_contract::policy::{Delivery, DeliverySpec};
use dormouse_contract::registration::{QUEUE_LIMIT, Registration};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::Row;

/// `50 connections a pool`, where the row does not say.
const CONNECTIONS: usize = 50;

/// All rows of a pool, laid over each other in the order of their arrival.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    pub(super) endpoints: Vec<Address>,
    pub(super) capabilities: Vec<String>,
    pub(super) balance: Balance,
    pub(super) breaker: BreakerSpec,
    pub(super) delivery_secret: Option<String>,
    pub(super) pool_token: Option<String>,
    /// What the agent offered when it was last asked, to the letter.
    pub(super) manifest: Option<Box<RawValue>>,
    agent_type: Option<String>,
    triggers: Vec<Trigger>,
    delivery: DeliverySpec,
    tools: BTreeMap<String, DeliverySpec>,
    connections: Option<usize>,
}

/// One endpoint of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) endpoint: String,
    pub(super) health_endpoint: String,
}

impl Record {
    /// This record with a row laid over it: its endpoint is added or replaced, what it leaves out
    /// stays.
    pub(super) fn with(mut self, row: Row) -> Self {
        let address = Address {
            health_endpoint: row.health_endpoint.unwrap_or_else(|| row.endpoint.clone()),
            endpoint: row.endpoint,
        };
        let mut known = self.endpoints.iter_mut();
        match known.find(|known| known.endpoint == address.endpoint) {
            Some(known) => *known = address,
            None => self.endpoints.push(address),
        }
        self.agent_type = row.agent_type.or(self.agent_type);
        self.capabilities = row.capabilities.unwrap_or(self.capabilities);
        self.triggers = row.triggers.unwrap_or(self.triggers);
        self.delivery = row.delivery.unwrap_or(self.delivery);
        self.tools = row.tools.unwrap_or(self.tools);
        self.balance = row.balance.unwrap_or(self.balance);
        self.breaker = row.breaker.unwrap_or(self.breaker);
        self.connections = row.connections.or(self.connections);
        self.delivery_secret = row.delivery_secret.or(self.delivery_secret);
        self.pool_token = row.pool_token.or(self.pool_token);
        self
    }

    /// As what the pool is registered. Before its manifest is known it offers nothing and has no
    /// slots: what waits for it waits on.
    pub(super) fn registration(&self, pool: &str) -> Registration {
        let known = self.manifest.as_deref();
        // It was checked before it was put here.
        let read = known.and_then(|json| Manifest::parse(json.get().as_bytes()).ok());
        let ready = read.is_some();
        let manifest = read.unwrap_or_else(|| Manifest::of_nothing(pool));
        let agent_type = self.agent_type.as_ref().unwrap_or(&manifest.agent_type);
        Registration {
            pool: pool.into(),
            agent_type: agent_type.clone(),
            revision: match known {
                Some(json) => format!("{pool}-{}", digest(json.get())),
                None => "none".to_owned(),
            },
            delivery: Delivery::default().with(&self.delivery),
            tools: self.tools.clone(),
            triggers: self.triggers.clone(),
            slots: match ready {
                true => self.connections.unwrap_or(CONNECTIONS),
                false => 0,
            },
            queue_limit: QUEUE_LIMIT,
            manifest: manifest.into(),
        }
    }
}

/// Another manifest is another revision.
fn digest(manifest: &str) -> String {
    let digest = Sha256::digest(manifest);
    let bytes = digest.iter().take(5);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(mut members: Value) -> Row {
        members["pool_id"] = json!("p");
        Row::parse(members.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn rows_add_endpoints_and_leave_the_rest_as_it_was() {
        let first = row(json!({
            "endpoint": "http://a",
            "agent_type": "database",
            "capabilities": ["backup"],
            "balance": "least-connections",
            "delivery_secret": "hush",
        }));
        let record = Record::default().with(first);
        let record = record.with(row(json!({"endpoint": "http://b", "capabilities": []})));
        let again = json!({"endpoint": "http://a", "health_endpoint": "/up"});
        let record = record.with(row(again));
        let addresses: Vec<_> = record
            .endpoints
            .iter()
            .map(|address| (&*address.endpoint, &*address.health_endpoint))
            .collect();
        assert_eq!(
            addresses,
            [
                ("http://a/", "http://a/up"),
                ("http://b/", "http://b/health/readiness")
            ]
        );
        assert_eq!(record.balance, Balance::LeastConnections);
        assert!(record.capabilities.is_empty());
        let read: Record = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(read.delivery_secret.as_deref(), Some("hush"));
        assert_eq!(read.registration("p").agent_type, "database");
    }

    #[test]
    fn nothing_runs_before_the_manifest_is_known() {
        let mut record = Record::default();
        let registration = record.registration("p");
        assert_eq!((registration.slots, &*registration.revision), (0, "none"));
        record.manifest = RawValue::from_string(r#"{"contract":1}"#.to_owned()).ok();
        let registration = record.registration("p");
        assert_eq!(registration.slots, CONNECTIONS);
        assert!(registration.revision.starts_with("p-"));
    }
}
