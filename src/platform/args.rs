//! The settings that every role with a platform in it has.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use dormouse_contract::breaker::BreakerPolicy;
use dormouse_contract::door::Door;
use dormouse_contract::duration;
use dormouse_coordinator::BrokerUrl;
use dormouse_gateway::Keys;

use crate::telemetry::LogFormat;

/// What is to be said of the platform, wherever its pools come from.
#[derive(Debug, Args)]
pub struct PlatformArgs {
    /// Where tasks, revisions and secrets are kept.
    #[arg(long, default_value = ".dormouse", env = "DORMOUSE_DATA_DIR")]
    pub data_dir: PathBuf,
    /// The keys that seal what clients carry between a question and its answer, one a line in 64
    /// hexadecimal digits, the newest first; default: `state.keys` in the data directory, made at
    /// the first start. Read again when it changes.
    #[arg(long, value_name = "FILE", env = "DORMOUSE_STATE_KEYS")]
    pub state_keys: Option<PathBuf>,
    /// A file with the bearer token, in place of DORMOUSE_TOKEN. Read again when it changes.
    #[arg(long, value_name = "FILE", env = "DORMOUSE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// How long the token before is still good when a token file has changed.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5m",
        value_parser = duration::parse,
        env = "DORMOUSE_TOKEN_OVERLAP"
    )]
    pub token_overlap: Duration,
    /// Where a Knative Broker takes events (its `status.address.url`). What functions send goes on to
    /// it.
    #[arg(long, value_name = "URL", env = "DORMOUSE_BROKER_URL")]
    pub broker_url: Option<BrokerUrl>,
    /// A file with the token by which Brokers may send events to `/brokers/TOKEN/events` of the
    /// coordinator's port. Read again when it changes.
    #[arg(long, value_name = "FILE", env = "DORMOUSE_BROKER_TOKEN_FILE")]
    pub broker_token_file: Option<PathBuf>,
    /// Offer the tool `get_result`, by which a model fetches answers that were lost. (Clients find
    /// them in the resource `tasks://recent` in any case.)
    #[arg(long, env = "DORMOUSE_RESULT_TOOL")]
    pub result_tool: bool,
    /// Offer the tool `wait_for_event`, by which an agent sleeps until something happens. (Clients
    /// find the newest events in the resources `events://TYPE` in any case.)
    #[arg(long, env = "DORMOUSE_EVENT_TOOLS")]
    pub event_tools: bool,
    /// The port of MCP clients; 0 for any free one.
    #[arg(long, default_value_t = 9876, env = "MCP_PORT")]
    pub port: u16,
    /// The port of health, metrics and sessions; 0 for any free one.
    #[arg(long, default_value_t = 9877, env = "MCP_ADMIN_PORT")]
    pub admin_port: u16,
    /// The port of the coordinator's API and event ingress; 0 for any free one.
    #[arg(long, default_value_t = 8888, env = "COORDINATOR_PORT")]
    pub coordinator_port: u16,
    /// A further host name by which clients may address the platform; repeatable, or several with
    /// commas.
    #[arg(
        long = "allow-host",
        value_name = "NAME",
        value_delimiter = ',',
        env = "DORMOUSE_ALLOW_HOSTS"
    )]
    pub allow_hosts: Vec<String>,
    /// What an accepted call survives.
    #[arg(long, value_enum, default_value_t, env = "DORMOUSE_DURABILITY")]
    pub durability: Durability,
    /// How many calls run at the same time; the rest queue.
    #[arg(long, default_value_t = 50, env = "MCP_MAX_CONCURRENT_TASKS")]
    pub max_tasks: usize,
    /// How often agents that were registered from outside are asked what they offer, in seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..),
        env = "AGENT_HEALTH_CHECK_INTERVAL"
    )]
    pub discovery_interval: u32,
    /// How often the endpoints of such agents are probed. What the platform runs itself is not.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        value_parser = duration::parse,
        env = "DORMOUSE_PROBE_INTERVAL"
    )]
    pub probe_interval: Duration,
    /// After so many failed deliveries in a row an endpoint is left alone; 0: never.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 3,
        env = "DORMOUSE_BREAKER_FAILURES"
    )]
    pub breaker_failures: u32,
    /// For so long it is left alone.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "15s",
        value_parser = duration::parse,
        env = "DORMOUSE_BREAKER_PAUSE"
    )]
    pub breaker_pause: Duration,
    /// How many requests a minute each caller may make, of those that present a token; 0: any
    /// number. Events that come in are not counted, and without a token nobody is.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1_000,
        env = "RATE_LIMIT_MAX_REQUESTS"
    )]
    pub rate_limit: u32,
    /// How long the end waits for running calls, in seconds.
    #[arg(long, default_value_t = 30, env = "DORMOUSE_DRAIN_SECONDS")]
    pub drain_seconds: u64,
    /// How long a client's session may rest before it is forgotten (`90s`, `PT24H`).
    #[arg(long, default_value = "24h", value_parser = duration::parse, env = "DORMOUSE_SESSION_IDLE")]
    pub session_idle: Duration,
    /// How many sessions over HTTP are kept in memory; the ones that rest longest make way.
    #[arg(long, default_value_t = 10_000, env = "DORMOUSE_MAX_SESSIONS")]
    pub max_sessions: usize,
    /// How long a call's event stream stays open before the client is asked to come back to it;
    /// `0s` for as long as the call takes.
    #[arg(long, default_value = "5m", value_parser = duration::parse, env = "DORMOUSE_POLL_AFTER")]
    pub poll_after: Duration,
    /// What clients are offered that do not say: every tool, or two that find and call the others.
    #[arg(long, value_enum, default_value_t, env = "DORMOUSE_TOOLS")]
    pub tools: Tools,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t, env = "DORMOUSE_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// A file that is written once everything listens: the addresses as JSON.
    #[arg(long, hide = true)]
    pub ready_file: Option<PathBuf>,
}

/// What `tools/list` offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Tools {
    /// Every tool.
    #[default]
    All,
    /// `find_tools` and `call_tool`, for small contexts.
    Search,
}

impl PlatformArgs {
    /// When an endpoint is left alone, unless its pool says otherwise.
    pub fn breaker(&self) -> BreakerPolicy {
        BreakerPolicy {
            failures: self.breaker_failures,
            pause: self.breaker_pause,
        }
    }

    /// How long the end waits for running calls.
    pub(super) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    /// Where the state keys are.
    pub(super) fn state_keys(&self) -> PathBuf {
        match &self.state_keys {
            Some(file) => file.clone(),
            None => self.data_dir.join("state.keys"),
        }
    }

    pub(super) fn broker(&self) -> dormouse_broker::Config {
        dormouse_broker::Config {
            durability: self.durability.into(),
            max_running: self.max_tasks,
            ..dormouse_broker::Config::new(&self.data_dir)
        }
    }

    pub(super) fn coordinator(&self) -> dormouse_coordinator::Settings {
        dormouse_coordinator::Settings {
            probe_every: self.probe_interval,
            discover_every: Duration::from_secs(self.discovery_interval.into()),
            breaker: self.breaker(),
            broker: self.broker_url.clone(),
            ..dormouse_coordinator::Settings::default()
        }
    }

    pub(super) fn gateway(&self, door: Door, state_keys: Keys) -> dormouse_gateway::Config {
        dormouse_gateway::Config {
            drain: self.drain(),
            tools: self.tools.into(),
            session_idle: self.session_idle,
            poll_after: (!self.poll_after.is_zero()).then_some(self.poll_after),
            max_sessions: self.max_sessions,
            result_tool: self.result_tool,
            state_keys,
            task_ttl: self.broker().keep_ended,
            ..dormouse_gateway::Config::new(door)
        }
    }
}

impl From<Tools> for dormouse_gateway::ToolsMode {
    fn from(tools: Tools) -> Self {
        match tools {
            Tools::All => Self::All,
            Tools::Search => Self::Search,
        }
    }
}

/// What an accepted call survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Durability {
    /// The death of the process (`kill -9`).
    #[default]
    Process,
    /// A power cut, at some cost in speed.
    Power,
}

impl From<Durability> for dormouse_broker::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Process => Self::Process,
            Durability::Power => Self::Power,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_outside_are_probed_each_minute_and_asked_what_they_offer_each_half() {
        let command = PlatformArgs::augment_args(clap::Command::new("dormouse"));
        let default = |name: &str| {
            let mut arguments = command.get_arguments();
            let argument = arguments.find(|it| it.get_id() == name).expect("a setting");
            argument.get_default_values().to_vec()
        };
        assert_eq!(default("probe_interval"), ["60s"]);
        assert_eq!(default("discovery_interval"), ["30"]);
    }
}
