//! Pools that run elsewhere: always-on agents that were registered by their address, and Knative
//! Services.
//!
//! A [`Row`] names a pool and one of its endpoints; further rows of the same pool add endpoints.
//! What a pool offers is read from `GET {endpoint}/capabilities`, as every function of the
//! contract serves it. A pool whose manifest was never read offers nothing, whatever its row
//! declares: without a schema there is no tool to call, and without the contract nobody who
//! understands a delivery. It is shown as failing, with the reason, and asked again at each
//! discovery. Once read, the manifest is remembered, so that the tools of an agent that is away
//! stay offered and its calls wait for it by their delivery policy.
//!
//! A pool on Knative is declared whole instead, manifest and all, by whoever deploys it
//! ([`declaration`]): it is neither probed nor asked, and how many of its pods there are is told.
//!
//! What sleeps, here or there, is never woken by a question of health.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dormouse_contract::balance::Balance;
use dormouse_contract::declaration::RunsOn;
use dormouse_contract::registration::Instances;
use reqwest::Url;
use tokio::sync::{Notify, watch};

use crate::Settings;
use crate::endpoints::client::{NoClient, Outside};
use crate::endpoints::health::Health;
use crate::endpoints::{Endpoint, EndpointState, EndpointView, Endpoints};
use crate::registry::PoolService;
use probes::Probes;
use record::{Address, Record};

pub(crate) mod declaration;
mod discovery;
mod joining;
mod members;
mod pods;
mod probes;
mod record;
mod row;
#[cfg(test)]
mod tests;

pub use joining::OutsideError;
pub(crate) use members::pool_name;
pub use row::{Row, WrongField};

/// The pools that were registered from outside; locked while one is changed.
pub(crate) type OutsidePools = tokio::sync::Mutex<BTreeMap<Arc<str>, Arc<OutsidePool>>>;

/// A pool that was registered from outside.
pub(crate) struct OutsidePool {
    name: Arc<str>,
    endpoints: Endpoints,
    instances: watch::Sender<Instances>,
    /// Woken when the manifest should be read again.
    look: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    record: Record,
    agents: Vec<Agent>,
    /// Why the manifest could not be read, while it is not known.
    unread: Option<String>,
    discovery: Option<Ends>,
}

/// One endpoint and who looks after it.
struct Agent {
    address: Address,
    client: Outside,
    endpoint: Arc<Endpoint>,
    /// Of what sleeps there are none.
    _probes: Option<Ends>,
}

/// A task that ends when this is dropped.
struct Ends(tokio::task::AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl OutsidePool {
    fn new(name: &Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            name: Arc::clone(name),
            endpoints: Endpoints::new(name, Balance::default(), Vec::new()),
            instances: watch::Sender::default(),
            look: Notify::new(),
            state: Mutex::default(),
        })
    }

    /// Nobody looks after its endpoints any more.
    fn end(&self) {
        let mut state = self.state();
        state.agents.clear();
        state.discovery = None;
    }

    /// Its endpoints, for people.
    pub(crate) fn endpoints(&self) -> Vec<EndpointView> {
        self.state().agents.iter().map(Agent::view).collect()
    }

    /// What its rows say that it can do.
    pub(crate) fn declared(&self) -> Vec<String> {
        self.state().record.capabilities.clone()
    }

    /// Whether it may have no instance that is awake.
    pub(crate) fn may_sleep(&self) -> bool {
        self.runs_on() == RunsOn::Knative
    }

    fn runs_on(&self) -> RunsOn {
        self.state().record.runs_on
    }

    fn record(&self) -> Record {
        self.state().record.clone()
    }

    /// Brings the endpoints in line with a record. Those that stay keep their connections and
    /// breakers.
    fn adopt(self: &Arc<Self>, record: Record, settings: &Settings) -> Result<(), NoClient> {
        let mut state = self.state();
        let same_kind = state.record.breaker == record.breaker
            && state.record.peer() == record.peer()
            && state.record.revision == record.revision;
        let stays = |agent: &Agent, address: &Address| same_kind && agent.address == *address;
        let mut fresh = Vec::new();
        for address in &record.endpoints {
            if !state.agents.iter().any(|agent| stays(agent, address)) {
                fresh.push(Agent::new(self, address, &record, settings)?);
            }
        }
        state.agents.retain(|agent| {
            let mut addresses = record.endpoints.iter();
            addresses.any(|address| stays(agent, address))
        });
        state.agents.append(&mut fresh);
        let place = |agent: &Agent| {
            let mut addresses = record.endpoints.iter();
            addresses.position(|address| *address == agent.address)
        };
        state.agents.sort_by_key(place);
        let endpoints = state.agents.iter().map(|agent| Arc::clone(&agent.endpoint));
        self.endpoints.replace(record.balance, endpoints.collect());
        match record.runs_on {
            RunsOn::AlwaysOn => {}
            RunsOn::Knative => {
                state.unread = None;
                state.discovery = None;
            }
        }
        state.record = record;
        drop(state);
        self.publish();
        Ok(())
    }

    /// Tells how many endpoints or pods take calls, and what is wrong if anything is.
    fn publish(&self) {
        let state = self.state();
        let runs_on = state.record.runs_on;
        let now = match runs_on {
            RunsOn::AlwaysOn => state.answering(),
            RunsOn::Knative => state.record.instances.clone(),
        };
        drop(state);
        if runs_on == RunsOn::Knative {
            pods::measure(&self.name, &now);
        }
        self.instances.send_if_modified(|seen| {
            let changed = *seen != now;
            *seen = now;
            changed
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many endpoints of what is always on take calls.
    fn answering(&self) -> Instances {
        if let Some(why) = &self.unread {
            return Instances {
                failure: Some(why.clone()),
                ..Instances::default()
            };
        }
        let mut failures = Vec::new();
        let mut ready = 0;
        for agent in &self.agents {
            match &*agent.endpoint.health.borrow() {
                Health::Failing { why, .. } => failures.push(why.clone()),
                Health::Unknown | Health::Well { .. } => ready += 1,
            }
        }
        Instances {
            ready,
            failure: (ready == 0).then(|| failures.join("; ")),
            ..Instances::default()
        }
    }
}

impl Agent {
    fn new(
        pool: &Arc<OutsidePool>,
        address: &Address,
        record: &Record,
        settings: &Settings,
    ) -> Result<Self, NoClient> {
        let url = |text: &str| Url::parse(text).map_err(|error| NoClient(error.to_string()));
        let client = Outside::new(url(&address.endpoint)?, record.peer())?;
        let health = address.health_endpoint.as_deref().map(url).transpose()?;
        let endpoint = Arc::new(Endpoint::new(
            &pool.name,
            &address.endpoint.as_str().into(),
            PoolService::new(client.clone()),
            settings.breaker.with(&record.breaker),
        ));
        let probes = health.map(|health| Probes {
            pool: Arc::clone(pool),
            endpoint: Arc::clone(&endpoint),
            client: client.clone(),
            health,
            settings: settings.clone(),
        });
        Ok(Self {
            address: address.clone(),
            client,
            endpoint,
            _probes: probes.map(|probes| Ends(tokio::spawn(probes.run()).abort_handle())),
        })
    }

    fn view(&self) -> EndpointView {
        let (state, at, error) = match &*self.endpoint.health.borrow() {
            Health::Unknown if self.address.health_endpoint.is_none() => {
                (EndpointState::Unprobed, None, None)
            }
            Health::Unknown => (EndpointState::Unknown, None, None),
            Health::Well { at } => (EndpointState::Well, Some(*at), None),
            Health::Failing { at, why, .. } => {
                (EndpointState::Failing, Some(*at), Some(why.clone()))
            }
        };
        EndpointView {
            endpoint: self.address.endpoint.clone(),
            health_endpoint: self.address.health_endpoint.clone(),
            state,
            probed_at: at.map(|at| at.to_string()),
            error,
            in_flight: self.endpoint.in_flight(),
            breaker: self.endpoint.gate().view(),
        }
    }
}
