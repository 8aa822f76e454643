//! Which pools there are, and by what service each is reached.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::dispatch::PoolMetrics;
use crate::sources::Sources;
use bytes::Bytes;
use dormouse_broker::{Broker, Error};
use dormouse_contract::Manifest;
use dormouse_contract::announcement::Announcement;
use dormouse_contract::registration::{CallError, Instances, Registration, Registrations};
use subtle::ConstantTimeEq as _;
use tokio::sync::{broadcast, watch};
use tower::util::BoxCloneSyncService;

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
    pub(crate) service: PoolService,
    pub(crate) secrets: PoolSecrets,
    pub(crate) metrics: PoolMetrics,
    pub(crate) instances: watch::Receiver<Instances>,
}

/// The registry of pools and the way to them; clones share it.
#[derive(Clone)]
pub struct Coordinator {
    broker: Broker,
    pools: Arc<RwLock<HashMap<Arc<str>, Pool>>>,
    registrations: Arc<watch::Sender<Registrations>>,
    announcements: broadcast::Sender<Announcement>,
    sources: Sources,
}

impl Coordinator {
    /// A coordinator without pools.
    #[must_use]
    pub fn new(broker: Broker) -> Self {
        Self {
            broker,
            pools: Arc::default(),
            registrations: Arc::new(watch::Sender::new(Registrations::default())),
            announcements: broadcast::Sender::new(ANNOUNCEMENTS),
            sources: Sources::default(),
        }
    }

    /// The broker whose tasks are dispatched.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// What makes events here.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Registers a pool, or replaces its revision: calls that run stay with the service they
    /// started on, later ones take this. A replaced pool keeps its place in the order.
    ///
    /// # Errors
    /// When the broker has stopped.
    pub async fn register(
        &self,
        registration: Registration,
        service: PoolService,
        secrets: PoolSecrets,
        instances: watch::Receiver<Instances>,
    ) -> Result<(), Error> {
        let registration = Arc::new(registration);
        let name = Arc::clone(&registration.pool);
        let metrics = PoolMetrics::new(&name);
        let pool = Pool {
            service,
            secrets,
            metrics,
            instances,
        };
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
            *all = Arc::new(
                all.iter()
                    .filter(|other| &*other.pool != pool)
                    .cloned()
                    .collect(),
            );
        });
        self.broker.close_pool(pool.into()).await?;
        self.write().remove(pool);
        Ok(())
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
            *all = Arc::new(next);
            true
        })
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
        self.pool(pool)
            .is_some_and(|pool| bool::from(pool.secrets.events.as_bytes().ct_eq(token.as_bytes())))
    }

    pub(crate) fn pool(&self, name: &str) -> Option<Pool> {
        self.pools
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Arc<str>, Pool>> {
        self.pools.write().unwrap_or_else(PoisonError::into_inner)
    }
}
