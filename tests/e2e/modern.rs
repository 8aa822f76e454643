//! Requests of the modern era (2026-07-28): complete in themselves, one POST each.

use serde_json::{Map, Value, json};

use crate::http::{self, Answer};

/// The revision.
pub const REVISION: &str = "2026-07-28";

/// One request, right in every respect until a test changes it.
#[derive(Debug, Clone)]
pub struct Modern {
    headers: Vec<(String, String)>,
    body: Value,
}

impl Modern {
    /// A request without parameters of its own.
    pub fn new(method: &str) -> Self {
        let headers = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", REVISION),
            ("mcp-method", method),
        ];
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "end-to-end", "version": "1"},
        });
        Self {
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}}),
        }
    }

    /// A call of a tool.
    pub fn call(tool: &str, arguments: Value) -> Self {
        Self::new("tools/call")
            .header("mcp-name", tool)
            .param("name", json!(tool))
            .param("arguments", arguments)
    }

    /// With this header, instead of any that it has of this name.
    pub fn header(self, name: &str, value: &str) -> Self {
        let mut without = self.without_header(name);
        without.headers.push((name.to_owned(), value.to_owned()));
        without
    }

    /// Without this header.
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| given != name);
        self
    }

    /// With this parameter.
    pub fn param(mut self, name: &str, value: Value) -> Self {
        self.params().insert(name.to_owned(), value);
        self
    }

    /// With this member of `_meta`.
    pub fn meta(mut self, name: &str, value: Value) -> Self {
        self.params()["_meta"][name] = value;
        self
    }

    fn params(&mut self) -> &mut Map<String, Value> {
        self.body["params"].as_object_mut().expect("an object")
    }

    /// Sends it.
    pub async fn send(&self, address: &str) -> Answer {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body = self.body.to_string();
        http::send(hyper::Method::POST, address, "/mcp", &headers, body).await
    }
}
