//! The platform: gateway, admin door, coordinator and the embedded broker in one process.
//!
//! A role opens it, brings its own pools if it has any, lets calls in, and at the end drains and
//! closes it. Whatever is the same for every role is here.

mod args;
mod data_dir;
mod doors;
mod ending;
mod event_tools;
mod rate;
mod secret_file;
mod state_keys;
mod token;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use dormouse_broker::Broker;
use dormouse_contract::door::{Door, Phase, Readiness};
use dormouse_coordinator::Coordinator;
use dormouse_coordinator::api::{self, Admission};
use dormouse_gateway::{Gateway, RenderMetrics, Store};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use args::PlatformArgs;
use doors::Doors;
pub use doors::{Addresses, local};
pub use ending::{Ending, run_role};

use crate::telemetry;

/// How long requests to the coordinator's API and the admin door may take at the very end.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

/// A platform that runs.
pub struct Platform {
    /// Where pools are registered.
    pub coordinator: Coordinator,
    /// Where it listens.
    pub addresses: Addresses,
    args: PlatformArgs,
    broker: Broker,
    door: Door,
    readiness: Readiness,
    render: RenderMetrics,
    /// What is only needed to take calls.
    ahead: Option<Ahead>,
    /// Ends the MCP door: what runs finishes.
    stop: CancellationToken,
    /// Ends the two other doors, which are needed until everything is finished.
    close: CancellationToken,
    mcp: JoinSet<()>,
    others: JoinSet<()>,
}

/// What waits for [`Platform::take_calls`].
struct Ahead {
    store: Store,
    mcp: TcpListener,
    admin: TcpListener,
    /// Ends the admin door of the time before.
    early: CancellationToken,
}

impl Platform {
    /// Binds the doors, waits at most `patience` for the data directory, and opens the coordinator's
    /// door. Events wait there and no call is taken before [`Platform::take_calls`].
    pub async fn open(
        args: PlatformArgs,
        host: IpAddr,
        token: Option<String>,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let render = telemetry::start_metrics()?;
        let token = token::load(&args, token)?;
        let brokers = token::of_brokers(&args)?;
        let doors = Doors::open(&args, host, token.as_ref()).await?;
        let addresses = doors.addresses()?;
        let readiness = Readiness::default();
        readiness.enter(Phase::Starting);
        let door = doors::door(&args, host, token)
            .with_rate(rate::limit(args.rate_limit))
            .with_readiness(readiness.clone());
        let (close, early) = (CancellationToken::new(), CancellationToken::new());
        let mut others = JoinSet::new();
        let (admin, same_admin) = doors::share(doors.admin)?;
        let health = dormouse_gateway::health(door.clone());
        others.spawn(serve(same_admin, health, early.clone()));

        let (broker, store) = data_dir::open(&args, patience).await?;
        let coordinator = Coordinator::with(broker.clone(), args.coordinator());
        start_coordinator(&coordinator, args.event_tools).await?;
        let admission = Admission {
            door: door.clone(),
            brokers,
        };
        let api = api::router(coordinator.clone(), admission, Arc::clone(&render));
        others.spawn(serve(doors.coordinator, api, close.clone()));
        Ok(Self {
            coordinator,
            addresses,
            args,
            broker,
            door,
            readiness,
            render,
            ahead: Some(Ahead {
                store,
                mcp: doors.mcp,
                admin,
                early,
            }),
            stop: CancellationToken::new(),
            close,
            mcp: JoinSet::new(),
            others,
        })
    }

    /// Whether clients are asked for a token.
    pub fn is_guarded(&self) -> bool {
        self.door.is_guarded()
    }

    /// Where the functions of this machine send events, without the pool's path.
    pub fn sink_base(&self) -> String {
        format!("http://{}", local(self.addresses.coordinator))
    }

    /// Brings back the pools that were registered from outside, and lets calls and events in. The
    /// role's own pools, whose names take precedence, are there already.
    pub async fn take_calls(&mut self) -> anyhow::Result<()> {
        let Some(ahead) = self.ahead.take() else {
            return Ok(());
        };
        self.coordinator.restore_outside().await?;
        self.coordinator.hold(false).await;
        // Only now are there pools that take what the schedules tell.
        tokio::spawn(self.coordinator.clone().run_schedules());
        let keys = state_keys::load(&self.args.state_keys())?;
        let gateway = Gateway::new(
            self.args.gateway(self.door.clone(), keys),
            self.broker.clone(),
            ahead.store,
            self.coordinator.registrations(),
            self.coordinator.announcements(),
        );
        let (mcp, stop) = (gateway.clone(), self.stop.clone());
        self.mcp
            .spawn(async move { mcp.serve(ahead.mcp, stop).await });
        ahead.early.cancel();
        let (render, close) = (Arc::clone(&self.render), self.close.clone());
        self.others.spawn(async move {
            if let Err(error) = gateway.serve_admin(ahead.admin, render, close).await {
                tracing::error!(%error, "the admin door failed");
            }
        });
        self.readiness.enter(Phase::Ready);
        if let Some(file) = &self.args.ready_file {
            write_ready(file, &self.addresses)?;
        }
        Ok(())
    }

    /// Takes no more calls and finishes what runs: until `--drain-seconds` are over, or another
    /// signal comes. What is not finished is in the store.
    pub async fn drain(&mut self, ending: &mut Ending) {
        eprintln!("dormouse: finishing what runs (Ctrl-C again: at once)");
        self.readiness.enter(Phase::Stopping);
        self.stop.cancel();
        let finished = async {
            self.broker.stop().await;
            while self.mcp.join_next().await.is_some() {}
        };
        tokio::select! {
            drained = tokio::time::timeout(self.args.drain(), finished) => {
                if drained.is_err() {
                    eprintln!(
                        "dormouse: some calls were still running after {} s; what is safe to \
                         repeat runs again at the next start",
                        self.args.drain_seconds
                    );
                }
            }
            () = ending.asked() => {}
        }
        self.coordinator.leave_outside().await;
    }

    /// Closes the doors that are still open.
    pub async fn close(mut self) {
        self.close.cancel();
        let closed = async { while self.others.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_REQUESTS, closed).await;
    }
}

/// Lets it deliver; until all pools are there, an event would not find the triggers that want it.
async fn start_coordinator(coordinator: &Coordinator, event_tools: bool) -> anyhow::Result<()> {
    coordinator.hold(true).await;
    coordinator.open_sinks().await?;
    let (dispatcher, claims) = (coordinator.clone(), coordinator.broker().claims());
    tokio::spawn(async move { dispatcher.dispatch(claims).await });
    let teller = coordinator.clone();
    tokio::spawn(async move { teller.tell_facts().await });
    event_tools::register(coordinator, event_tools).await
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "a door failed");
    }
}

/// Written beside and renamed, so that a reader never sees half of it.
fn write_ready(file: &Path, addresses: &Addresses) -> anyhow::Result<()> {
    let partial = file.with_extension("partial");
    std::fs::write(&partial, serde_json::to_vec(addresses)?)
        .and_then(|()| std::fs::rename(&partial, file))
        .with_context(|| format!("writing {}", file.display()))
}

/// A secret that nobody can guess.
pub fn secret() -> Arc<str> {
    format!("{:032x}", rand::random::<u128>()).into()
}
