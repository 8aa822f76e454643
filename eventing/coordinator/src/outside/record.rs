//! What is remembered of a pool that was registered from outside, over restarts.

use std::collections::BTreeMap;

use dormouse_contract::Manifest;
use dormouse_contract::balance::Balance;
use dormouse_contract::breaker::BreakerSpec;
use dormouse_contract::declaration::{Declaration, RunsOn, Terms};
use dormouse_contract::filter::Trigger;
use dormouse_contract::policy::{Delivery, DeliverySpec};
use dormouse_contract::registration::{Instances, QUEUE_LIMIT, Registration};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::Row;
use crate::endpoints::client::Peer;

/// `50 connections a pool`, where the row does not say.
const CONNECTIONS: usize = 50;

/// All rows of a pool, laid over each other in the order of their arrival; or its declaration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    pub(super) endpoints: Vec<Address>,
    pub(super) runs_on: RunsOn,
    pub(super) capabilities: Vec<String>,
    pub(super) balance: Balance,
    pub(super) breaker: BreakerSpec,
    pub(super) delivery_secret: Option<String>,
    pub(super) pool_token: Option<String>,
    /// On Knative, which version is deployed.
    pub(super) revision: Option<String>,
    /// What the agent offered when it was last asked, or what was declared, to the letter.
    pub(super) manifest: Option<Box<RawValue>>,
    /// On Knative, how many pods there are, as somebody told last.
    pub(super) instances: Instances,
    agent_type: Option<String>,
    triggers: Option<Vec<Trigger>>,
    delivery: DeliverySpec,
    tools: BTreeMap<String, DeliverySpec>,
    connections: Option<usize>,
    queue_limit: Option<usize>,
}

/// One endpoint of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) endpoint: String,
    /// What is probed; nothing of what sleeps.
    pub(super) health_endpoint: Option<String>,
}

impl Record {
    /// This record with a row laid over it: its endpoint is added or replaced, what it leaves out
    /// stays.
    pub(super) fn with(mut self, row: Row) -> Self {
        let address = Address {
            health_endpoint: row.health_endpoint.or_else(|| Some(row.endpoint.clone())),
            endpoint: row.endpoint,
        };
        let mut known = self.endpoints.iter_mut();
        match known.find(|known| known.endpoint == address.endpoint) {
            Some(known) => *known = address,
            None => self.endpoints.push(address),
        }
        self.under(row.terms)
    }

    /// What a declaration says of a pool that was known like this. Only what nobody declares
    /// stays: what an agent answered that is always on, and the pods that were counted.
    pub(super) fn declared(self, declaration: Declaration) -> Self {
        let address = Address {
            endpoint: declaration.endpoint,
            health_endpoint: declaration.health_endpoint,
        };
        let learned = self.manifest.filter(|_| self.runs_on == RunsOn::AlwaysOn);
        let (manifest, instances) = match declaration.runs_on {
            RunsOn::AlwaysOn => (learned, Instances::default()),
            RunsOn::Knative => (declaration.manifest, self.instances),
        };
        let record = Self {
            endpoints: vec![address],
            runs_on: declaration.runs_on,
            revision: declaration.revision,
            manifest,
            instances,
            queue_limit: declaration.queue_limit,
            ..Self::default()
        };
        record.under(declaration.terms)
    }

    fn under(mut self, terms: Terms) -> Self {
        self.agent_type = terms.agent_type.or(self.agent_type);
        self.capabilities = terms.capabilities.unwrap_or(self.capabilities);
        self.triggers = terms.triggers.or(self.triggers);
        self.delivery = terms.delivery.unwrap_or(self.delivery);
        self.tools = terms.tools.unwrap_or(self.tools);
        self.balance = terms.balance.unwrap_or(self.balance);
        self.breaker = terms.breaker.unwrap_or(self.breaker);
        self.connections = terms.connections.or(self.connections);
        self.delivery_secret = terms.delivery_secret.or(self.delivery_secret);
        self.pool_token = terms.pool_token.or(self.pool_token);
        self
    }

    /// What its endpoints are.
    pub(super) fn peer(&self) -> Peer {
        match self.runs_on {
            RunsOn::AlwaysOn => Peer::Agent,
            RunsOn::Knative => Peer::Knative {
                is_marked: self.known().is_some_and(|manifest| manifest.marked),
            },
        }
    }

    /// Its manifest, if it is known.
    fn known(&self) -> Option<Manifest> {
        let json = self.manifest.as_deref()?;
        // It was checked before it was put here.
        Manifest::parse(json.get().as_bytes()).ok()
    }

    /// As it is remembered. Two that are remembered alike are the same.
    pub(super) fn to_json(&self) -> Vec<u8> {
        // A record consists of what was read from JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// As what the pool is registered. Before its manifest is known it offers nothing and has no
    /// slots: what waits for it waits on.
    pub(super) fn registration(&self, pool: &str) -> Registration {
        let read = self.known();
        let ready = read.is_some();
        let manifest = read.unwrap_or_else(|| Manifest::of_nothing(pool));
        let agent_type = self.agent_type.as_ref().unwrap_or(&manifest.agent_type);
        Registration {
            pool: pool.into(),
            agent_type: agent_type.clone(),
            revision: match (&self.revision, self.manifest.as_deref()) {
                (Some(revision), _) => revision.clone(),
                (None, Some(json)) => format!("{pool}-{}", digest(json.get())),
                (None, None) => "none".to_owned(),
            },
            delivery: Delivery::default().with(&self.delivery),
            tools: self.tools.clone(),
            triggers: self.triggers(),
            slots: match ready {
                true => self.connections.unwrap_or(CONNECTIONS),
                false => 0,
            },
            queue_limit: self.queue_limit.unwrap_or(QUEUE_LIMIT),
            manifest: manifest.into(),
        }
    }

    /// An agent that is always on was told which events it gets; elsewhere a function's own
    /// triggers count, as they do on a laptop.
    fn triggers(&self) -> Option<Vec<Trigger>> {
        match (&self.triggers, self.runs_on) {
            (Some(triggers), _) => Some(triggers.clone()),
            (None, RunsOn::AlwaysOn) => Some(Vec::new()),
            (None, RunsOn::Knative) => None,
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
            .map(|address| (&*address.endpoint, address.health_endpoint.as_deref()))
            .collect();
        assert_eq!(
            addresses,
            [
                ("http://a/", Some("http://a/up")),
                ("http://b/", Some("http://b/health/readiness"))
            ]
        );
        assert_eq!(record.balance, Balance::LeastConnections);
        assert!(record.capabilities.is_empty());
        let read: Record = serde_json::from_slice(&record.to_json()).unwrap();
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

    fn declared(before: Record, more: Value) -> Record {
        let mut declaration = json!({
            "runs_on": "knative",
            "endpoint": "http://p.default.svc.cluster.local",
            "revision": "p-00001",
            "manifest": {
                "contract": 1,
                "agentType": "educational",
                "triggers": [{"filters": [{"exact": {"type": "t"}}]}],
            },
        });
        let members = declaration.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let json = declaration.to_string();
        before.declared(crate::outside::declaration::read("p", json.as_bytes()).unwrap())
    }

    #[test]
    fn a_declaration_replaces_all_that_was_known() {
        let before = row(json!({
            "endpoint": "http://a",
            "agent_type": "database",
            "connections": 7,
            "delivery_secret": "hush",
        }));
        let mut before = Record::default().with(before);
        before.manifest = RawValue::from_string(r#"{"contract":1}"#.to_owned()).ok();
        let record = declared(before, json!({}));
        assert_eq!(record.endpoints.len(), 1);
        assert_eq!(record.delivery_secret, None);
        let registration = record.registration("p");
        assert_eq!(registration.agent_type, "educational");
        assert_eq!(registration.revision, "p-00001");
        assert_eq!(
            (registration.slots, registration.queue_limit),
            (CONNECTIONS, QUEUE_LIMIT)
        );
        let same = declared(record.clone(), json!({}));
        assert_eq!(same.to_json(), record.to_json());
    }

    #[test]
    fn its_own_triggers_count_where_none_are_declared() {
        for (more, count) in [
            (json!({}), 1),
            (json!({"triggers": []}), 0),
            (json!({"triggers": [{"filters": []}, {"filters": []}]}), 2),
        ] {
            let record = declared(Record::default(), more);
            assert_eq!(record.registration("p").triggers().len(), count);
        }
        let always = Record {
            runs_on: RunsOn::AlwaysOn,
            ..declared(Record::default(), json!({}))
        };
        assert!(always.registration("p").triggers().is_empty());
    }

    #[test]
    fn what_was_remembered_before_there_were_declarations_is_read() {
        let note = r#"{"endpoints":[{"endpoint":"http://a/","health_endpoint":"http://a/up"}],
            "capabilities":[],"balance":"round-robin","breaker":{},"delivery_secret":null,
            "pool_token":null,"manifest":{"contract":1},"agent_type":null,"triggers":[],
            "delivery":{},"tools":{},"connections":null}"#;
        let record: Record = serde_json::from_str(note).unwrap();
        assert_eq!(record.runs_on, RunsOn::AlwaysOn);
        assert_eq!(record.registration("p").slots, CONNECTIONS);
    }
}
