//! From AgentPool files to deployed pools, at start and whenever a file changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use dormouse_contract::Manifest;
use dormouse_contract::breaker::BreakerPolicy;
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::{CallError, Instances, Registration};
use dormouse_coordinator::{Coordinator, Local, PoolSecrets, PoolService};
use dormouse_host::{Host, Listen};
use dormouse_pool::{Pool, Run, load_dir};
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::asked;
use super::build::Workspace;
use super::event_sources::{self, SourceOutcome};
use super::revision::{self, Revision};
use crate::platform::secret;

/// A pool's secrets, made anew with each start of the platform.
pub struct Secrets {
    /// What deliveries carry.
    pub delivery: Arc<str>,
    /// What events of the function outside a task carry.
    pub events: Arc<str>,
}

struct Deployed {
    revision: String,
    host: Option<dormouse_host::Revision>,
}

/// What holds for a pool whose file does not say otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// The most instances that may be awake.
    pub most_instances: usize,
    /// When the pool is left alone because deliveries fail.
    pub breaker: BreakerPolicy,
}

/// Deploys pools and knows which are deployed.
pub struct Deployer {
    /// Where the AgentPool files are.
    pub pools: PathBuf,
    /// Where revisions and secrets are kept.
    pub data_dir: PathBuf,
    /// Where functions send events, without the pool's path.
    pub sink_base: String,
    /// What builds `run.cargo`.
    pub workspace: Workspace,
    /// Where processes run.
    pub host: Host,
    /// Where pools are registered.
    pub coordinator: Coordinator,
    /// What pool files leave open.
    pub defaults: Defaults,
    deployed: BTreeMap<String, Deployed>,
    retiring: tokio::task::JoinSet<()>,
}

/// What became of one pool, for people.
pub struct Outcome {
    /// The pool.
    pub pool: String,
    /// Its tools' names, or why it offers none.
    pub tools: Result<Vec<String>, String>,
}

/// What a round of deployment came to.
#[derive(Default)]
pub struct Round {
    /// Every pool that is declared and readable.
    pub pools: Vec<Outcome>,
    /// Every event source.
    pub event_sources: Vec<SourceOutcome>,
    /// Files that cannot be used, and why.
    pub broken: Vec<String>,
    /// The folders of the packages whose change asks for another round.
    pub sources: BTreeSet<PathBuf>,
}

impl Deployer {
    /// A deployer that has deployed nothing yet.
    pub fn new(
        pools: PathBuf,
        data_dir: PathBuf,
        sink_base: String,
        workspace: Workspace,
        host: Host,
        coordinator: Coordinator,
        defaults: Defaults,
    ) -> Self {
        Self {
            pools,
            data_dir,
            sink_base,
            workspace,
            host,
            coordinator,
            defaults,
            deployed: BTreeMap::new(),
            retiring: tokio::task::JoinSet::new(),
        }
    }

    /// Brings what is deployed in line with the files. What did not change is left alone.
    pub async fn round(&mut self) -> Round {
        while self.retiring.try_join_next().is_some() {}
        let loaded = load_dir(&self.pools);
        let mut round = Round::default();
        round
            .broken
            .extend(loaded.errors.iter().map(ToString::to_string));
        let cargo = |run: &Run| match run {
            Run::Cargo { binary, .. } => Some(binary.clone()),
            Run::Command { .. } | Run::Mcp(_) => None,
        };
        let binaries: BTreeSet<_> = loaded
            .pools
            .iter()
            .filter_map(|file| cargo(&file.pool.run))
            .collect();
        let built = self.workspace.build(&binaries).await;
        match self.workspace.sources(&binaries).await {
            Ok(sources) => round.sources = sources,
            Err(error) => tracing::warn!(error = format!("{error:#}"), "sources are not watched"),
        }
        for file in &loaded.pools {
            let binary = match (&built, cargo(&file.pool.run)) {
                (Ok(built), Some(name)) => Ok(built.get(&name).cloned()),
                (Err(error), Some(_)) => Err(format!("{error:#}")),
                (_, None) => Ok(None),
            };
            let tools = match binary {
                Ok(binary) => self.deploy(&file.pool, binary).await,
                Err(why) => Err(why),
            };
            if let Err(why) = &tools {
                self.report_failure(&file.pool, why).await;
            }
            round.pools.push(Outcome {
                pool: file.pool.name.to_string(),
                tools,
            });
        }
        // A file that cannot be read now may be half written: only what is gone is taken out.
        if loaded.errors.is_empty() {
            self.remove_others(&round.pools).await;
        }
        // Only now are there triggers for what they tell.
        round.event_sources = event_sources::serve(&loaded, &self.data_dir, &self.coordinator);
        let current: Vec<_> = self
            .deployed
            .values()
            .map(|pool| pool.revision.clone())
            .collect();
        revision::forget_others(&self.data_dir, &current);
        round
    }

    async fn deploy(
        &mut self,
        pool: &Pool,
        binary: Option<PathBuf>,
    ) -> Result<Vec<String>, String> {
        let revision = Revision::of(pool, binary.as_deref(), &self.data_dir)
            .map_err(|error| format!("{error:#}"))?;
        let name = pool.name.as_str();
        if let Some(deployed) = self.deployed.get(name)
            && deployed.revision == revision.name
            && deployed.host.is_some()
        {
            return Ok(self.tools_of(name));
        }
        for field in pool.not_honoured() {
            tracing::info!(pool = name, "not honoured here: {field}");
        }
        self.swap(pool, &revision)
            .await
            .map_err(|error| format!("{error:#}"))?;
        Ok(self.tools_of(name))
    }

    async fn swap(&mut self, pool: &Pool, revision: &Revision) -> anyhow::Result<()> {
        let name = pool.name.as_str();
        let secrets = Secrets {
            delivery: secret(),
            events: secret(),
        };
        let sink = format!("{}/pools/{name}/events", self.sink_base);
        let manifest = match revision.listen {
            Listen::Stdin => Some(revision.describe().await?),
            Listen::Port => None,
        };
        let deployed = self
            .host
            .deploy(revision.launch(pool, &secrets, sink, self.defaults));
        let manifest = match manifest {
            Some(manifest) => manifest,
            None => match ask_manifest(deployed.clone()).await {
                Ok(manifest) => manifest,
                Err(error) => {
                    deployed.retire().await;
                    return Err(error);
                }
            },
        };
        let instances = deployed.instances();
        let asked_for = manifest.parsed_triggers()?;
        asked::remember(&self.coordinator, name, &asked_for).await?;
        self.register(
            registration(pool, revision, manifest, self.defaults),
            Local {
                service: PoolService::new(deployed.clone()),
                balance: pool.balance,
                breaker: self.defaults.breaker.with(&pool.breaker),
            },
            secrets,
            instances,
        )
        .await?;
        let now = Deployed {
            revision: revision.name.clone(),
            host: Some(deployed),
        };
        let before = self.deployed.insert(name.to_owned(), now);
        if let Some(before) = before.and_then(|before| before.host) {
            tracing::info!(
                pool = name,
                revision = revision.name,
                "swapped in a new revision"
            );
            self.retiring.spawn(before.retire());
        }
        Ok(())
    }

    async fn register(
        &self,
        registration: Registration,
        local: Local,
        secrets: Secrets,
        instances: watch::Receiver<Instances>,
    ) -> anyhow::Result<()> {
        let secrets = PoolSecrets {
            delivery: secrets.delivery,
            events: secrets.events,
        };
        Ok(self
            .coordinator
            .register(registration, local, secrets, instances)
            .await?)
    }

    /// A pool that cannot be deployed is shown with the reason; a revision that runs goes on.
    async fn report_failure(&mut self, pool: &Pool, why: &str) {
        let name = pool.name.as_str();
        if self
            .deployed
            .get(name)
            .is_some_and(|deployed| deployed.host.is_some())
        {
            tracing::error!(
                pool = name,
                why,
                "the new revision cannot run; the one before goes on"
            );
            return;
        }
        tracing::error!(pool = name, why, "the pool cannot run");
        let manifest = Manifest::of_nothing(name);
        let why = why.to_owned();
        let failing = Instances {
            failure: Some(why.clone()),
            ..Instances::default()
        };
        let (_, instances) = watch::channel(failing);
        let service = tower::service_fn(move |_: http::Request<Bytes>| {
            let error = CallError::NotRun(why.clone());
            async move { Err::<http::Response<Bytes>, _>(error) }
        });
        let revision = Revision {
            name: "none".to_owned(),
            program: PathBuf::new(),
            args: Vec::new(),
            env: Vec::new(),
            listen: Listen::Stdin,
        };
        let secrets = Secrets {
            delivery: secret(),
            events: secret(),
        };
        let mut registration = registration(pool, &revision, manifest, self.defaults);
        // What waits for the pool waits on, and so do the events that it last asked for, until it can
        // run again.
        registration.slots = 0;
        if registration.triggers.is_none() {
            registration.triggers = asked::last(&self.coordinator, name).await;
        }
        let registered = self
            .register(
                registration,
                PoolService::new(service).into(),
                secrets,
                instances,
            )
            .await;
        if let Err(error) = registered {
            tracing::error!(pool = name, %error, "the pool cannot be registered");
        }
        let failed = Deployed {
            revision: revision.name,
            host: None,
        };
        self.deployed.insert(name.to_owned(), failed);
    }

    async fn remove_others(&mut self, declared: &[Outcome]) {
        let gone: Vec<_> = self
            .deployed
            .keys()
            .filter(|name| !declared.iter().any(|pool| pool.pool == **name))
            .cloned()
            .collect();
        for name in gone {
            tracing::info!(pool = name, "removed");
            if let Err(error) = asked::forget(&self.coordinator, &name).await {
                tracing::error!(pool = name, %error, "its triggers cannot be forgotten");
            }
            if let Err(error) = self.coordinator.unregister(&name).await {
                tracing::error!(pool = name, %error, "the pool cannot be taken out");
            }
            if let Some(revision) = self.deployed.remove(&name).and_then(|pool| pool.host) {
                self.retiring.spawn(revision.retire());
            }
        }
    }

    fn tools_of(&self, pool: &str) -> Vec<String> {
        let registrations = self.coordinator.registrations();
        let registrations = registrations.borrow();
        let found = registrations
            .iter()
            .find(|registration| *registration.pool == *pool);
        found
            .and_then(|registration| registration.manifest.parsed_tools().ok())
            .map(|tools| tools.into_iter().map(|tool| tool.name).collect())
            .unwrap_or_default()
    }
}

fn registration(
    pool: &Pool,
    revision: &Revision,
    manifest: Manifest,
    defaults: Defaults,
) -> Registration {
    Registration {
        pool: pool.name.as_str().into(),
        agent_type: pool
            .agent_type
            .clone()
            .unwrap_or_else(|| manifest.agent_type.clone()),
        revision: revision.name.clone(),
        manifest: Arc::new(manifest),
        delivery: Delivery::default().with(&pool.delivery),
        tools: pool.tools.clone(),
        triggers: (!pool.triggers.is_empty()).then(|| pool.triggers.clone()),
        slots: pool.scaling.ceiling(defaults.most_instances) * pool.scaling.concurrency,
        queue_limit: pool.queue_limit,
    }
}

/// Wakes a program that only knows `PORT` once, to ask what it offers.
async fn ask_manifest(revision: dormouse_host::Revision) -> anyhow::Result<Manifest> {
    const PATIENCE: Duration = Duration::from_secs(15);
    let mut request = http::Request::new(Bytes::new());
    *request.uri_mut() = http::Uri::from_static("/capabilities");
    let answer = tokio::time::timeout(PATIENCE, revision.oneshot(request));
    let response = answer
        .await
        .context("GET /capabilities was not answered in time")??;
    let status = response.status();
    anyhow::ensure!(
        status.is_success(),
        "GET /capabilities was answered with {status}"
    );
    Ok(Manifest::parse(response.body())?)
}
