//! How a role starts and is told to end.

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs a role to its end; says on stderr what went wrong.
pub fn run_role(role: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let served = tokio::runtime::Runtime::new()
        .context("the runtime cannot start")
        .and_then(|runtime| runtime.block_on(role));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dormouse: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// SIGINT and SIGTERM.
pub struct Ending {
    interrupt: Signal,
    terminate: Signal,
}

impl Ending {
    /// From now on the signals are heard.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns at the next one.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
