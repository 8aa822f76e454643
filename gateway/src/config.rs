//! The gateway's settings.

use std::time::Duration;

use dormouse_contract::door::Door;

use crate::search::ToolsMode;
use crate::suspension::state::Keys;

/// The gateway's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who may come in, at both ports.
    pub door: Door,
    /// The server's name as clients see it.
    pub name: String,
    /// The server's version as clients see it.
    pub version: String,
    /// What a model should know of this server.
    pub instructions: Option<String>,
    /// What `tools/list` offers to clients that do not say. Default all tools.
    pub tools: ToolsMode,
    /// The largest HTTP body and WebSocket message, in bytes. Default 4 MiB.
    pub max_message: usize,
    /// How many tools one page of `tools/list` holds. Default 1,000.
    pub page_size: usize,
    /// How many calls one WebSocket may have in flight. Some more wait for those to end, the rest
    /// is answered as busy. Default 256.
    pub max_in_flight: usize,
    /// How often an idle stream or socket shows that it lives. Default 25 s.
    pub keep_alive: Duration,
    /// How long a POST waits for its answer before it becomes a stream. Default 500 ms.
    pub stream_after: Duration,
    /// How long a call's stream of events may stay open before it is closed for the client to come
    /// back to it (2025-11-25, "Sending Messages to the Server"); the call goes on. `None`: until
    /// the call ends. Default 5 min.
    pub poll_after: Option<Duration>,
    /// How long a session that outlives its connections may rest before it is forgotten. At rest
    /// it takes a row in the store and no memory. Default 24 h.
    pub session_idle: Duration,
    /// How long a WebSocket session that can be resumed stays in memory without a connection; from
    /// then on it is in the store alone, and notifications are lost. Default 5 min.
    pub parked: Duration,
    /// How many sessions over HTTP may be in memory; beyond it the ones that rested longest are in
    /// the store alone, which holds ten times as many. Default 10,000.
    pub max_sessions: usize,
    /// How long a modern call goes on after its client has gone. Default 1 s.
    pub cancel_grace: Duration,
    /// How often a call that takes long shows that it lives, to clients that gave a progress
    /// token. Default 20 s.
    pub progress_every: Duration,
    /// After how long a modern call becomes a task, where client and tool can do so. Default
    /// 300 ms.
    pub task_after: Duration,
    /// How long an ended task can be asked for: the broker's retention. Default 24 h.
    pub task_ttl: Duration,
    /// Whether the tool `get_result` is offered, by which models fetch answers that were lost.
    /// Default false.
    pub result_tool: bool,
    /// By which `requestState` is known again. Random by default: what was sealed is of no use
    /// after a restart.
    pub state_keys: Keys,
    /// How long modern clients may keep a list (`ttlMs`). Default 30 s.
    pub list_ttl: Duration,
    /// How long running calls may take to end when the gateway stops. Default 30 s.
    pub drain: Duration,
}

impl Config {
    /// The defaults behind this door.
    #[must_use]
    pub fn new(door: Door) -> Self {
        Self {
            door,
            name: "dormouse".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: None,
            tools: ToolsMode::All,
            max_message: 4 << 20,
            page_size: 1_000,
            max_in_flight: 256,
            keep_alive: Duration::from_secs(25),
            stream_after: Duration::from_millis(500),
            poll_after: Some(Duration::from_secs(5 * 60)),
            session_idle: Duration::from_secs(24 * 60 * 60),
            parked: Duration::from_secs(5 * 60),
            max_sessions: 10_000,
            cancel_grace: Duration::from_secs(1),
            progress_every: Duration::from_secs(20),
            task_after: Duration::from_millis(300),
            task_ttl: Duration::from_secs(24 * 3_600),
            result_tool: false,
            state_keys: Keys::random(),
            list_ttl: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }

    /// Who a caller is, once the door has let it in.
    pub(crate) fn principal(&self) -> &'static str {
        self.door.principal()
    }
}
