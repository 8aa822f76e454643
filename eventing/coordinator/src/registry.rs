//! Which pools there are, and by what service each is reached.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::drains::Drains;
use crate::routes::Routes;
use crate::sources::Sources;
use bytes::Bytes;
use dormouse_broker::{Broker, Error};
use dormouse_contract::announcement::Announcement;
use dormouse_contract::balance::Balance;
use dormouse_contract::breaker::BreakerPolicy;
use dormouse_contract::registration::{CallError, Instances, Registration, Registrations};
use dormouse_contract::{Event, Manifest};
use subtle::ConstantTimeEq as _;
use tokio::sync::{broadcast, watch};
use tower::util::BoxCloneSyncService;

use crate::breaker::{BreakerState, BreakerView};
use crate::dispatch::PoolMetrics;
use crate::endpoints::{EndpointView, Endpoints, Local};
use crate::onward::{self, BrokerUrl};
use crate::outside::{OutsidePool, OutsidePools};

/// How a pool is reached: a delivery goes in, the function's answer comes out.
pub type PoolService = BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, CallError>;

/// So many announcements wait for a listener that is slow; then it misses the oldest.
const ANNOUNCEMENTS: usize = 1_024;

/// The secrets of one pool.
#[derive(Clone)]
pub struct PoolSecrets {
    /// What deliveries carry, so that the function believes them.
    pub delivery: Arc<str>,
    /// What events of the function outside a task carry, so that the ingress believes them.
    pub events: Arc<str>,
}

#[derive(Clone)]
pub(crate) struct Pool {
    pub(crate) endpoints: Endpoints,
    pub(crate) secrets: PoolSecrets,
    pub(crate) metrics: PoolMetrics,
    pub(crate) instances: watch::Receiver<Instances>,
    /// Set for a pool that was registered from outside.
    pub(crate) outside: Option<Arc<OutsidePool>>,
}

impl Pool {
    pub(crate) fn new(
        name: &str,
        endpoints: Endpoints,
        secrets: PoolSecrets,
        instances: watch::Receiver<Instances>,
        outside: Option<Arc<OutsidePool>>,
    ) -> Self {
        Self {
            endpoints,
            secrets,
            metrics: PoolMetrics::new(name),
            instances,
            outside,
        }
    }
}

/// How endpoints are looked after, and where events go besides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often an endpoint is probed that was registered from outside. Default 60 s.
    pub probe_every: Duration,
    /// How often such a pool is asked what it offers. Default 30 s.
    pub discover_every: Duration,
    /// How long a probe or a question of what is offered may take. Default 5 s.
    pub patience: Duration,
    /// When an endpoint is left alone, unless the pool says otherwise.
    pub breaker: BreakerPolicy,
    /// The Broker to which events go on that functions send or reply with. Default: none.
    pub broker: Option<BrokerUrl>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            probe_every: Duration::from_secs(60),
            discover_every: Duration::from_secs(30),
            patience: Duration::from_secs(5),
            breaker: BreakerPolicy::default(),
            broker: None,
        }
    }
}

/// The registry of pools and the way to them; clones share it.
#[derive(Clone)]
pub struct Coordinator {
    broker: Broker,
    pools: Arc<RwLock<HashMap<Arc<str>, Pool>>>,
    registrations: Arc<watch::Sender<Registrations>>,
    routes: Arc<RwLock<Arc<Routes>>>,
    announcements: broadcast::Sender<Announcement>,
    sources: Sources,
    outside: Arc<OutsidePools>,
    settings: Settings,
    /// To the Broker that gets what functions send.
    onward: Option<Arc<dormouse_broker::Route>>,
    drains: Arc<Drains>,
}

impl Coordinator {
    /// A coordinator without pools and with the default settings.
    #[must_use]
    pub fn new(broker: Broker) -> Self {
        Self::with(broker, Settings::default())
    }

    /// A coordinator without pools.
    #[must_use]
    pub fn with(broker: Broker, settings: Settings) -> Self {
        Self {
            broker,
            outside: Arc::default(),
            onward: settings.broker.as_ref().map(|it| onward::route(it).into()),
            settings,
            pools: Arc::default(),
            registrations: Arc::new(watch::Sender::new(Registrations::default())),
            routes: Arc::default(),
            announcements: broadcast::Sender::new(ANNOUNCEMENTS),
            sources: Sources::default(),
            drains: Arc::default(),
        }
    }

    /// The broker whose tasks are dispatched.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    pub(crate) fn drains(&self) -> &Drains {
        &self.drains
    }

    /// What makes events here.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Registers a pool that this platform runs, or replaces its revision: calls that run stay with
    /// the service they started on, later ones take this. A replaced pool keeps its place in the
    /// order. Its breaker starts closed.
    ///
    /// # Errors
    /// When the broker has stopped.
    pub async fn register(
        &self,
        registration: Registration,
        local: impl Into<Local>,
        secrets: PoolSecrets,
        instances: watch::Receiver<Instances>,
    ) -> Result<(), Error> {
        let name = &registration.pool;
        self.yield_outside(name).await?;
        let endpoints = Endpoints::local(name, local.into());
        let pool = Pool::new(name, endpoints, secrets, instances, None);
        self.admit(registration, pool).await
    }

    pub(crate) async fn admit(&self, registration: Registration, pool: Pool) -> Result<(), Error> {
        let registration = Arc::new(registration);
        let name = Arc::clone(&registration.pool);
        self.write().insert(Arc::clone(&name), pool);
        self.broker
            .open_pool(name, registration.slots, registration.queue_limit)
            .await?;
        self.registrations.send_modify(|all| {
            let mut next = all.to_vec();
            match next
                .iter_mut()
                .find(|other| other.pool == registration.pool)
            {
                Some(place) => *place = registration,
                None => next.push(registration),
            }
            self.route(&next);
            *all = Arc::new(next);
        });
        Ok(())
    }

    /// Takes a pool out: its tools disappear, what waits for it stays stored until it expires.
    ///
    /// # Errors
    /// When the broker has stopped.
    pub async fn unregister(&self, pool: &str) -> Result<(), Error> {
        self.registrations.send_modify(|all| {
            let rest = all.iter().filter(|other| &*other.pool != pool);
            let rest: Vec<_> = rest.cloned().collect();
            self.route(&rest);
            *all = Arc::new(rest);
        });
        self.broker.close_pool(pool.into()).await?;
        self.write().remove(pool);
        self.lift_drain(pool).await
    }

    /// All pools, and every change.
    #[must_use]
    pub fn registrations(&self) -> watch::Receiver<Registrations> {
        self.registrations.subscribe()
    }

    /// Replaces what a pool says that it offers, until it is registered anew. `false`: no such pool.
    pub(crate) fn replace_manifest(&self, pool: &str, manifest: Manifest) -> bool {
        let manifest = Arc::new(manifest);
        self.registrations.send_if_modified(|all| {
            let mut next = all.to_vec();
            let Some(place) = next.iter_mut().find(|other| &*other.pool == pool) else {
                return false;
            };
            let mut registration = Registration::clone(place);
            registration.manifest = manifest;
            *place = Arc::new(registration);
            self.route(&next);
            *all = Arc::new(next);
            true
        })
    }

    /// A route for each trigger that takes the event, in the order of registration.
    #[must_use]
    pub fn routes(&self, event: &Event) -> Vec<dormouse_broker::Route> {
        let routes = Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner));
        routes.of(event)
    }

    /// The route of what functions send, if it goes on to a Broker.
    pub(crate) fn onward(&self) -> Option<dormouse_broker::Route> {
        self.onward.as_deref().cloned()
    }

    /// Events go by the triggers of these pools from now on.
    fn route(&self, pools: &[Arc<Registration>]) {
        let routes = Arc::new(Routes::new(pools));
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// What functions announce from now on: resources that changed. Nothing is stored.
    #[must_use]
    pub fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.announcements.subscribe()
    }

    pub(crate) fn announce(&self, announcement: Announcement) {
        // An error means that nobody listens.
        let _ = self.announcements.send(announcement);
    }

    /// How many processes a pool has now.
    #[must_use]
    pub fn instances(&self, pool: &str) -> Option<Instances> {
        self.pool(pool).map(|pool| pool.instances.borrow().clone())
    }

    /// Whether this is the secret that the pool's functions send with events outside a task.
    #[must_use]
    pub fn pool_token_matches(&self, pool: &str, token: &str) -> bool {
        self.pool(pool).is_some_and(|pool| {
            let expected = pool.secrets.events.as_bytes();
            !expected.is_empty() && bool::from(expected.ct_eq(token.as_bytes()))
        })
    }

    /// Which of a pool's endpoints or instances takes a call.
    #[must_use]
    pub fn balance(&self, pool: &str) -> Option<Balance> {
        self.pool(pool).map(|pool| pool.endpoints.balance())
    }

    /// Whether deliveries to a pool go through. With several endpoints: as at the best of them.
    #[must_use]
    pub fn breaker(&self, pool: &str) -> Option<BreakerView> {
        let endpoints = self.pool(pool)?.endpoints.list();
        let breakers = endpoints.iter().map(|endpoint| endpoint.gate().view());
        breakers.min_by_key(|breaker| match breaker.state {
            BreakerState::Closed => (0, None),
            BreakerState::HalfOpen => (1, None),
            BreakerState::Open => (2, breaker.retry_after_ms),
        })
    }

    /// The endpoints of a pool that was registered from outside; none for one that runs here.
    #[must_use]
    pub fn endpoints(&self, pool: &str) -> Option<Vec<EndpointView>> {
        let outside = self.pool(pool)?.outside;
        Some(outside.map_or_else(Vec::new, |outside| outside.endpoints()))
    }

    /// What the rows of a pool that was registered from outside say that it can do.
    #[must_use]
    pub fn declared(&self, pool: &str) -> Option<Vec<String>> {
        let outside = self.pool(pool)?.outside;
        Some(outside.map_or_else(Vec::new, |outside| outside.declared()))
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn outside(&self) -> &OutsidePools {
        &self.outside
    }

    pub(crate) fn pool(&self, name: &str) -> Option<Pool> {
        self.pools
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    pub(crate) fn insert(&self, name: Arc<str>, pool: Pool) {
        self.write().insert(name, pool);
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Arc<str>, Pool>> {
        self.pools.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use dormouse_contract::registration::CallError;

    use super::*;

    #[tokio::test]
    async fn another_manifest_brings_other_triggers_where_none_are_declared() {
        let data = tempfile::tempdir().unwrap();
        let broker = Broker::open(dormouse_broker::Config::new(data.path())).unwrap();
        let coordinator = Coordinator::new(broker);
        let offer = r#"{"contract":1,"triggers":[{"filters":[{"exact":{"type":"t"}}]}]}"#;
        for (name, declared) in [("declares", Some(Vec::new())), ("declares-none", None)] {
            let mut registration = Registration::clone(&crate::routes::tests::pool(name, &[]));
            registration.triggers = declared;
            let unused = tower::service_fn(async |_: http::Request<bytes::Bytes>| {
                let nobody = CallError::NotRun("nobody dispatches here".into());
                Err::<http::Response<bytes::Bytes>, _>(nobody)
            });
            let secrets = PoolSecrets {
                delivery: "".into(),
                events: "".into(),
            };
            let (_, instances) = watch::channel(Instances::default());
            let service = PoolService::new(unused);
            let registered = coordinator.register(registration, service, secrets, instances);
            registered.await.unwrap();
            let manifest = Manifest::parse(offer.as_bytes()).unwrap();
            assert!(coordinator.replace_manifest(name, manifest));
        }
        let routes = coordinator.routes(&Event::new("1", "/s", "t"));
        let pools: Vec<_> = routes.iter().map(|route| &*route.pool).collect();
        assert_eq!(pools, ["declares-none"]);
    }

    #[test]
    fn agents_are_probed_each_minute_and_asked_what_they_offer_twice_as_often() {
        let settings = Settings::default();
        assert_eq!(settings.probe_every, Duration::from_secs(60));
        assert_eq!(settings.discover_every, Duration::from_secs(30));
    }
}
