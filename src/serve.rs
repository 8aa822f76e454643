//! `dormouse serve`: the platform alone, for clusters.
//!
//! Gateway, admin door and coordinator with the embedded broker. It runs no functions: pools come
//! by registration and are there again after a restart.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use dormouse_contract::duration;

use crate::platform::{Ending, Platform, PlatformArgs, run_role};
use crate::telemetry;

/// Start the platform alone; its pools run elsewhere and are registered.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The address that the doors listen on; anything but loopback needs a token.
    #[arg(long, default_value = "0.0.0.0", env = "MCP_HOST")]
    host: IpAddr,
    /// How long the start waits for another process to let go of the data directory.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "2m",
        value_parser = duration::parse,
        env = "DORMOUSE_LOCK_WAIT"
    )]
    lock_wait: Duration,
    /// What is to be said of the platform.
    #[command(flatten)]
    platform: PlatformArgs,
}

/// Runs the platform until a signal ends it; says on stderr what went wrong.
#[must_use]
pub fn start(args: ServeArgs, token: Option<String>) -> ExitCode {
    telemetry::start_logging(args.platform.log_format);
    run_role(run(args, token))
}

async fn run(args: ServeArgs, token: Option<String>) -> anyhow::Result<()> {
    let mut ending = Ending::new()?;
    let start = async {
        let opened = Platform::open(args.platform, args.host, token, args.lock_wait);
        let mut platform = opened.await?;
        platform.take_calls().await?;
        anyhow::Ok(platform)
    };
    let mut platform = tokio::select! {
        platform = start => platform?,
        () = ending.asked() => return Ok(()),
    };
    let doors = platform.addresses;
    tracing::info!(
        mcp = %doors.mcp,
        admin = %doors.admin,
        coordinator = %doors.coordinator,
        guarded = platform.is_guarded(),
        "takes calls"
    );
    ending.asked().await;
    platform.drain(&mut ending).await;
    platform.close().await;
    Ok(())
}
