//! A scale-to-zero host of local processes.
//!
//! [`Host::deploy`] takes a [`Launch`] and hands out a [`Revision`]: a [`tower::Service`] from
//! request to response. While nobody calls, no process runs. A call starts one and waits for it;
//! more calls start more, up to the bounds of [`Scaling`]; after a time without calls they stop.
//!
//! # How a process gets its listener
//! With [`Listen::Stdin`] the host listens first and hands the listening socket to the process as
//! its standard input. The connection is made before the program has even been loaded and waits
//! in the kernel, so nobody polls. The parent's copy of the listener is closed as soon as the
//! process exists: a dead process means a refused connection, not a silent one. With
//! [`Listen::Port`] the program is told a free port in `PORT` and probed until it answers.
//!
//! # When a call surely did not run
//! [`CallError::NotRun`] is said only when
//! 1. no instance could be started, or the one that the call waited for died or gave up before it
//!    was ready. An instance is ready once it has answered `GET /health/readiness`, on the very
//!    connection that its first call then takes; no call is written before that;
//! 2. the connection could not be made; or
//! 3. the kernel took no byte of the request, which the host counts itself, below HTTP. A kept
//!    connection that the function closed meanwhile is noticed before it is written to, and
//!    another one is taken, or another instance.
//!
//! Everything else without an answer is [`CallError::Unknown`], a first call that kills its
//! process included. A call is never written twice.
//!
//! # What dies when
//! | what happens | process | its descendants |
//! |---|---|---|
//! | idle, retired, shut down | SIGTERM, after [`Launch::stop_timeout`] SIGKILL | SIGKILL once it is gone, if they stayed in its process group |
//! | it dies by itself | | the same |
//! | the platform is killed, even with -9 | the kernel's parent-death signal: SDK programs set it themselves, others are started through [`exec`] (Linux and FreeBSD only) | not signalled; those that read a pipe from it see its end |
//!
//! The parent-death signal follows the *thread* that spawned, so all processes are spawned by one
//! thread that lives as long as this process.
//!
//! # Metrics
//! `dormouse_wakes_total{pool}`; `dormouse_wake_seconds{pool, phase}` with phase `spawn`, `ready`
//! (from spawned to ready) and `total`; `dormouse_instances{pool, state}` with state `ready`,
//! `waking` and `stopping`.
//!
//! [`CallError::NotRun`]: dormouse_contract::registration::CallError::NotRun
//! [`CallError::Unknown`]: dormouse_contract::registration::CallError::Unknown

mod command;
mod connection;
mod describe;
pub mod exec;
mod host;
mod instance;
mod keeper;
mod launch;
mod output;
mod probe;
mod revision;
mod rotation;
mod setback;
mod socket;
mod spawner;

pub use describe::{DescribeError, describe};
pub use host::{Config, Host};
pub use launch::{Launch, Listen, Scaling};
pub use revision::Revision;
