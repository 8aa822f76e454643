//! The first steps of a pool: its Secret and its Knative Service.

use dormouse_pool::{Container, Pool};
use kube::runtime::reflector::ObjectRef;

use super::reconcile::{PoolReconciler, Subject};
use super::secret::Secrets;
use super::servers::Platforms;
use super::service::{Deployment, service};
use super::status::Findings;
use super::{registration, scaling, timeout};
use crate::conditions::Finding;
use crate::controller::{Error, names, refusal, words};

/// What has been settled about a pool that is deployed.
pub(super) struct Deployed {
    pub(super) secrets: Secrets,
    /// How long a request may take, in seconds.
    pub(super) timeout: u64,
    /// The most instances, where the pool does not say it.
    pub(super) ceiling: usize,
}

impl PoolReconciler {
    /// Makes Secret and Knative Service what they should be; `None` when the pool cannot be
    /// deployed.
    pub(super) async fn deploy(
        &self,
        subject: &Subject<'_>,
        pool: &Pool<Container>,
        platforms: &Platforms,
        findings: &mut Findings,
    ) -> Result<Option<Deployed>, Error> {
        findings.not_honoured = pool.not_honoured().to_vec();
        findings
            .not_honoured
            .extend(scaling::not_honoured(&pool.scaling));
        let timeout = match timeout::seconds(pool, self.longest_request()) {
            Ok(timeout) => timeout,
            Err(too_long) => {
                findings.service = Finding::fails("TimeoutTooLong", too_long.to_string());
                return Ok(None);
            }
        };
        let live = self.service(subject);
        let now = live.as_ref().and_then(|it| it.variable("K_SINK"));
        let Some(sink) = platforms.sink(subject.namespace, pool, now) else {
            findings.service = Finding::pends(
                "NoServer",
                "no MCPServer of the namespace offers the pool: apply one, or name one in \
                 spec.server",
            );
            return Ok(None);
        };
        findings.not_honoured.extend(platforms.not_honoured(&sink));
        if self.is_name_taken(subject) {
            findings.service = Finding::fails(
                "NameTaken",
                "metadata.name: an MCPServer of the namespace is called so, and its Service has \
                 the name that the pool's would have: choose another",
            );
            return Ok(None);
        }
        let secrets = self.secrets(subject).await?;
        let ceiling = platforms.ceiling(subject.namespace, pool.name.as_str(), &sink);
        let wanted = service(&Deployment {
            pool,
            namespace: subject.namespace,
            owner: &subject.owner,
            sink: &sink,
            secrets: &secrets.mark(),
            guarded: registration::is_guarded(pool),
            timeout,
            ceiling,
        });
        let applier = &self.cluster.applier;
        match applier.apply(&self.cluster.stores.services, &wanted).await {
            Ok(_) => Ok(Some(Deployed {
                secrets,
                timeout,
                ceiling,
            })),
            Err(error) => {
                findings.service = Finding::fails(refusal(&error), words(&error));
                Err(error.into())
            }
        }
    }

    /// The pool's secrets: those that are there, or new ones.
    async fn secrets(&self, subject: &Subject<'_>) -> Result<Secrets, Error> {
        let (store, name) = (&self.cluster.stores.secrets, subject.object.name());
        let key = ObjectRef::new(&names::pool_secret(name)).within(subject.namespace);
        let there = store.get(&key).and_then(|it| Secrets::read(&it));
        let secrets = there.unwrap_or_else(Secrets::random);
        let wanted = secrets.object(subject.namespace, name, &subject.owner);
        self.cluster.applier.apply(store, &wanted).await?;
        Ok(secrets)
    }

    fn longest_request(&self) -> u64 {
        let defaults = self.cluster.stores.knative_defaults.state();
        timeout::most(defaults.first().and_then(|it| it.data.as_ref()))
    }

    fn is_name_taken(&self, subject: &Subject<'_>) -> bool {
        let key = ObjectRef::new(subject.object.name()).within(subject.namespace);
        self.cluster.stores.servers.get(&key).is_some()
    }
}
