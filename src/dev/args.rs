//! The settings of `dormouse dev`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use crate::platform::PlatformArgs;

/// Start the whole platform on this machine, all pools asleep.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// Where the AgentPool files are.
    #[arg(long, default_value = "config/pools", env = "DORMOUSE_POOLS")]
    pub pools: PathBuf,
    /// Do not run cargo: use the binaries that are built already.
    #[arg(long)]
    pub no_build: bool,
    /// The address that the doors listen on; anything but loopback needs a token.
    #[arg(long, default_value = "127.0.0.1", env = "MCP_HOST")]
    pub host: IpAddr,
    /// How many instances of a pool may be awake when its file does not say `scaling.max`.
    #[arg(
        long,
        default_value_t = 10,
        value_parser = clap::value_parser!(u16).range(1..),
        env = "MAX_CONCURRENT_AGENTS"
    )]
    pub max_agents: u16,
    /// What is to be said of the platform.
    #[command(flatten)]
    pub platform: PlatformArgs,
}
