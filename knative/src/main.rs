//! The operator's program.

mod arguments;
mod telemetry;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use arguments::{Arguments, Command, RunArguments};
use clap::Parser as _;
use dormouse_operator::leader::Candidate;
use dormouse_operator::{controller, crd};
use telemetry::Health;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Gives back to the system what a burst of work has taken.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match Arguments::parse().command() {
        Command::Crds { folder } => write_definitions(folder),
        Command::Run(arguments) => start(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dormouse-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write_definitions(folder: Option<PathBuf>) -> anyhow::Result<()> {
    match folder {
        None => print!("{}", crd::yaml()),
        Some(folder) => crd::write_to(&folder).context("the definitions cannot be written")?,
    }
    Ok(())
}

/// One thread does: the operator waits most of the time.
fn start(arguments: RunArguments) -> anyhow::Result<()> {
    telemetry::start_logging(arguments.log_format);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start")?
        .block_on(run(arguments))
}

/// Waits for the lead, reconciles, and gives the lead back at the end.
async fn run(arguments: RunArguments) -> anyhow::Result<()> {
    // Another provider may be installed already only in tests.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let health = Health::default();
    telemetry::serve(arguments.listen, health.clone()).await?;
    let client = kube::Client::try_default()
        .await
        .context("there is no cluster to be reached: run inside one, or set KUBECONFIG")?;
    let identity = arguments
        .identity
        .unwrap_or_else(|| format!("dormouse-operator-{:08x}", rand::random::<u32>()));
    health.set_ready(true);
    let candidate = Candidate::new(client.clone(), &arguments.lease_namespace, &identity);
    let Some(mut leader) = candidate.lead(&stop).await else {
        return Ok(());
    };
    tracing::info!(identity, "leading");
    metrics::gauge!("dormouse_operator_leader").set(1.0);
    let namespace = arguments.namespace.as_deref();
    tokio::select! {
        done = controller::run(client, namespace, &identity, &stop) => {
            leader.give_back().await;
            done
        }
        () = leader.stay() => bail!("the lead is lost: another operator goes on"),
    }
}

fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.cancel();
    });
    Ok(())
}
