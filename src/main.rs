//! Agent tools that sleep until called: one binary with roles, and the command line.
//!
//! This file reads the command line and hands over; nothing is decided here.

mod cli;
mod dev;
mod platform;
mod serve;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use dormouse_host::exec;

/// A call allocates on one thread and frees on another; the system's allocator locks for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // On the way of every wake: no time for the whole command line.
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|word| word == exec::SUBCOMMAND) {
        return exec::run(args);
    }
    let Cli {
        connection,
        command,
    } = Cli::parse();
    match command {
        Command::Dev(args) => dev::start(*args, connection.token),
        Command::Serve(args) => serve::start(*args, connection.token),
        Command::Client(command) => cli::start(*command, connection),
    }
}
