//! Asks a program what it offers, without waking it for calls.

use std::io;
use std::path::Path;
use std::time::Duration;

use dormouse_contract::Manifest;
use dormouse_contract::manifest::InvalidManifest;
use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;
use tokio::process::Child;

use crate::command::{command, ending, inherited, not_started, signal, sweep};
use crate::output::{Tail, read_lines};
use crate::spawner::spawn;

/// The largest manifest that is taken from a program.
const LARGEST_MANIFEST: u64 = 4 * 1024 * 1024;

/// Why a program's manifest is not known.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// It could not be started.
    #[error("{0}")]
    NotStarted(String),
    /// It failed.
    #[error("`{program} --capabilities` failed ({status}){said}")]
    Failed {
        /// The program.
        program: String,
        /// Its exit status in words.
        status: String,
        /// Its last words, if any.
        said: String,
    },
    /// It was still running.
    #[error(
        "`{program} --capabilities` did not end within {}: it must print the manifest and exit{said}",
        dormouse_contract::duration::format(*timeout)
    )]
    TimedOut {
        /// The program.
        program: String,
        /// How long it had.
        timeout: Duration,
        /// Its last words, if any.
        said: String,
    },
    /// It printed more than 4 MiB.
    #[error("`{0} --capabilities` printed more than 4 MiB: print only the manifest there")]
    TooLarge(String),
    /// What it printed is no manifest.
    #[error("`{program} --capabilities`: {error}{said}")]
    Invalid {
        /// The program.
        program: String,
        /// What is wrong.
        error: InvalidManifest,
        /// Its last words, if any.
        said: String,
    },
}

/// Runs `PROGRAM ARGUMENT… --capabilities` and reads the manifest that it prints. It gets this
/// environment besides the few inherited variables, and no standard input; it is killed when it
/// has not ended in time.
///
/// # Errors
/// [`DescribeError`], with what the program printed on standard error.
pub async fn describe(
    program: &Path,
    args: &[String],
    env: &[(String, String)],
    timeout: Duration,
) -> Result<Manifest, DescribeError> {
    let name = program.display().to_string();
    let mut variables = inherited(|name| std::env::var_os(name));
    variables.extend(env.iter().map(|(name, value)| (name.into(), value.into())));
    let args = args.iter().map(String::as_str).chain(["--capabilities"]);
    let mut child = spawn(command(program, args, &variables))
        .await
        .map_err(|error| DescribeError::NotStarted(not_started(program, &error)))?;
    let pid = child.id();
    let tail = Tail::default();
    let ended = tokio::time::timeout(timeout, listen(&mut child, &tail)).await;
    signal(&child, Signal::KILL);
    let waited = child.wait().await;
    sweep(pid);
    let said = tail.said();
    let (printed, status) = match ended {
        Ok(Ok(printed)) => (printed, waited),
        Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(DescribeError::TooLarge(name));
        }
        Ok(Err(error)) => (Vec::new(), Err(error)),
        Err(_) => {
            return Err(DescribeError::TimedOut {
                program: name,
                timeout,
                said,
            });
        }
    };
    if !status.as_ref().is_ok_and(|status| status.success()) {
        return Err(DescribeError::Failed {
            program: name,
            status: ending(&status),
            said,
        });
    }
    Manifest::parse(&printed).map_err(|error| DescribeError::Invalid {
        program: name,
        error,
        said,
    })
}

/// What the program prints on standard output until it ends.
async fn listen(child: &mut Child, tail: &Tail) -> io::Result<Vec<u8>> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let printed = async {
        let mut printed = Vec::new();
        if let Some(stdout) = stdout {
            let mut limited = stdout.take(LARGEST_MANIFEST + 1);
            limited.read_to_end(&mut printed).await?;
        }
        match printed.len() as u64 {
            0..=LARGEST_MANIFEST => Ok(printed),
            _ => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
        }
    };
    let said = async {
        if let Some(stderr) = stderr {
            read_lines(stderr, |line| tail.push(line)).await;
        }
        Ok(())
    };
    let (printed, ()) = tokio::try_join!(printed, said)?;
    child.wait().await?;
    Ok(printed)
}
