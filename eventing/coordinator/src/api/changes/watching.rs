//! One listener: the broker's feed, the registry and each pool's instances, in one stream of text.

use std::collections::BTreeMap;

use dormouse_broker::{Fact, Seq};
use dormouse_contract::registration::{Instances, Registrations};
use futures_util::future::{FutureExt as _, select_all};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::replay::{self, Replay};
use super::{PoolChange, Topic, Wanted, frame, missed};
use crate::api::Api;
use crate::api::problem::Problem;
use crate::registry::Coordinator;

/// What made a listener look up.
enum Woken {
    Fact(Result<Fact, RecvError>),
    Pools,
}

/// What a listener waits for.
pub(super) struct Watching {
    wanted: Wanted,
    coordinator: Coordinator,
    replay: Option<Replay>,
    feed: broadcast::Receiver<Fact>,
    registrations: watch::Receiver<Registrations>,
    instances: Vec<watch::Receiver<Instances>>,
    pools: BTreeMap<String, PoolChange>,
    is_greeted: bool,
    /// Up to here it knows the events: what comes behind is in the log, should it be too slow.
    told: Seq,
}

impl Watching {
    /// Listens from now on, after what it missed since `heard`.
    pub(super) async fn new(
        api: &Api,
        wanted: Wanted,
        heard: Option<Seq>,
    ) -> Result<Self, Problem> {
        let coordinator = api.coordinator.clone();
        let broker = coordinator.broker();
        // Before the log is read, so that nothing falls between the two. Who wants events alone is
        // not woken by every task.
        let feed = match wanted.wants_tasks() {
            true => broker.feed(),
            false => broker.arrivals(),
        };
        let (replay, told) = match (wanted.wants(Topic::Event), heard) {
            (true, Some(heard)) => (Some(Replay::new(broker.clone(), heard).await?), heard),
            (true, None) => (None, replay::log_end(broker).await?),
            (false, _) => (None, Seq::default()),
        };
        let mut watching = Self {
            wanted,
            registrations: coordinator.registrations(),
            coordinator,
            replay,
            feed,
            instances: Vec::new(),
            pools: BTreeMap::new(),
            is_greeted: false,
            told,
        };
        watching.look_at_pools();
        Ok(watching)
    }

    /// What it is told next; `None` when the platform stops.
    pub(super) async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.is_greeted, true) {
            // So that the answer begins at once.
            return Some(": listening\n\n".to_owned());
        }
        loop {
            let text = match self.replay.as_mut() {
                // A log that cannot be read ends the stream; the listener comes back.
                Some(replay) => replay.next().await.ok()?,
                None => Some(self.live().await?),
            };
            match text {
                Some(text) if text.is_empty() => {}
                Some(text) => return Some(text),
                None => self.told = self.replay.take().map_or(self.told, |it| it.end()),
            }
        }
    }

    async fn live(&mut self) -> Option<String> {
        let instances = self.instances.iter_mut().map(|it| it.changed().boxed());
        // There may be none at all, and a choice of none would panic.
        let any_instances = select_all(instances.chain([std::future::pending().boxed()]));
        let woken = tokio::select! {
            fact = self.feed.recv() => Woken::Fact(fact),
            _ = any_instances => Woken::Pools,
            changed = self.registrations.changed() => match changed {
                Ok(()) => Woken::Pools,
                Err(_) => return None,
            },
        };
        match woken {
            Woken::Pools => Some(self.look_at_pools()),
            Woken::Fact(Ok(Fact::Event { seq, .. })) if self.told >= seq => Some(String::new()),
            Woken::Fact(Ok(fact)) => {
                if let Fact::Event { seq, .. } = &fact {
                    self.told = *seq;
                }
                Some(self.wanted.told(&fact))
            }
            Woken::Fact(Err(RecvError::Lagged(count))) => {
                if self.wanted.wants(Topic::Event) {
                    let broker = self.coordinator.broker().clone();
                    self.replay = Some(Replay::new(broker, self.told).await.ok()?);
                }
                // What became of tasks is told by no log.
                Some(match self.wanted.wants_tasks() {
                    true => missed(count),
                    false => String::new(),
                })
            }
            Woken::Fact(Err(RecvError::Closed)) => None,
        }
    }

    /// What is new of the pools since it last looked. A slow listener hears only how they are now.
    fn look_at_pools(&mut self) -> String {
        let registered = self.registrations.borrow_and_update().clone();
        let mut now = BTreeMap::new();
        self.instances.clear();
        for pool in registered.iter() {
            let Some(known) = self.coordinator.pool(&pool.pool) else {
                continue;
            };
            let mut instances = known.instances;
            let state = instances.borrow_and_update().state().to_owned();
            // Of one whose host is gone nothing more will be heard.
            if instances.has_changed().is_ok() {
                self.instances.push(instances);
            }
            let change = PoolChange {
                pool: pool.pool.to_string(),
                revision: Some(pool.revision.clone()),
                state,
            };
            now.insert(pool.pool.to_string(), change);
        }
        let before = std::mem::replace(&mut self.pools, now);
        if !self.wanted.wants(Topic::Pool) {
            return String::new();
        }
        let is_new = |now: &&PoolChange| before.get(&now.pool) != Some(*now);
        let changed = self.pools.values().filter(is_new).cloned();
        let is_gone = |it: &&PoolChange| !self.pools.contains_key(&it.pool);
        let gone = before.values().filter(is_gone).map(|before| PoolChange {
            pool: before.pool.clone(),
            revision: None,
            state: "gone".to_owned(),
        });
        changed
            .chain(gone)
            .filter(|change| self.wanted.wants_pool(&change.pool))
            .map(|change| frame(Topic::Pool.name(), None, &change))
            .collect()
    }
}
