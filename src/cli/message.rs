//! The MCP messages that this client reads and writes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// What a server says besides the answer.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// `notifications/progress`
    Progress(Progress),
    /// `notifications/message`
    Log(Log),
}

/// The params of `notifications/progress`.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Progress {
    /// How far the call is; rises.
    pub progress: f64,
    /// What `progress` will be at the end, if known.
    #[serde(default)]
    pub total: Option<f64>,
    /// What happens now.
    #[serde(default)]
    pub message: Option<String>,
}

/// The params of `notifications/message`.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Log {
    /// How severe, as syslog names it.
    pub level: String,
    /// Any JSON; usually a text.
    pub data: Value,
}

/// A tool as `tools/list` shows it, as far as this client looks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tool {
    /// Its name.
    pub name: String,
    /// The JSON Schema of its arguments.
    pub input_schema: Value,
}

/// The params of `tools/call`.
#[derive(Debug, Serialize)]
pub(super) struct Call<'a> {
    /// The tool.
    pub name: &'a str,
    /// Its arguments, to the letter.
    pub arguments: Box<RawValue>,
    /// What the platform should know besides.
    #[serde(rename = "_meta")]
    pub meta: CallMeta<'a>,
}

/// The `_meta` of a call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallMeta<'a> {
    /// With it the server reports progress.
    pub progress_token: u64,
    /// By which the platform recognises the same call.
    #[serde(
        rename = "dev.dormouse/idempotencyKey",
        skip_serializing_if = "Option::is_none"
    )]
    pub idempotency_key: Option<&'a str>,
}

/// Any message from the server.
#[derive(Debug, Deserialize)]
pub(super) struct Incoming {
    #[serde(default)]
    pub id: Option<Value>,
    #[serde(default)]
    pub method: Option<String>,
    #[serde(default)]
    pub params: Option<Box<RawValue>>,
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    #[serde(default)]
    pub error: Option<RpcError>,
}

/// A JSON-RPC error object, as far as a person reads it.
#[derive(Debug, Deserialize)]
pub(super) struct RpcError {
    pub code: i64,
    pub message: String,
}

/// The result of `tools/list`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolPage {
    /// The page.
    pub tools: Vec<Tool>,
    /// Where the next page starts.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// A request of ours.
#[derive(Debug, Serialize)]
pub(super) struct Request<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: &'a P,
}

impl<'a, P: Serialize> Request<'a, P> {
    pub(super) fn new(id: u64, method: &'a str, params: &'a P) -> Self {
        Self {
            jsonrpc: "2.0",
            id,
            method,
            params,
        }
    }
}

impl Heard {
    /// Reads a notification; `None` for those that nobody at a terminal misses.
    pub(super) fn read(method: &str, params: &RawValue) -> Option<Self> {
        match method {
            "notifications/progress" => serde_json::from_str(params.get()).ok().map(Self::Progress),
            "notifications/message" => serde_json::from_str(params.get()).ok().map(Self::Log),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn progress_and_logs_are_heard_and_the_rest_is_not() {
        let progress = Heard::read(
            "notifications/progress",
            &params(r#"{"progressToken":1,"progress":2,"total":4,"message":"half"}"#),
        );
        let expected = Progress {
            progress: 2.0,
            total: Some(4.0),
            message: Some("half".into()),
        };
        assert_eq!(progress, Some(Heard::Progress(expected)));
        let log = Heard::read(
            "notifications/message",
            &params(r#"{"level":"info","data":"x"}"#),
        );
        assert!(matches!(log, Some(Heard::Log(log)) if log.data == "x"));
        assert_eq!(Heard::read("notifications/progress", &params("[]")), None);
        assert_eq!(
            Heard::read("notifications/tools/list_changed", &params("{}")),
            None
        );
    }

    #[test]
    fn a_call_carries_its_key_only_when_there_is_one() {
        let mut call = Call {
            name: "t",
            arguments: params("{}"),
            meta: CallMeta {
                progress_token: 3,
                idempotency_key: None,
            },
        };
        let plain = serde_json::to_value(&call).unwrap();
        assert_eq!(plain["_meta"], json!({"progressToken": 3}));
        call.meta.idempotency_key = Some("k");
        let keyed = serde_json::to_value(&call).unwrap();
        assert_eq!(keyed["_meta"]["dev.dormouse/idempotencyKey"], "k");
    }
}
