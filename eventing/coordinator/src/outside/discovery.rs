//! What a pool that was registered from outside offers: asked again and again, because agents come
//! late, change, and are replaced.

use std::sync::Arc;
use std::time::Duration;

use dormouse_contract::declaration::RunsOn;
use dormouse_contract::{Manifest, duration};
use reqwest::Url;
use serde_json::value::RawValue;

use super::members::below;
use super::{Ends, OutsidePool};
use crate::endpoints::client::Outside;
use crate::registry::Coordinator;

/// The page with the manifest, below an endpoint.
const CAPABILITIES: &str = "capabilities";

impl Coordinator {
    /// Asks what the pool offers, and registers it anew when that is something else than before.
    pub(super) async fn discover(&self, outside: &Arc<OutsidePool>) {
        let answer = outside.ask_manifest(self.settings().patience).await;
        let pools = self.outside().lock().await;
        let still = pools.get(&outside.name);
        if !still.is_some_and(|known| Arc::ptr_eq(known, outside)) {
            return;
        }
        if outside.runs_on() != RunsOn::AlwaysOn {
            // Meanwhile it was declared so.
            return;
        }
        let changed = match answer {
            Ok(manifest) => outside.learn(manifest),
            Err(why) => {
                let every = duration::format(self.settings().discover_every);
                outside.excuse(format!(
                    "its manifest cannot be read, so that nothing of it can be offered: {why}; \
                     asked again every {every}"
                ));
                false
            }
        };
        if changed {
            let name = &*outside.name;
            if let Err(error) = self.remember(name, Some(&outside.record())).await {
                tracing::warn!(pool = name, %error, "its manifest is forgotten at the next start");
            }
            match self.enter(outside).await {
                Ok(()) => tracing::info!(pool = name, "its manifest was read"),
                Err(error) => tracing::error!(pool = name, %error, "it cannot be registered"),
            }
        }
        outside.publish();
    }
}

impl OutsidePool {
    /// Reads the manifest at every discovery, and whenever an endpoint has come back, from now on.
    pub(super) fn keep_discovering(self: &Arc<Self>, coordinator: &Coordinator) {
        let mut state = self.state();
        if state.discovery.is_some() {
            return;
        }
        let (pool, coordinator) = (Arc::clone(self), coordinator.clone());
        let every = coordinator.settings().discover_every;
        let discovery = async move {
            loop {
                // Elapsed: it is time.
                let _ = tokio::time::timeout(every, pool.look.notified()).await;
                coordinator.discover(&pool).await;
            }
        };
        state.discovery = Some(Ends(tokio::spawn(discovery).abort_handle()));
    }

    /// The manifest as the first endpoint tells it that answers.
    async fn ask_manifest(&self, patience: Duration) -> Result<Box<RawValue>, String> {
        let clients: Vec<_> = {
            let state = self.state();
            let clients = state.agents.iter().map(|agent| agent.client.clone());
            clients.collect()
        };
        let mut reasons = Vec::new();
        for client in clients {
            match read(&client, patience).await {
                Ok(manifest) => return Ok(manifest),
                Err(why) => reasons.push(why),
            }
        }
        Err(reasons.join("; "))
    }

    /// `true`: this manifest is news.
    fn learn(&self, manifest: Box<RawValue>) -> bool {
        let mut state = self.state();
        state.unread = None;
        let known = state.record.manifest.as_deref();
        if known.is_some_and(|known| known.get() == manifest.get()) {
            return false;
        }
        state.record.manifest = Some(manifest);
        true
    }

    /// The manifest cannot be read now; one that was read before still holds.
    fn excuse(&self, why: String) {
        let mut state = self.state();
        if state.record.manifest.is_none() {
            state.unread = Some(why);
        }
    }
}

async fn read(client: &Outside, patience: Duration) -> Result<Box<RawValue>, String> {
    let url: Url = below(client.endpoint(), CAPABILITIES);
    let json = client.get(&url, patience).await?;
    let unusable = |why: String| format!("GET {url}: {why}");
    Manifest::parse(&json).map_err(|error| unusable(error.to_string()))?;
    serde_json::from_slice(&json).map_err(|error| unusable(error.to_string()))
}
