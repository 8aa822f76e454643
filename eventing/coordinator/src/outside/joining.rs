//! Pools join, are declared, leave, and are there again after a restart.

use std::sync::Arc;

use bytes::Bytes;
use dormouse_broker::Note;
use dormouse_contract::declaration::{Declaration, RunsOn};
use reqwest::Url;

use super::record::{Address, Record};
use super::{OutsidePool, Row};
use crate::endpoints::client::NoClient;
use crate::registry::{Coordinator, Pool, PoolSecrets};

/// The kind of the broker's notes that remember these pools.
const NOTES: &str = "outside-pool";

/// Why a pool cannot be registered from outside, or be taken out.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// The platform runs a pool of this name.
    #[error(
        "pool `{0}` is deployed from an AgentPool file: register the agent under another name, or \
         remove the file"
    )]
    Deployed(String),
    /// There is no such pool.
    #[error("there is no pool `{0}`: `GET /pools` lists those that are registered")]
    UnknownPool(String),
    /// The pool has no such endpoint.
    #[error(
        "pool `{pool}` has no endpoint {endpoint}: `GET /pools/{pool}` lists those it has, written \
         as they have to be named"
    )]
    UnknownEndpoint {
        /// The pool.
        pool: String,
        /// What was named.
        endpoint: String,
    },
    /// It is declared whole, so no row can be laid over what is known of it.
    #[error(
        "pool `{0}` runs on Knative and is declared whole: change it by `PUT /pools/{0}`, or \
         register the agent under another name"
    )]
    OnKnative(String),
    /// Its instances are counted here.
    #[error(
        "pool `{0}` does not run on Knative, so its instances are counted here: leave them out, or \
         declare it by `PUT /pools/{0}` with `\"runs_on\": \"knative\"`"
    )]
    NotKnative(String),
    /// The endpoint can be reached by no client.
    #[error("{0}")]
    Unreachable(String),
    /// The broker did not take it.
    #[error(transparent)]
    Broker(#[from] dormouse_broker::Error),
}

impl From<NoClient> for OutsideError {
    fn from(error: NoClient) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// Runs to its end, whether or not its caller waits for it: half a registration is none.
async fn unbroken<T: Send + 'static>(
    task: impl Future<Output = Result<T, OutsideError>> + Send + 'static,
) -> Result<T, OutsideError> {
    let ended = tokio::spawn(task).await;
    ended.unwrap_or(Err(OutsideError::Broker(dormouse_broker::Error::Stopped)))
}

impl Coordinator {
    /// Registers an agent that runs elsewhere, or another endpoint of it, for good: it is there
    /// again after a restart. Its manifest is asked for before this returns. `true`: the pool is
    /// new.
    ///
    /// # Errors
    /// [`OutsideError`]; nothing is changed then.
    pub async fn register_outside(&self, row: Row) -> Result<bool, OutsideError> {
        let coordinator = self.clone();
        unbroken(async move { coordinator.join(row).await }).await
    }

    async fn join(&self, row: Row) -> Result<bool, OutsideError> {
        let name: Arc<str> = row.pool_id.as_str().into();
        self.revise(name, |record| match record.runs_on {
            RunsOn::AlwaysOn => Ok(record.with(row)),
            RunsOn::Knative => Err(OutsideError::OnKnative(row.pool_id)),
        })
        .await
    }

    /// Registers a pool as it is declared, in place of what was known of it, for good. What is
    /// declared again as it was changes nothing. `true`: the pool is new.
    ///
    /// # Errors
    /// [`OutsideError`]; nothing is changed then.
    pub(crate) async fn declare(
        &self,
        pool: &str,
        declaration: Declaration,
    ) -> Result<bool, OutsideError> {
        let (coordinator, name) = (self.clone(), Arc::from(pool));
        let declared = |record: Record| Ok(record.declared(declaration));
        unbroken(async move { coordinator.revise(name, declared).await }).await
    }

    /// Changes what is known of a pool, which may be nothing yet.
    async fn revise(
        &self,
        name: Arc<str>,
        change: impl FnOnce(Record) -> Result<Record, OutsideError>,
    ) -> Result<bool, OutsideError> {
        let mut pools = self.outside().lock().await;
        let known = pools.get(&name).cloned();
        if known.is_none() && self.pool(&name).is_some() {
            return Err(OutsideError::Deployed(name.to_string()));
        }
        let is_new = known.is_none();
        let outside = known.unwrap_or_else(|| OutsidePool::new(&name));
        let before = outside.record();
        let record = change(before.clone())?;
        if is_new || record.to_json() != before.to_json() {
            outside.adopt(record.clone(), self.settings())?;
            if let Err(error) = self.remember(&name, Some(&record)).await {
                match is_new {
                    true => outside.end(),
                    false => outside.adopt(before, self.settings())?,
                }
                return Err(error.into());
            }
            self.enter(&outside).await?;
            pools.insert(Arc::clone(&name), Arc::clone(&outside));
        }
        drop(pools);
        match record.runs_on {
            RunsOn::AlwaysOn => {
                self.discover(&outside).await;
                outside.keep_discovering(self);
            }
            RunsOn::Knative => {}
        }
        Ok(is_new)
    }

    /// Takes a pool out that was registered from outside, or one of its endpoints; with the last
    /// endpoint goes the pool.
    ///
    /// # Errors
    /// [`OutsideError`]; nothing is changed then.
    pub async fn take_out(&self, pool: &str, endpoint: Option<&str>) -> Result<(), OutsideError> {
        let (coordinator, pool) = (self.clone(), pool.to_owned());
        let endpoint = endpoint.map(str::to_owned);
        unbroken(async move { coordinator.leave(&pool, endpoint.as_deref()).await }).await
    }

    async fn leave(&self, pool: &str, endpoint: Option<&str>) -> Result<(), OutsideError> {
        let mut pools = self.outside().lock().await;
        let Some(outside) = pools.get(pool).cloned() else {
            return Err(self.not_outside(pool, OutsideError::Deployed));
        };
        let mut record = outside.record();
        if let Some(endpoint) = endpoint {
            let before = record.endpoints.len();
            let same = |known: &Address| {
                known.endpoint == endpoint
                    || Url::parse(endpoint).is_ok_and(|url| url.as_str() == known.endpoint)
            };
            record.endpoints.retain(|known| !same(known));
            if record.endpoints.len() == before {
                return Err(OutsideError::UnknownEndpoint {
                    pool: pool.to_owned(),
                    endpoint: endpoint.to_owned(),
                });
            }
            if !record.endpoints.is_empty() {
                self.remember(pool, Some(&record)).await?;
                outside.adopt(record, self.settings())?;
                return Ok(());
            }
        }
        self.remember(pool, None).await?;
        self.unregister(pool).await?;
        pools.remove(pool);
        outside.end();
        tracing::info!(pool, "taken out");
        Ok(())
    }

    /// Why a pool that was not registered from outside cannot be what is asked for.
    pub(super) fn not_outside(&self, pool: &str, here: fn(String) -> OutsideError) -> OutsideError {
        match self.pool(pool) {
            Some(_) => here(pool.to_owned()),
            None => OutsideError::UnknownPool(pool.to_owned()),
        }
    }

    /// Brings back the pools that were registered from outside before the platform stopped, as
    /// they were known then. One whose name an AgentPool file has taken meanwhile is forgotten.
    ///
    /// # Errors
    /// When the broker has stopped or its store cannot be read.
    pub async fn restore_outside(&self) -> Result<(), OutsideError> {
        let mut pools = self.outside().lock().await;
        for (name, note) in self.broker().notes(NOTES).await? {
            if self.pool(&name).is_some() {
                tracing::warn!(
                    pool = name,
                    "an AgentPool file has the name of this outside pool"
                );
                self.remember(&name, None).await?;
                continue;
            }
            let record: Record = match serde_json::from_slice(&note) {
                Ok(record) => record,
                Err(error) => {
                    tracing::error!(pool = name, %error, "its registration cannot be read");
                    continue;
                }
            };
            let name: Arc<str> = name.into();
            let outside = OutsidePool::new(&name);
            if let Err(error) = outside.adopt(record, self.settings()) {
                tracing::error!(pool = &*name, %error, "it cannot be reached");
                continue;
            }
            self.enter(&outside).await?;
            match outside.runs_on() {
                RunsOn::AlwaysOn => {
                    outside.keep_discovering(self);
                    outside.look.notify_one();
                }
                RunsOn::Knative => {}
            }
            pools.insert(name, outside);
        }
        Ok(())
    }

    /// Ends all probes and discovery; the pools stay registered for the next start.
    pub async fn leave_outside(&self) {
        let pools = std::mem::take(&mut *self.outside().lock().await);
        pools.values().for_each(|outside| outside.end());
    }

    /// An AgentPool file takes this name.
    pub(crate) async fn yield_outside(&self, pool: &str) -> Result<(), dormouse_broker::Error> {
        if let Some(outside) = self.outside().lock().await.remove(pool) {
            outside.end();
            tracing::warn!(
                pool,
                "an AgentPool file takes the name of this outside pool"
            );
            self.remember(pool, None).await?;
        }
        Ok(())
    }

    /// Registers the pool as its record says now.
    pub(super) async fn enter(
        &self,
        outside: &Arc<OutsidePool>,
    ) -> Result<(), dormouse_broker::Error> {
        let record = outside.record();
        let text = |secret: &Option<String>| secret.as_deref().unwrap_or_default().into();
        let secrets = PoolSecrets {
            delivery: text(&record.delivery_secret),
            events: text(&record.pool_token),
        };
        let pool = Pool::new(
            &outside.name,
            outside.endpoints.clone(),
            secrets,
            outside.instances.subscribe(),
            Some(Arc::clone(outside)),
        );
        self.admit(record.registration(&outside.name), pool).await
    }

    pub(super) async fn remember(
        &self,
        pool: &str,
        record: Option<&Record>,
    ) -> Result<(), dormouse_broker::Error> {
        let value = record.map(|record| Bytes::from(record.to_json()));
        let note = Note {
            kind: NOTES,
            name: pool.to_owned(),
            value,
        };
        self.broker().note(note).await
    }
}
