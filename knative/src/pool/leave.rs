//! How a pool leaves: its platforms stop sending it anything before its Knative Service goes.
//!
//! What runs then is not cut: Knative lets a pod finish its requests, for as long as a request may
//! take.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use serde_json::{Value, json};

use super::knative::Trigger;
use super::reconcile::{PoolReconciler, Subject};
use super::servers::{self, Platform};
use crate::controller::apply::await_seen;
use crate::controller::{Error, names};

/// A platform that does not answer for so long does not keep a pool from going.
const PATIENCE: Duration = Duration::from_secs(120);

impl PoolReconciler {
    /// Sees to it that the pool does not go before it is taken out of its platforms.
    pub(super) async fn hold(&self, subject: &Subject<'_>) -> Result<(), Error> {
        let mut finalizers = subject.finalizers();
        if finalizers.iter().any(|it| it == names::REGISTRATION) {
            return Ok(());
        }
        finalizers.push(names::REGISTRATION.to_owned());
        self.write_finalizers(subject, &finalizers).await
    }

    /// Takes the pool out of its platforms and lets it go.
    pub(super) async fn let_go(&self, subject: &Subject<'_>) -> Result<Action, Error> {
        let mut finalizers = subject.finalizers();
        if !finalizers.iter().any(|it| it == names::REGISTRATION) {
            self.registrar.forget(&subject.words());
            return Ok(Action::await_change());
        }
        for platform in self.all_platforms(subject) {
            if let Err(error) = self.withdraw(subject, &platform).await {
                if !subject.has_waited_enough() {
                    return Err(Error::Peer(error));
                }
                let note = format!(
                    "{error}: the pool goes without being taken out of {}; `DELETE /pools/{}` at \
                     its coordinator takes it out later",
                    platform.name,
                    subject.object.name()
                );
                let cluster = &self.cluster;
                cluster
                    .tell(subject.object, false, "NotTakenOut", &note)
                    .await;
            }
        }
        self.prune(subject, &[]).await?;
        self.registrar.forget(&subject.words());
        finalizers.retain(|it| it != names::REGISTRATION);
        self.write_finalizers(subject, &finalizers).await?;
        tracing::info!(pool = subject.words(), "taken out");
        Ok(Action::await_change())
    }

    /// Deletes the pool's Knative Triggers but for those that are wanted.
    pub(super) async fn prune(&self, subject: &Subject<'_>, wanted: &[Value]) -> Result<(), Error> {
        for trigger in self.own_triggers(subject) {
            let metadata = &trigger.metadata;
            let name = metadata.name.as_deref().unwrap_or_default();
            let namespace = metadata.namespace.as_deref().unwrap_or_default();
            let is_wanted = wanted.iter().any(|it| {
                it["metadata"]["name"] == name && it["metadata"]["namespace"] == namespace
            });
            if is_wanted || metadata.deletion_timestamp.is_some() {
                continue;
            }
            let api = Api::<Trigger>::namespaced(self.cluster.client.clone(), namespace);
            match api.delete(name, &DeleteParams::default()).await {
                Ok(_) => tracing::info!(namespace, name, "trigger deleted"),
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The Knative Triggers that were made for the pool, wherever they stand.
    pub(super) fn own_triggers(&self, subject: &Subject<'_>) -> Vec<Arc<Trigger>> {
        let is_own = |it: &Trigger| subject.made(&it.metadata);
        let store = self.cluster.stores.triggers.as_ref();
        store.map_or_else(Vec::new, |store| store.state_filter(is_own))
    }

    /// Every platform of the namespace, whether it offers the pool or not: what was written may
    /// not be readable any more.
    fn all_platforms(&self, subject: &Subject<'_>) -> Vec<Platform> {
        let servers = self.cluster.stores.servers.state();
        servers::all(subject.namespace, &servers)
    }

    async fn write_finalizers(
        &self,
        subject: &Subject<'_>,
        finalizers: &[String],
    ) -> Result<(), Error> {
        let patch = json!({"metadata": {
            // Somebody else's finalizer, added meanwhile, would be lost otherwise.
            "resourceVersion": subject.object.metadata.resource_version,
            "finalizers": finalizers,
        }});
        let params = PatchParams {
            field_manager: Some(names::MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let (api, name) = (self.api(subject), subject.object.name());
        match api.patch(name, &params, &Patch::Merge(&patch)).await {
            Ok(written) if written.metadata.deletion_timestamp.is_none() => {
                let pools = &self.cluster.stores.pools;
                await_seen(pools, &ObjectRef::from_obj(subject.object), &written).await;
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Subject<'_> {
    fn finalizers(&self) -> Vec<String> {
        self.object.metadata.finalizers.clone().unwrap_or_default()
    }

    fn has_waited_enough(&self) -> bool {
        let since = self.object.metadata.deletion_timestamp.as_ref();
        let waited = since.map(|since| Timestamp::now().duration_since(since.0));
        waited.is_some_and(|waited| waited.unsigned_abs() >= PATIENCE)
    }

    /// Whether an object was made for the pool, as its labels say.
    pub(super) fn made(&self, metadata: &ObjectMeta) -> bool {
        let label = |name: &str| metadata.labels.as_ref()?.get(name).map(String::as_str);
        label(names::POOL) == Some(self.object.name())
            && label(names::POOL_NAMESPACE) == Some(self.namespace)
    }
}
