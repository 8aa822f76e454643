//! The command line: what is typed, and the commands that talk to a running platform through its
//! public doors. What they print on stdout is the result and nothing else.

mod arguments;
mod call;
mod content;
mod coordinator;
mod dead_letters;
mod endpoint;
mod events;
mod failure;
mod input;
mod mcp;
mod message;
mod pools;
mod print;
mod progress;
mod readable;
mod send;
mod tasks;
mod timeline;
mod triggers;

use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use failure::Failure;

/// Agent tools that sleep until called.
#[derive(Debug, Parser)]
#[command(name = "dormouse", version, about)]
pub struct Cli {
    /// Where the platform is.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where the platform is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// Where MCP is spoken.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "MCP_SERVER_URL",
        default_value = "ws://127.0.0.1:9876"
    )]
    mcp_url: String,
    /// Where the coordinator's API is.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "COORDINATOR_URL",
        default_value = "http://127.0.0.1:8888"
    )]
    coordinator_url: String,
    /// Where the gateway's admin door is.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "MCP_ADMIN_URL",
        default_value = "http://127.0.0.1:9877"
    )]
    admin_url: String,
    /// The bearer token that the platform asks every client for
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "DORMOUSE_TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
}

#[cfg(test)]
impl Connection {
    /// To a coordinator there, and nowhere else.
    fn to_coordinator(url: &str) -> Self {
        Self {
            mcp_url: String::new(),
            coordinator_url: url.to_owned(),
            admin_url: String::new(),
            token: None,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the whole platform on this machine, all pools asleep
    Dev(Box<crate::dev::DevArgs>),
    /// Start the platform alone, for clusters: its pools run elsewhere and are registered
    Serve(Box<crate::serve::ServeArgs>),
    /// Commands that talk to a running platform.
    #[command(flatten)]
    Client(Box<ClientCommand>),
}

/// Commands that talk to a running platform, and the one that needs none.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Call a tool and print its result
    Call(call::CallArgs),
    /// Send a CloudEvent and say which pools take it
    Send(send::SendArgs),
    /// Show the pools: what they offer and whether they sleep
    Pools(pools::PoolsArgs),
    /// List, show and cancel tasks
    Tasks(tasks::TasksArgs),
    /// List, follow and show events
    Events(events::EventsArgs),
    /// List triggers, and say which take an event and why the others do not
    Triggers(triggers::TriggersArgs),
    /// List, show, redrive and discard what could not be delivered
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs: what the platform answered.
    Json,
}

/// Runs a command to its end and says how it went.
#[must_use]
pub fn start(command: ClientCommand, connection: Connection) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(command, &connection)),
        Err(error) => {
            print::note(&format!("dormouse: the runtime cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: ClientCommand, connection: &Connection) -> ExitCode {
    let done = match command {
        ClientCommand::Call(args) => call::run(args, connection).await,
        ClientCommand::Send(args) => send::run(args, connection).await,
        ClientCommand::Pools(args) => pools::run(args, connection).await,
        ClientCommand::Tasks(args) => tasks::run(args, connection).await,
        ClientCommand::Events(args) => events::run(args, connection).await,
        ClientCommand::Triggers(args) => triggers::run(args, connection).await,
        ClientCommand::DeadLetters(args) => dead_letters::run(args, connection).await,
        ClientCommand::Completions { shell } => completions(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dormouse", &mut script);
    print::result(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_token_goes_before_or_after_any_command() {
        for line in [
            ["dormouse", "--token", "t", "pools"],
            ["dormouse", "pools", "--token", "t"],
            ["dormouse", "--token", "t", "dev"],
            ["dormouse", "dev", "--token", "t"],
            ["dormouse", "serve", "--token", "t"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.connection.token.as_deref(), Some("t"), "{line:?}");
        }
    }

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "dormouse", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in ["tasks", "dead-letters", "redrive", "tail"] {
                assert!(script.contains(word), "{word} for {shell}");
            }
        }
    }
}
