//! The process's end: told by a signal, or together with the host that started it.

use std::io;

use crate::error::StartError;

/// What Ctrl-C means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Stop, as on SIGTERM.
    Stop,
    /// Nothing: the terminal tells the host as well, which stops its functions in good order.
    Ignore,
}

/// Dies with the host from now on. Killed, because whoever would have taken an answer is gone and
/// the next host must not find a handler of its predecessor still at work.
#[cfg(target_os = "linux")]
pub(crate) fn follow_host(host: Option<u32>) -> Result<(), StartError> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    let before = getppid();
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    // The signal comes from the parent of the moment: a host that died before is noticed only by
    // its place being taken.
    let parent = getppid();
    let is_host = host.is_none_or(|host| {
        parent.is_some_and(|parent| u32::try_from(parent.as_raw_nonzero().get()) == Ok(host))
    });
    match parent == before && is_host {
        true => Ok(()),
        false => Err(StartError::Orphaned),
    }
}

/// Only Linux can tie a process to its parent; elsewhere the host's own stop must do.
#[cfg(not(target_os = "linux"))]
pub(crate) fn follow_host(_: Option<u32>) -> Result<(), StartError> {
    Ok(())
}

/// Resolves when the process is told to stop. The signals are caught from the moment this
/// function returns; a second one ends the process at once.
#[cfg(unix)]
pub(crate) fn stop_signal(interrupt: Interrupt) -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut told = move |task: &mut std::task::Context<'_>| {
        let interrupted = interrupted.poll_recv(task).is_ready() && interrupt == Interrupt::Stop;
        match interrupted || terminate.poll_recv(task).is_ready() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    };
    Ok(async move {
        std::future::poll_fn(&mut told).await;
        tokio::spawn(async move {
            std::future::poll_fn(&mut told).await;
            tracing::warn!("told to stop twice: ending at once");
            std::process::exit(1);
        });
    })
}

/// Resolves on Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn stop_signal(_: Interrupt) -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
