//! Starts a program so that it dies with the platform: the hidden subcommand
//! `exec --parent PID -- PROGRAM ARGUMENT…`.
//!
//! The parent-death signal has to be asked for by the process that it is for, and asking between
//! fork and exec would need `unsafe` and slow every start down. So this little program asks,
//! checks that its parent is still the one that started it (it might have died before), and
//! becomes the program that is meant. The signal is lost where a program is set-user-ID or has
//! file capabilities (`prctl(2)`).

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The name of the subcommand.
pub const SUBCOMMAND: &str = "exec";

/// The exit status when the program cannot be started, as shells have it.
const NOT_STARTED: u8 = 127;

/// Becomes the program that `args` name: what follows `exec` on the command line. Returns only
/// when that is impossible, after saying why on standard error.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter();
    let (Some(flag), Some(parent), Some(dashes), Some(program)) =
        (args.next(), args.next(), args.next(), args.next())
    else {
        return refuse("usage: exec --parent PID -- PROGRAM ARGUMENT…");
    };
    let parent = parent.to_str().and_then(|text| text.parse().ok());
    let (true, Some(parent)) = (flag == "--parent" && dashes == "--", parent) else {
        return refuse("usage: exec --parent PID -- PROGRAM ARGUMENT…");
    };
    if let Err(error) = die_with(parent) {
        return refuse(&error);
    }
    let error = Command::new(&program).args(args).exec();
    refuse(&crate::command::not_started(Path::new(&program), &error))
}

/// What to put behind the launcher so that it becomes this program.
pub(crate) fn arguments(program: &Path, args: &[String]) -> Vec<OsString> {
    let mut all: Vec<OsString> = vec![
        SUBCOMMAND.into(),
        "--parent".into(),
        std::process::id().to_string().into(),
        "--".into(),
        program.into(),
    ];
    all.extend(args.iter().map(OsString::from));
    all
}

#[cfg(any(target_os = "linux", target_os = "freebsd"))]
fn die_with(parent: i32) -> Result<(), String> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| format!("the parent-death signal cannot be set: {error}"))?;
    match getppid() {
        Some(found) if found.as_raw_nonzero().get() == parent => Ok(()),
        Some(_) | None => Err("the platform that started this has died".to_owned()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
fn die_with(_: i32) -> Result<(), String> {
    Ok(())
}

fn refuse(words: &str) -> ExitCode {
    eprintln!("{words}");
    ExitCode::from(NOT_STARTED)
}
