//! One operator at a time: the others wait for a Lease.
//!
//! Whoever cannot renew the Lease in time stops, before another may think that it is free.

mod decision;

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::controller::words;
use decision::{Step, TERM, decide};

/// The Lease's name.
const NAME: &str = "dormouse-operator";

/// How often candidates look.
const LOOK: Duration = Duration::from_secs(2);

/// How often the leader renews.
const RENEW: Duration = Duration::from_secs(5);

/// A leader that could not renew for so long no longer leads: well before its term ends.
const DEADLINE: Duration = Duration::from_secs(10);

/// A candidate.
pub struct Candidate {
    api: Api<Lease>,
    me: String,
}

/// A leader.
pub struct Leader {
    candidate: Candidate,
    lease: Lease,
}

impl Candidate {
    /// For the Lease of a namespace; `me` is nobody else's name.
    #[must_use]
    pub fn new(client: Client, namespace: &str, me: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            me: me.to_owned(),
        }
    }

    /// Waits until it leads; `None` when told to stop.
    pub async fn lead(self, stop: &CancellationToken) -> Option<Leader> {
        let mut seen: Option<(Option<String>, Instant)> = None;
        loop {
            match stop.run_until_cancelled(self.attempt(&mut seen)).await? {
                Ok(Some(lease)) => {
                    let candidate = self;
                    return Some(Leader { candidate, lease });
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(error = words(&error), "the lease cannot be had");
                }
            }
            stop.run_until_cancelled(sleep(LOOK)).await?;
        }
    }

    /// Looks once and takes the Lease if it may; `seen` is the version seen last, and since when.
    async fn attempt(
        &self,
        seen: &mut Option<(Option<String>, Instant)>,
    ) -> kube::Result<Option<Lease>> {
        let Some(lease) = self.api.get_opt(NAME).await? else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(NAME.to_owned()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.held(&LeaseSpec::default())),
            };
            return uncontested(self.api.create(&PostParams::default(), &lease).await);
        };
        let version = lease.metadata.resource_version.clone();
        let since = match seen {
            Some((known, since)) if *known == version => *since,
            Some(_) | None => seen.insert((version, Instant::now())).1,
        };
        let spec = lease.spec.clone().unwrap_or_default();
        match decide(&spec, &self.me, since.elapsed()) {
            Step::Wait => Ok(None),
            Step::Take | Step::Renew => self.write(&lease, self.held(&spec)).await,
        }
    }

    /// Replaces the Lease, unless somebody else did meanwhile.
    async fn write(&self, lease: &Lease, spec: LeaseSpec) -> kube::Result<Option<Lease>> {
        let lease = Lease {
            metadata: lease.metadata.clone(),
            spec: Some(spec),
        };
        uncontested(self.api.replace(NAME, &PostParams::default(), &lease).await)
    }

    /// The Lease as held by this process from now on.
    fn held(&self, before: &LeaseSpec) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let is_mine = before.holder_identity.as_deref() == Some(self.me.as_str());
        let transitions = before.lease_transitions.unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: i32::try_from(TERM.as_secs()).ok(),
            acquire_time: match is_mine {
                true => before.acquire_time.clone(),
                false => Some(now.clone()),
            },
            renew_time: Some(now),
            lease_transitions: Some(transitions + i32::from(!is_mine)),
            ..LeaseSpec::default()
        }
    }
}

impl Leader {
    /// Renews the Lease until it is lost.
    pub async fn stay(&mut self) {
        let mut renewed = Instant::now();
        loop {
            sleep(RENEW).await;
            let left = DEADLINE.saturating_sub(renewed.elapsed());
            match timeout(left, self.renew()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return tracing::error!("another operator has taken the lease"),
                Ok(Err(error)) => {
                    tracing::warn!(error = words(&error), "the lease could not be renewed");
                }
                Err(_) => return tracing::error!("the lease could not be renewed in time"),
            }
        }
    }

    async fn renew(&mut self) -> kube::Result<bool> {
        let spec = self.lease.spec.clone().unwrap_or_default();
        let held = self.candidate.held(&spec);
        let written = self.candidate.write(&self.lease, held).await?;
        let is_kept = written.is_some();
        self.lease = written.unwrap_or_else(|| self.lease.clone());
        Ok(is_kept)
    }

    /// Gives the Lease back, so that another may lead at once.
    pub async fn give_back(self) {
        let spec = self.lease.spec.clone().unwrap_or_default();
        let free = LeaseSpec {
            holder_identity: None,
            ..spec
        };
        let given = self.candidate.write(&self.lease, free);
        match timeout(LOOK, given).await {
            Ok(Ok(_)) => tracing::info!("the lease is given back"),
            Ok(Err(error)) => tracing::warn!(error = words(&error), "the lease stays"),
            Err(_) => tracing::warn!("the lease stays: the API server does not answer"),
        }
    }
}

/// `None` where another was faster.
fn uncontested(written: kube::Result<Lease>) -> kube::Result<Option<Lease>> {
    match written {
        Ok(lease) => Ok(Some(lease)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}
