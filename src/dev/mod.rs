//! `dormouse dev`: the whole platform in one process.
//!
//! Gateway, admin door, coordinator with the embedded broker, and the host of local processes.
//! Start and end are visible in [`run`]; a change of a pool file or a source file is a further
//! [`Deployer::round`].

mod args;
mod build;
mod deploy;
mod doors;
mod event_sources;
mod event_tools;
mod greeting;
mod rate;
mod revision;
mod state_keys;
mod watch;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use dormouse_broker::{Broker, Config, Durability};
use dormouse_coordinator::{Coordinator, Settings};
use dormouse_gateway::{Gateway, Store};
use dormouse_host::Host;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use args::DevArgs;
use build::Workspace;
use deploy::{Defaults, Deployer};
use doors::{Addresses, Doors};
use watch::{Root, Sources};

use crate::telemetry;

/// Runs the platform until a signal ends it; says on stderr what went wrong.
#[must_use]
pub fn start(args: DevArgs, token: Option<String>) -> ExitCode {
    telemetry::start_logging(args.log_format);
    let served = tokio::runtime::Runtime::new()
        .context("the runtime cannot start")
        .and_then(|runtime| runtime.block_on(run(args, token)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dormouse: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: DevArgs, token: Option<String>) -> anyhow::Result<()> {
    let mut ending = Ending::new()?;
    let render = telemetry::start_metrics()?;
    let doors = Doors::open(&args, token.as_deref()).await?;
    let addresses = doors.addresses()?;
    let door = doors::door(&args, token).with_rate(rate::limit(args.rate_limit));
    let guarded = door.is_guarded();
    let broker = Broker::open(broker_config(&args))?;
    let store = Store::open(&args.data_dir)?;
    let host = Host::new(dormouse_host::Config::default());
    let coordinator = Coordinator::with(broker.clone(), coordinator_settings(&args));
    // Until all pools are there, an event would not find the triggers that want it.
    coordinator.hold(true).await;
    let dispatcher = coordinator.clone();
    coordinator.open_sinks().await?;
    let claims = broker.claims();
    tokio::spawn(async move { dispatcher.dispatch(claims).await });
    let teller = coordinator.clone();
    tokio::spawn(async move { teller.tell_facts().await });
    event_tools::register(&coordinator, args.event_tools).await?;

    // The coordinator's door opens first: functions that are asked for their manifest may talk.
    let (stop, stop_api) = (CancellationToken::new(), CancellationToken::new());
    let api =
        dormouse_coordinator::api::router(coordinator.clone(), door.clone(), Arc::clone(&render));
    let api = tokio::spawn(serve_api(doors.coordinator, api, stop_api.clone()));
    let mut deployer = Deployer::new(
        args.pools.clone(),
        args.data_dir.clone(),
        format!("http://{}", doors::local(addresses.coordinator)),
        Workspace::of(&args.pools, args.no_build),
        host.clone(),
        coordinator.clone(),
        Defaults {
            most_instances: args.max_agents.into(),
            breaker: args.breaker(),
        },
    );
    let mut sources = watch_pools(&args.pools);
    let mut round = tokio::select! {
        round = deployer.round() => round,
        () = ending.asked() => return Ok(()),
    };
    // After the files, whose names take precedence.
    coordinator.restore_outside().await?;
    coordinator.hold(false).await;
    // Only now are there pools that take what the schedules tell.
    tokio::spawn(coordinator.clone().run_schedules());
    if let Some(sources) = &mut sources {
        let packages = std::mem::take(&mut round.sources);
        sources.watch(packages.into_iter().map(Root::Package));
    }
    let patience = Duration::from_secs(args.drain_seconds);
    let state_keys = match &args.state_keys {
        Some(file) => file.clone(),
        None => args.data_dir.join("state.keys"),
    };
    let config = dormouse_gateway::Config {
        drain: patience,
        tools: args.tools.into(),
        session_idle: args.session_idle,
        poll_after: (!args.poll_after.is_zero()).then_some(args.poll_after),
        max_sessions: args.max_sessions,
        result_tool: args.result_tool,
        state_keys: state_keys::load(&state_keys)?,
        task_ttl: broker_config(&args).keep_ended,
        ..dormouse_gateway::Config::new(door)
    };
    let gateway = Gateway::new(
        config,
        broker.clone(),
        store,
        coordinator.registrations(),
        coordinator.announcements(),
    );
    let mut servers = JoinSet::new();
    let (mcp, admin) = (gateway.clone(), gateway);
    let (stop_mcp, stop_admin) = (stop.clone(), stop.clone());
    servers.spawn(async move { mcp.serve(doors.mcp, stop_mcp).await });
    servers.spawn(async move {
        if let Err(error) = admin.serve_admin(doors.admin, render, stop_admin).await {
            tracing::error!(%error, "the admin door failed");
        }
    });
    println!("{}", greeting::greeting(&round, &addresses, guarded));
    if let Some(file) = &args.ready_file {
        write_ready(file, &addresses)?;
    }
    tokio::select! {
        () = follow_changes(&mut deployer, sources) => {}
        () = ending.asked() => {}
    }

    eprintln!("dormouse: finishing what runs (Ctrl-C again: at once)");
    stop.cancel();
    coordinator.leave_outside().await;
    let drain = async {
        broker.stop().await;
        while servers.join_next().await.is_some() {}
    };
    tokio::select! {
        drained = tokio::time::timeout(patience, drain) => {
            if drained.is_err() {
                eprintln!(
                    "dormouse: some calls were still running after {} s; what is safe to repeat \
                     runs again at the next start",
                    args.drain_seconds
                );
            }
        }
        () = ending.asked() => {}
    }
    host.shutdown().await;
    stop_api.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), api).await;
    Ok(())
}

fn coordinator_settings(args: &DevArgs) -> Settings {
    Settings {
        probe_every: args.probe_interval,
        discover_every: Duration::from_secs(args.discovery_interval.into()),
        breaker: args.breaker(),
        ..Settings::default()
    }
}

fn broker_config(args: &DevArgs) -> Config {
    Config {
        durability: match args.durability {
            args::Durability::Process => Durability::Process,
            args::Durability::Power => Durability::Power,
        },
        max_running: args.max_tasks,
        ..Config::new(&args.data_dir)
    }
}

/// Deploys again whenever a file was saved. Never returns.
async fn follow_changes(deployer: &mut Deployer, sources: Option<Sources>) {
    let Some(mut sources) = sources else {
        return std::future::pending().await;
    };
    loop {
        sources.changed().await;
        let round = deployer.round().await;
        for broken in &round.broken {
            tracing::error!("not used: {broken}");
        }
        sources.watch(round.sources.into_iter().map(Root::Package));
    }
}

/// Watches the pools folder from before it is read, so that no change is missed.
fn watch_pools(pools: &Path) -> Option<Sources> {
    match Sources::new() {
        Ok(mut sources) => {
            sources.watch([Root::Pools(pools.to_owned())]);
            Some(sources)
        }
        Err(error) => {
            tracing::warn!(%error, "changes of files are not noticed");
            None
        }
    }
}

async fn serve_api(listener: TcpListener, api: axum::Router, stop: CancellationToken) {
    let served = axum::serve(listener, api)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the coordinator's door failed");
    }
}

/// Written beside and renamed, so that a reader never sees half of it.
fn write_ready(file: &Path, addresses: &Addresses) -> anyhow::Result<()> {
    let partial = file.with_extension("partial");
    std::fs::write(&partial, serde_json::to_vec(addresses)?)
        .and_then(|()| std::fs::rename(&partial, file))
        .with_context(|| format!("writing {}", file.display()))
}

/// SIGINT and SIGTERM.
struct Ending {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Ending {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
