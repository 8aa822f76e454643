//! `dormouse dev`: the whole platform in one process.
//!
//! The [platform](crate::platform), and the host of local processes with what the files in the pools
//! folder declare. Start and end are visible in [`run`]; a change of a pool file or a source file is
//! a further [`Deployer::round`].

mod args;
mod asked;
mod build;
mod deploy;
mod event_sources;
mod greeting;
mod revision;
mod watch;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use dormouse_host::Host;

pub use args::DevArgs;
use build::Workspace;
use deploy::{Defaults, Deployer};
use watch::{Root, Sources};

use crate::platform::{Ending, Platform, run_role};
use crate::telemetry;

/// Runs the platform until a signal ends it; says on stderr what went wrong.
#[must_use]
pub fn start(args: DevArgs, token: Option<String>) -> ExitCode {
    telemetry::start_logging(args.platform.log_format);
    run_role(run(args, token))
}

async fn run(args: DevArgs, token: Option<String>) -> anyhow::Result<()> {
    let mut ending = Ending::new()?;
    let data_dir = args.platform.data_dir.clone();
    let defaults = Defaults {
        most_instances: args.max_agents.into(),
        breaker: args.platform.breaker(),
    };
    let mut platform = Platform::open(args.platform, args.host, token, Duration::ZERO).await?;
    let host = Host::new(dormouse_host::Config::default());
    let mut deployer = Deployer::new(
        args.pools.clone(),
        data_dir,
        platform.sink_base(),
        Workspace::of(&args.pools, args.no_build),
        host.clone(),
        platform.coordinator.clone(),
        defaults,
    );
    let mut sources = watch_pools(&args.pools);
    let mut round = tokio::select! {
        round = deployer.round() => round,
        () = ending.asked() => return Ok(()),
    };
    platform.take_calls().await?;
    if let Some(sources) = &mut sources {
        let packages = std::mem::take(&mut round.sources);
        sources.watch(packages.into_iter().map(Root::Package));
    }
    let greeting = greeting::greeting(&round, &platform.addresses, platform.is_guarded());
    println!("{greeting}");
    tokio::select! {
        () = follow_changes(&mut deployer, sources) => {}
        () = ending.asked() => {}
    }
    platform.drain(&mut ending).await;
    // The functions may talk to the coordinator until they have ended.
    host.shutdown().await;
    platform.close().await;
    Ok(())
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
