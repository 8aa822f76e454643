//! The operator's command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::telemetry::LogFormat;

/// Runs Dormouse on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "dormouse-operator", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Reconcile AgentPools and MCPServers; the default.
    Run(RunArguments),
    /// Print the CustomResourceDefinitions, or write them to files of a folder.
    Crds {
        /// The folder.
        folder: Option<PathBuf>,
    },
}

/// How it runs.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// The one namespace whose objects are reconciled. Default: all.
    #[arg(long, env = "DORMOUSE_NAMESPACE")]
    pub namespace: Option<String>,

    /// Health and metrics.
    #[arg(long, env = "DORMOUSE_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// Where the Lease is by which one of several operators leads.
    #[arg(long, env = "POD_NAMESPACE", default_value = "dormouse-system")]
    pub lease_namespace: String,

    /// Who this is, among the operators. Default: a random name.
    #[arg(long, env = "POD_NAME")]
    pub identity: Option<String>,

    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

impl Arguments {
    /// The command that is meant.
    #[must_use]
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}
