//! What the platforms have been told, so that nothing is told twice without need.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dormouse_contract::registration::Instances;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::reflector::ObjectRef;

use super::reconcile::{PoolReconciler, Subject};
use super::servers::Platform;
use crate::coordinator_client::{Coordinator, Error};

/// After so long a platform is told again, even if nothing is new.
const FRESH: Duration = Duration::from_secs(200);

/// What one platform was told of one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// That it is not offered there.
    Gone,
    /// Its row, as a hash, and when.
    Row(u64, Instant, Option<Instances>),
}

/// What was told, by pool and platform.
#[derive(Debug, Default)]
pub struct Registrar(Mutex<HashMap<(String, String), Told>>);

impl Registrar {
    fn get(&self, key: &(String, String)) -> Option<Told> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(key).cloned()
    }

    fn set(&self, key: (String, String), told: Told) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key, told);
    }

    /// Forgets a pool.
    pub fn forget(&self, pool: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(of, _), _| of != pool);
    }
}

fn hash(row: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}

impl PoolReconciler {
    /// Tells a platform of the pool, if it was not told so lately.
    pub(super) async fn introduce(
        &self,
        subject: &Subject<'_>,
        platform: &Platform,
        row: &str,
        instances: &Instances,
    ) -> Result<(), Error> {
        let (key, name) = (subject.key(platform), subject.object.name());
        let before = match self.registrar.get(&key) {
            Some(Told::Row(known, at, told)) if known == hash(row) && at.elapsed() < FRESH => {
                Some((at, told))
            }
            Some(_) | None => None,
        };
        if let Some((_, Some(told))) = &before
            && told == instances
        {
            return Ok(());
        }
        let token = self.token(subject, platform).await;
        let coordinator = Coordinator {
            url: &platform.coordinator,
            token: token.as_deref(),
        };
        let coordinators = &self.cluster.coordinators;
        let at = match before {
            Some((at, _)) => at,
            None => {
                let told = coordinators.register(coordinator, name, row.to_owned());
                told.await?;
                tracing::info!(pool = name, server = platform.name, "registered");
                Instant::now()
            }
        };
        let told = Told::Row(hash(row), at, None);
        self.registrar.set(key.clone(), told);
        coordinators.count(coordinator, name, instances).await?;
        let told = Told::Row(hash(row), at, Some(instances.clone()));
        self.registrar.set(key, told);
        Ok(())
    }

    /// Takes the pool out of a platform, if that was not done.
    pub(super) async fn withdraw(
        &self,
        subject: &Subject<'_>,
        platform: &Platform,
    ) -> Result<(), Error> {
        let key = subject.key(platform);
        if self.registrar.get(&key) == Some(Told::Gone) {
            return Ok(());
        }
        let token = self.token(subject, platform).await;
        let coordinator = Coordinator {
            url: &platform.coordinator,
            token: token.as_deref(),
        };
        let name = subject.object.name();
        self.cluster
            .coordinators
            .take_out(coordinator, name)
            .await?;
        self.registrar.set(key, Told::Gone);
        Ok(())
    }

    /// A platform's bearer token. One that cannot be had is none, and the platform refuses.
    async fn token(&self, subject: &Subject<'_>, platform: &Platform) -> Option<String> {
        let (name, key) = &platform.token;
        let secrets = &self.cluster.stores.secrets;
        let ours = secrets.get(&ObjectRef::new(name).within(subject.namespace));
        let data = match ours {
            Some(secret) => secret.data.clone(),
            // Somebody else's, which is not watched.
            None => {
                let client = self.cluster.client.clone();
                let api = Api::<Secret>::namespaced(client, subject.namespace);
                api.get_opt(name).await.ok()??.data
            }
        };
        let token = String::from_utf8(data?.remove(key)?.0).ok()?;
        Some(token.trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl Subject<'_> {
    /// The pool in the words of the log.
    pub(super) fn words(&self) -> String {
        format!("{}/{}", self.namespace, self.object.name())
    }

    fn key(&self, platform: &Platform) -> (String, String) {
        (
            self.words(),
            format!("{} {}", platform.uid, platform.coordinator),
        )
    }
}
