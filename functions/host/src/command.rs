//! The command that starts a program: its environment, its process group, its standard streams.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use dormouse_contract::task::DELIVERY_SECRET_ENV;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

use crate::launch::Launch;

/// What of the platform's environment every program gets. Nothing else: the platform's secrets
/// are no business of a function.
const INHERITED: [&str; 21] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "NO_COLOR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
];

/// The inherited part of an environment; `find` looks into the platform's.
pub(crate) fn inherited(find: impl Fn(&str) -> Option<OsString>) -> Vec<(OsString, OsString)> {
    INHERITED
        .iter()
        .filter_map(|name| Some((OsString::from(name), find(name)?)))
        .collect()
}

/// The environment of a function, without `PORT`. The pool's own variables win over inherited
/// ones, the platform's over both.
pub(crate) fn environment(
    launch: &Launch,
    find: impl Fn(&str) -> Option<OsString>,
) -> Vec<(OsString, OsString)> {
    let own = launch
        .env
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    let platform = [
        ("K_SERVICE", &*launch.pool),
        ("K_CONFIGURATION", &*launch.pool),
        ("K_REVISION", launch.revision.as_str()),
        ("K_SINK", launch.sink.as_str()),
        ("K_CE_OVERRIDES", launch.overrides.as_str()),
        (DELIVERY_SECRET_ENV, launch.delivery_secret.as_str()),
    ];
    let platform = platform
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.into(), value.into()));
    let mut variables = inherited(find);
    variables.extend(own);
    variables.extend(platform);
    variables
}

/// A command with exactly this environment, in a process group of its own, whose output is read.
pub(crate) fn command(
    program: &Path,
    args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    env: &[(OsString, OsString)],
) -> Command {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Signals a process that has not been waited for, and its group.
pub(crate) fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(group) {
        // ESRCH: it has just ended by itself.
        let _ = kill_process_group(pid, signal);
    }
}

/// Kills what is left of the group of a process that has just been waited for. As long as anything
/// is left, the kernel gives its number to nobody else.
pub(crate) fn sweep(pid: Option<u32>) {
    if let Some(pid) = pid.and_then(group) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

fn group(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// How a process ended, for people.
pub(crate) fn ending(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => format!("its exit status is unknown: {error}"),
    }
}

/// Why a program could not be started, for people.
pub(crate) fn not_started(program: &Path, error: &io::Error) -> String {
    let name = program.display();
    match error.kind() {
        io::ErrorKind::NotFound if program.exists() => {
            format!("`{name}` is there, but the interpreter that it names is not")
        }
        io::ErrorKind::NotFound => {
            format!("`{name}` does not exist: build it, or correct the path")
        }
        io::ErrorKind::PermissionDenied => {
            format!("`{name}` is not executable: `chmod +x` it, or correct the path")
        }
        _ => format!("`{name}` cannot be started: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_variables_win_and_empty_ones_are_left_out() {
        let mut launch = Launch::new("pool", "pool-1", "program");
        launch.env = vec![
            ("PATH".to_owned(), "own".to_owned()),
            ("K_SERVICE".to_owned(), "forged".to_owned()),
        ];
        let variables = environment(&launch, |name| {
            matches!(name, "PATH" | "HOME" | "SECRET").then(|| "platform".into())
        });
        let env: std::collections::BTreeMap<_, _> = variables.into_iter().collect();
        let get = |name: &str| {
            env.get(&OsString::from(name))
                .and_then(|value| value.to_str())
        };
        assert_eq!(get("PATH"), Some("own"));
        assert_eq!(get("HOME"), Some("platform"));
        assert_eq!(get("K_SERVICE"), Some("pool"));
        assert_eq!(get("K_REVISION"), Some("pool-1"));
        assert_eq!(
            (get("SECRET"), get("K_SINK"), get("PORT")),
            (None, None, None)
        );
    }
}
