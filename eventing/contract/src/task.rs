//! The platform's own events: their types, their extension attributes, and the shape of their
//! data. MCP objects inside are [`RawValue`]s: they pass to the letter.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::suspension::Answer;

/// Event type, broker to function: [`Requested`].
pub const REQUESTED: &str = "dev.dormouse.task.requested.v1";
/// Event type, reply: [`Completed`].
pub const COMPLETED: &str = "dev.dormouse.task.completed.v1";
/// Event type, reply: [`Failed`].
pub const FAILED: &str = "dev.dormouse.task.failed.v1";
/// Event type, reply: the round ended with open asks,
/// [`Suspended`](crate::suspension::Suspended).
pub const SUSPENDED: &str = "dev.dormouse.task.suspended.v1";
/// Event type, function to `K_SINK`, stored: [`Stepped`](crate::suspension::Stepped).
pub const STEPPED: &str = "dev.dormouse.task.stepped.v1";
/// Event type, function to `K_SINK`, not stored: [`Progressed`].
pub const PROGRESSED: &str = "dev.dormouse.task.progressed.v1";

/// Extension: the task's id.
pub const TASK_ID: &str = "taskid";
/// Extension: the pool's name.
pub const POOL: &str = "pool";
/// Extension: the round, from 1.
pub const ROUND: &str = "round";
/// Extension: the attempt in this round, from 1.
pub const ATTEMPT: &str = "attempt";
/// Extension: the attempt's secret, by which its replies and events are believed.
pub const ATTEMPT_TOKEN: &str = "attempttoken";
/// Extension: outside a task, the pool's secret, handed in `K_CE_OVERRIDES`.
pub const POOL_TOKEN: &str = "pooltoken";
/// Extension: when the platform stops waiting for this attempt, RFC 3339.
pub const DEADLINE: &str = "deadline";
/// Extension: who calls.
pub const PRINCIPAL: &str = "principal";
/// Extension: how many pools the event came through, from reply to reply (an integer). Who passes a
/// delivered event on keeps it, so that a loop ends.
pub const HOPS: &str = "dormousehops";
/// Extension: W3C trace context (CloudEvents distributed tracing).
pub const TRACEPARENT: &str = "traceparent";

/// Request header: the pool's delivery secret, which proves that the platform is calling.
pub const DELIVERY_SECRET_HEADER: &str = "dormouse-delivery-secret";
/// Environment variable: the secret that deliveries carry; when set, the function checks it.
pub const DELIVERY_SECRET_ENV: &str = "DORMOUSE_DELIVERY_SECRET";
/// Environment variable: the process id of the host that started the function with its listener
/// as standard input. A function whose parent is another process was orphaned before it could set
/// its parent-death signal, and exits.
pub const HOST_PID_ENV: &str = "DORMOUSE_HOST_PID";
/// Response header, value `true`: the handler surely did not start.
pub const NOT_RUN_HEADER: &str = "dormouse-not-run";
/// Response header, value `1`: a function of contract 1 says this, and nobody on the way to it. A
/// function that sets it on each of its answers says so in its manifest
/// ([`Manifest::marked`](crate::Manifest::marked)).
pub const CONTRACT_HEADER: &str = "dormouse-contract";

/// Data of [`REQUESTED`]: the MCP request to the letter, and what the client can do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Requested<'a> {
    /// The MCP method, e.g. `tools/call`.
    pub method: Cow<'a, str>,
    /// The request's `params`.
    #[serde(borrow)]
    pub params: &'a RawValue,
    /// What the client can do.
    #[serde(default)]
    pub client: Client,
    /// The answers of all rounds before this one, by the name of their ask.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<Cow<'a, str>, Answer<'a>>,
    /// The results of all committed steps, by name.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<Cow<'a, str>, &'a RawValue>,
    /// The revision that suspended the round before this one.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Cow<'a, str>>,
}

/// What the function may expect of the MCP client.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// The protocol revision, e.g. `2025-11-25`.
    #[serde(default)]
    pub protocol_version: String,
    /// MCP `ClientCapabilities`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Box<RawValue>>,
    /// MCP `Implementation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Box<RawValue>>,
    /// The least severe level of log messages that the client wants; `None` means none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// Whether the client gave a progress token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub progress: bool,
}

/// Data of [`COMPLETED`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Completed<'a> {
    /// The MCP result to the letter.
    #[serde(borrow)]
    pub result: &'a RawValue,
}

/// Data of [`FAILED`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// A JSON-RPC error object.
    pub error: TaskError,
    /// Whether the handler ran.
    pub outcome: Outcome,
}

/// A JSON-RPC error object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskError {
    /// The JSON-RPC error code.
    pub code: i32,
    /// What happened, why, and what to do next.
    pub message: String,
    /// Anything a program should know beyond the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

/// What is known of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The handler surely did not start.
    NotRun,
    /// The handler ran and says that it failed.
    Failed,
    /// Nobody knows: it may have run.
    Unknown,
}

/// Data of [`PROGRESSED`]: one MCP notification of a running task.
#[derive(Debug, Serialize, Deserialize)]
pub struct Progressed<'a> {
    /// Rises by one with each notification of an attempt, from 1; gaps are coalesced ones.
    pub seq: u64,
    /// `{method, params}` of `notifications/progress` (without `progressToken`, which the gateway
    /// adds) or `notifications/message`.
    #[serde(borrow)]
    pub notification: &'a RawValue,
}

/// The method and params of a notification in [`Progressed`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Notification<'a> {
    /// `notifications/progress` or `notifications/message`.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// Its params.
    #[serde(borrow)]
    pub params: &'a RawValue,
}
