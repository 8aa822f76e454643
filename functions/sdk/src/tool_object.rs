//! The MCP `Tool` object: what a client is told of a tool.

use dormouse_contract::policy::DeliverySpec;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::shown::Icon;

/// Whether clients may run a tool as a task of theirs (MCP 2025-11-25, `ToolExecution`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskSupport {
    /// They must not.
    Forbidden,
    /// They may.
    Optional,
    /// They must.
    Required,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Execution {
    pub task_support: TaskSupport,
}

/// MCP `ToolAnnotations`; absent means that the author did not say.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Annotations {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
}

/// MCP `Tool`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described<'a> {
    pub name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    pub description: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub icons: &'a [Icon],
    pub input_schema: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<&'a Annotations>,
    pub execution: Execution,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta<'a>>,
}

#[derive(Serialize)]
pub(crate) struct Meta<'a> {
    #[serde(rename = "dev.dormouse/policy")]
    pub policy: &'a DeliverySpec,
}
