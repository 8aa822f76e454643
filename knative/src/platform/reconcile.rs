//! Brings one MCPServer into being and tells how far it has come.
//!
//! Only what differs from what the watches have brought is written.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource as _};
use serde_json::json;

use super::pods::{self, Volume};
use super::status::{self, Findings};
use super::token::Token;
use super::{Place, neighbours, service};
use crate::McpServer;
use crate::conditions::{Finding, Truth};
use crate::controller::apply::await_seen;
use crate::controller::{Cluster, Error, names, refusal, words};
use crate::mcp_server::{BrokerRef, Check, Platform, SecretKey, Status, Storage};
use crate::object::Kind as _;
use crate::pool::knative;

/// A platform is looked at again after so long, and sooner while something that is not watched is
/// missing.
const AGAIN: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(15);

/// Reconciles MCPServers.
pub struct PlatformReconciler {
    cluster: Arc<Cluster>,
}

impl PlatformReconciler {
    /// A reconciler of this cluster.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    /// Brings a platform as far as it can be brought now.
    ///
    /// # Errors
    /// What stopped it; its status says so too.
    pub async fn reconcile(&self, server: &McpServer) -> Result<Action, Error> {
        let Some(owner) = server.controller_owner_ref(&()) else {
            return Ok(Action::await_change());
        };
        if server.metadata.deletion_timestamp.is_some() {
            return Ok(Action::await_change());
        }
        let place = Place {
            namespace: server.metadata.namespace.as_deref().unwrap_or_default(),
            server: server.name(),
            owner: &owner,
        };
        let (findings, failure) = match server.platform() {
            Ok(platform) => self.advance(place, &platform).await,
            Err(invalid) => {
                let findings = Findings::unusable("InvalidSpec", &invalid.to_string());
                (findings, None)
            }
        };
        let is_whole = findings.is_whole();
        self.tell(place, server, findings).await?;
        match failure {
            Some(failure) => Err(failure),
            None if is_whole => Ok(Action::requeue(AGAIN.mul_f64(rand::random_range(0.8..1.2)))),
            None => Ok(Action::requeue(SOON)),
        }
    }

    async fn advance(&self, place: Place<'_>, platform: &Platform) -> (Findings, Option<Error>) {
        let volume = match &platform.storage {
            Storage::Volume { size, class } => Volume {
                size,
                class: class.as_deref(),
            },
            Storage::Databases { .. } => {
                let findings = Findings::unusable(
                    "DatabasesNotBuilt",
                    "spec.storage: a platform on `postgres` and `redis` is not built yet, and \
                     nothing is made for this one: name `volume`, or leave `storage` out",
                );
                return (findings, None);
            }
        };
        let pools = self.cluster.stores.pools.state();
        let mut findings = Findings {
            secrets: Finding::holds("Found", ""),
            replicas: Finding::pends("Creating", "nothing is there yet"),
            broker: None,
            ready: None,
            pools: Some(status::offered(place, platform.server_type, &pools)),
        };
        let made = self.make(place, platform, volume, &mut findings).await;
        if let Err(failure) = made {
            if let Error::Kube(error) = &failure {
                findings.replicas = Finding::fails(refusal(error), words(error));
            }
            return (findings, Some(failure));
        }
        let key = ObjectRef::new(place.server).within(place.namespace);
        let set = self.cluster.stores.made.sets.get(&key);
        (findings.replicas, findings.ready) = status::replicas(set.as_deref());
        (findings, None)
    }

    /// Applies everything; the pod comes last, when all that it needs is there.
    async fn make(
        &self,
        place: Place<'_>,
        platform: &Platform,
        volume: Volume<'_>,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let (applier, made) = (&self.cluster.applier, &self.cluster.stores.made);
        match &platform.token {
            Some(named) => findings.secrets = self.look_up(place, named).await?,
            None => {
                let name = names::server_token(place.server);
                self.make_token(place, &name).await?;
            }
        }
        let mut broker = None;
        if let Some(named) = &platform.broker {
            let name = names::server_broker(place.server);
            self.make_token(place, &name).await?;
            let (finding, url) = self.find_broker(place, named).await?;
            findings.broker = Some(finding);
            // One that is away for a moment does not restart the pod.
            broker = url.or_else(|| self.broker_until_now(place));
        }
        let account = pods::service_account(place);
        applier.apply(&made.accounts, &account).await?;
        let policy = service::network_policy(place);
        applier.apply(&made.policies, &policy).await?;
        let door = service::service(place, platform);
        applier.apply(&made.services, &door).await?;
        let budget = pods::disruption_budget(place);
        applier.apply(&made.budgets, &budget).await?;
        if let Some(store) = &made.monitors {
            let key = pods::token_key(place, platform);
            let monitor = neighbours::service_monitor(place, &key);
            applier.apply(store, &monitor).await?;
        }
        if let Some(store) = &made.routes {
            let route = neighbours::virtual_service(place);
            applier.apply(store, &route).await?;
        }
        let set = pods::stateful_set(place, platform, volume, broker.as_deref());
        applier.apply(&made.sets, &set).await?;
        Ok(())
    }

    /// The token that is there, or a new one, in the Secret of this name.
    async fn make_token(&self, place: Place<'_>, name: &str) -> Result<(), Error> {
        let secrets = &self.cluster.stores.secrets;
        let there = secrets.get(&ObjectRef::new(name).within(place.namespace));
        let token = there.and_then(|it| Token::read(&it));
        let wanted = token.unwrap_or_else(Token::random).object(place, name);
        self.cluster.applier.apply(secrets, &wanted).await?;
        Ok(())
    }

    /// Whether a Secret that is somebody else's, and therefore not watched, has a key.
    async fn look_up(&self, place: Place<'_>, named: &SecretKey) -> Result<Finding, Error> {
        let SecretKey { name, key } = named;
        let api = Api::<Secret>::namespaced(self.cluster.client.clone(), place.namespace);
        let found = api.get_opt(name).await?;
        let at = "spec.auth.tokenSecretRef";
        Ok(match found.map(|it| it.data.unwrap_or_default()) {
            None => Finding::fails(
                "SecretMissing",
                format!("{at}: there is no Secret `{name}` in the namespace: make it"),
            ),
            Some(data) if !data.contains_key(key) => Finding::fails(
                "KeyMissing",
                format!("{at}: the Secret `{name}` has no key `{key}`: add it"),
            ),
            Some(_) => Finding::holds("Found", ""),
        })
    }

    /// Whether the Broker is there, and where it takes events.
    async fn find_broker(
        &self,
        place: Place<'_>,
        broker: &BrokerRef,
    ) -> Result<(Finding, Option<String>), Error> {
        let kind = GroupVersionKind::gvk(knative::EVENTING, "v1", "Broker");
        let resource = ApiResource::from_gvk(&kind);
        let namespace = broker.namespace.as_deref().unwrap_or(place.namespace);
        let client = self.cluster.client.clone();
        let api = Api::<DynamicObject>::namespaced_with(client, namespace, &resource);
        let name = &broker.name;
        let Some(found) = api.get_opt(name).await? else {
            let finding = Finding::fails(
                "BrokerMissing",
                format!(
                    "spec.broker: there is no Broker `{name}` in the namespace `{namespace}`: make \
                     it, or name another"
                ),
            );
            return Ok((finding, None));
        };
        let url = found.data["status"]["address"]["url"].as_str();
        let finding = match url {
            Some(_) => Finding::holds("Found", ""),
            None => Finding::fails(
                "BrokerNotReady",
                format!(
                    "spec.broker: the Broker `{name}` does not say where it takes events: \
                     `kubectl describe broker {name} --namespace {namespace}` says why"
                ),
            ),
        };
        Ok((finding, url.map(str::to_owned)))
    }

    fn broker_until_now(&self, place: Place<'_>) -> Option<String> {
        let key = ObjectRef::new(place.server).within(place.namespace);
        let set = self.cluster.stores.made.sets.get(&key)?;
        pods::broker_url(&set).map(str::to_owned)
    }

    /// Writes the status if it says something new, and an event if people should hear of it.
    async fn tell(
        &self,
        place: Place<'_>,
        server: &McpServer,
        findings: Findings,
    ) -> Result<(), Error> {
        let status = findings.status(place, server, &Time(Timestamp::now()));
        if server.status.as_ref() == Some(&status) {
            return Ok(());
        }
        self.write_status(place, server, &status).await?;
        let is = |status: &Status| {
            let ready = status.conditions.get(Check::Ready)?;
            Some((ready.status, ready.reason.clone(), ready.message.clone()))
        };
        let before = server.status.as_ref().and_then(is);
        if let Some((truth, reason, message)) = is(&status)
            && truth != Truth::Unknown
            && before.is_none_or(|before| (before.0, &before.1) != (truth, &reason))
        {
            let good = truth == Truth::True;
            self.cluster.tell(server, good, &reason, &message).await;
        }
        Ok(())
    }

    async fn write_status(
        &self,
        place: Place<'_>,
        server: &McpServer,
        status: &Status,
    ) -> Result<(), Error> {
        let written = json!({
            "apiVersion": McpServer::api_version(),
            "kind": crate::mcp_server::Kind::KIND,
            "metadata": {"name": place.server, "namespace": place.namespace},
            "status": status,
        });
        let params = PatchParams::apply(names::MANAGER).force();
        let api = Api::<McpServer>::namespaced(self.cluster.client.clone(), place.namespace);
        let patch = Patch::Apply(&written);
        match api.patch_status(place.server, &params, &patch).await {
            Ok(written) => {
                let servers = &self.cluster.stores.servers;
                await_seen(servers, &ObjectRef::from_obj(server), &written).await;
                Ok(())
            }
            // It is gone, and so is whom to tell.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Findings {
    /// Whether nothing is missing that no watch would tell of.
    fn is_whole(&self) -> bool {
        let holds = |finding: &Finding| finding.status == Truth::True;
        holds(&self.secrets) && self.broker.as_ref().is_none_or(holds)
    }
}
