//! Brings one AgentPool into being, step by step, and tells how far it has come.
//!
//! Every step looks at what the watches have brought and writes only what differs, so a pool that
//! is as it should be costs nothing. A step that fails stops those behind it, its failure is in the
//! status, and the whole is tried again later.

use std::sync::Arc;
use std::time::Duration;

use dormouse_pool::{Container, Pool};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource as _};
use serde_json::json;

use super::deploy::Deployed;
use super::knative::{Revision, Service};
use super::manifest::{self, Known};
use super::registrar::Registrar;
use super::servers::{self, Platforms};
use super::status::{Findings, news};
use super::{observe, registration};
use crate::AgentPool;
use crate::agent_pool::Status;
use crate::conditions::Finding;
use crate::controller::apply::await_seen;
use crate::controller::{Cluster, Error, names};
use crate::coordinator_client;

/// A pool that is ready is looked at again after so long, and its platforms are told of it again:
/// one may have lost its volume.
const AGAIN: Duration = Duration::from_secs(300);

/// Reconciles AgentPools.
pub struct PoolReconciler {
    pub(super) cluster: Arc<Cluster>,
    pub(super) registrar: Registrar,
}

/// What a pool is about.
pub(super) struct Subject<'a> {
    pub(super) object: &'a AgentPool,
    pub(super) namespace: &'a str,
    pub(super) owner: OwnerReference,
}

/// How far a pool has come, and what stopped it.
struct Progress {
    findings: Findings,
    failure: Option<Error>,
}

impl PoolReconciler {
    /// A reconciler that has told nobody anything yet.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self {
            registrar: Registrar::default(),
            cluster,
        }
    }

    /// Brings a pool as far as it can be brought now.
    ///
    /// # Errors
    /// What stopped it; its status says so too.
    pub async fn reconcile(&self, pool: &AgentPool) -> Result<Action, Error> {
        let Some(owner) = pool.controller_owner_ref(&()) else {
            return Ok(Action::await_change());
        };
        let namespace = pool.metadata.namespace.as_deref().unwrap_or_default();
        let subject = Subject {
            object: pool,
            namespace,
            owner,
        };
        if pool.metadata.deletion_timestamp.is_some() {
            return self.let_go(&subject).await;
        }
        let progress = match pool.pool() {
            Ok(checked) => {
                self.hold(&subject).await?;
                self.advance(&subject, &checked).await
            }
            Err(invalid) => Progress {
                findings: Findings::unusable("InvalidSpec", &invalid.to_string()),
                failure: None,
            },
        };
        self.tell(&subject, progress.findings).await?;
        match progress.failure {
            Some(failure) => Err(failure),
            None => Ok(Action::requeue(AGAIN.mul_f64(rand::random_range(0.8..1.2)))),
        }
    }

    async fn advance(&self, subject: &Subject<'_>, pool: &Pool<Container>) -> Progress {
        let stores = &self.cluster.stores;
        let mut known = self.known(subject);
        let agent_type = agent_type(pool, known.as_ref());
        let platforms = servers::platforms(
            subject.namespace,
            &stores.servers.state(),
            pool,
            agent_type.as_deref(),
        );
        let mut findings = Findings::unusable("NotDeployed", "");
        findings.agent_type.clone_from(&pool.agent_type);
        let deployed = match self.deploy(subject, pool, &platforms, &mut findings).await {
            Ok(Some(deployed)) => deployed,
            Ok(None) => {
                return Progress {
                    findings,
                    failure: None,
                };
            }
            Err(failure) => return failed(findings, failure),
        };
        let service = self.service(subject);
        findings.service = observe::service(service.as_deref());
        findings.instances = observe::instances(&self.revisions(subject), service.as_deref());
        findings.url = service
            .as_ref()
            .and_then(|it| it.address().map(str::to_owned));
        if let Err(failure) = self
            .learn(subject, service.as_deref(), &mut known, &mut findings)
            .await
        {
            findings.known = known;
            return failed(findings, failure);
        }
        if let Some(known) = &known {
            let cut = observe::cut_tools(pool, known, deployed.timeout);
            findings.not_honoured.extend(cut);
        }
        findings.known.clone_from(&known);
        let triggers = self.subscribe(subject, pool, &platforms, known.as_ref(), &mut findings);
        if let Err(failure) = triggers.await {
            return failed(findings, failure);
        }
        let told = self
            .register(subject, pool, &platforms, &deployed, &mut findings)
            .await;
        Progress {
            findings,
            failure: told.err().map(Error::Peer),
        }
    }

    /// Asks a revision that takes requests for the first time what it offers, and keeps it.
    async fn learn(
        &self,
        subject: &Subject<'_>,
        service: Option<&Service>,
        known: &mut Option<Known>,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let routed = service.and_then(|it| Some((it.routed()?, it.address()?)));
        let Some((revision, address)) = routed else {
            findings.manifest = match known {
                Some(known) => Finding::holds("Known", format!("of {}", known.revision)),
                None => Finding::pends("NotDeployed", "it is asked once it is deployed"),
            };
            return Ok(());
        };
        if known.as_ref().is_none_or(|it| it.revision != revision) {
            let asked = self.ask(revision, address).await;
            let asked = asked.inspect_err(|error| {
                findings.manifest = Finding::fails(error.reason(), error.to_string());
            })?;
            let wanted = asked.object(subject.namespace, subject.object.name(), &subject.owner);
            let maps = &self.cluster.stores.config_maps;
            self.cluster.applier.apply(maps, &wanted).await?;
            tracing::info!(pool = subject.object.name(), revision, "manifest read");
            *known = Some(asked);
        }
        findings.manifest = Finding::holds("Known", format!("of {revision}"));
        Ok(())
    }

    async fn ask(&self, revision: &str, address: &str) -> Result<Known, coordinator_client::Error> {
        let coordinators = &self.cluster.coordinators;
        let known = Known {
            revision: revision.to_owned(),
            json: coordinators.manifest(address, manifest::LARGEST).await?,
        };
        match known.manifest() {
            Ok(_) => Ok(known),
            Err(invalid) => Err(coordinator_client::Error::Unusable {
                url: address.to_owned(),
                why: invalid.to_string(),
            }),
        }
    }

    /// Tells the platforms, as far as there is something to tell.
    async fn register(
        &self,
        subject: &Subject<'_>,
        pool: &Pool<Container>,
        platforms: &Platforms,
        deployed: &Deployed,
        findings: &mut Findings,
    ) -> Result<(), coordinator_client::Error> {
        let (Some(known), Some(url)) = (&findings.known, &findings.url) else {
            return Ok(());
        };
        let Ok(row) = registration::row(pool, url, known, &deployed.secrets, deployed.ceiling)
        else {
            return Ok(());
        };
        let name = subject.object.name();
        // One that does not answer keeps none of the others from hearing of it.
        let mut told = Ok(());
        for platform in &platforms.offering {
            let introduced = self.introduce(subject, platform, &row, &findings.instances);
            told = told.and(introduced.await);
        }
        let mut withdrawn = Ok(());
        for platform in &platforms.others {
            withdrawn = withdrawn.and(self.withdraw(subject, platform).await);
        }
        findings.registered = match &told {
            Ok(()) if platforms.offering.is_empty() => Finding::fails(
                "NoServer",
                "no MCPServer of the namespace offers the pool: apply one, or name another in \
                 spec.server",
            ),
            Ok(()) => {
                let names: Vec<_> = platforms
                    .offering
                    .iter()
                    .map(|it| it.name.as_str())
                    .collect();
                Finding::holds("Registered", format!("at {}", names.join(", ")))
            }
            Err(error) => {
                tracing::debug!(pool = name, %error, "not registered");
                Finding::fails(error.reason(), error.to_string())
            }
        };
        told.and(withdrawn)
    }

    /// Writes the status if it says something new, and an event if people should hear of it.
    async fn tell(&self, subject: &Subject<'_>, findings: Findings) -> Result<(), Error> {
        let object = subject.object;
        let before = object.status.as_ref();
        let after = findings.status(before, object.generation(), &Time(Timestamp::now()));
        if before == Some(&after) {
            return Ok(());
        }
        self.write_status(subject, &after).await?;
        if let Some(news) = news(before, &after) {
            let cluster = &self.cluster;
            cluster
                .tell(object, news.good, &news.reason, &news.note)
                .await;
        }
        Ok(())
    }

    async fn write_status(&self, subject: &Subject<'_>, status: &Status) -> Result<(), Error> {
        let name = subject.object.name();
        let written = json!({
            "apiVersion": AgentPool::api_version(),
            "kind": dormouse_pool::KIND,
            "metadata": {"name": name, "namespace": subject.namespace},
            "status": status,
        });
        let params = PatchParams::apply(names::MANAGER).force();
        let api = self.api(subject);
        match api
            .patch_status(name, &params, &Patch::Apply(&written))
            .await
        {
            Ok(written) => {
                let pools = &self.cluster.stores.pools;
                await_seen(pools, &ObjectRef::from_obj(subject.object), &written).await;
                Ok(())
            }
            // It is gone, and so is whom to tell.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn api(&self, subject: &Subject<'_>) -> Api<AgentPool> {
        Api::namespaced(self.cluster.client.clone(), subject.namespace)
    }

    pub(super) fn service(&self, subject: &Subject<'_>) -> Option<Arc<Service>> {
        let key = ObjectRef::new(subject.object.name()).within(subject.namespace);
        self.cluster.stores.services.get(&key)
    }

    fn revisions(&self, subject: &Subject<'_>) -> Vec<Arc<Revision>> {
        let is_own = |it: &Revision| subject.made(&it.metadata);
        self.cluster.stores.revisions.state_filter(is_own)
    }

    fn known(&self, subject: &Subject<'_>) -> Option<Known> {
        let name = names::pool_manifest(subject.object.name());
        let key = ObjectRef::new(&name).within(subject.namespace);
        Known::read(self.cluster.stores.config_maps.get(&key)?.as_ref())
    }
}

fn failed(findings: Findings, failure: Error) -> Progress {
    Progress {
        findings,
        failure: Some(failure),
    }
}

fn agent_type(pool: &Pool<Container>, known: Option<&Known>) -> Option<String> {
    let own = || Some(known?.manifest().ok()?.agent_type);
    pool.agent_type.clone().or_else(own)
}
