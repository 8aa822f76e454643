//! A small MCP client over WebSocket: revision 2025-11-25, one request at a time.
//!
//! The handshake is the legacy one, so that `--mcp-url` may point at any MCP server that speaks
//! WebSocket (subprotocol `mcp`, one JSON-RPC message a text frame).

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::Uri;
use http::header::AUTHORIZATION;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Connection;
use super::coordinator::{bearer, detail};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::message::{Heard, Incoming, Request, Tool, ToolPage};

const REVISION: &str = "2025-11-25";
/// How long the handshake and the list of tools may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the end of the connection may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// JSON-RPC: method not found.
const METHOD_NOT_FOUND: i32 = -32601;

/// A connection on which the handshake is done.
pub(super) struct Session {
    socket: WebSocketStream<TcpStream>,
    endpoint: Endpoint,
    last_id: u64,
}

impl Session {
    /// Connects and shakes hands.
    pub(super) async fn open(connection: &Connection) -> Result<Self, Failure> {
        let endpoint = Endpoint::parse("--mcp-url", "ws", &connection.mcp_url)?;
        let slow = Failure::Slow {
            url: endpoint.url.clone(),
            within: PATIENCE,
        };
        let opened = tokio::time::timeout(PATIENCE, Self::shake_hands(endpoint, connection)).await;
        opened.unwrap_or(Err(slow))
    }

    async fn shake_hands(endpoint: Endpoint, connection: &Connection) -> Result<Self, Failure> {
        let uri: Uri = endpoint
            .url
            .parse()
            .map_err(|_| endpoint.strange("its URL cannot be read"))?;
        let mut request = ClientRequestBuilder::new(uri).with_sub_protocol("mcp");
        if let Some(token) = bearer(connection)?
            && let Ok(token) = token.to_str()
        {
            request = request.with_header(AUTHORIZATION.as_str(), token);
        }
        let stream = endpoint.connect().await?;
        let (socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .map_err(|error| upgrade_refused(&endpoint, error))?;
        let mut session = Self {
            socket,
            endpoint,
            last_id: 0,
        };
        let hello = json!({
            "protocolVersion": REVISION,
            "capabilities": {},
            "clientInfo": {"name": "dormouse-cli", "version": env!("CARGO_PKG_VERSION")},
        });
        let id = session.next_id();
        session
            .request(id, "initialize", &hello, &mut |_| {})
            .await?;
        session
            .notify("notifications/initialized", json!({}))
            .await?;
        Ok(session)
    }

    /// The id of the next request.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Finds a tool; when there is none of this name, the failure lists those there are.
    pub(super) async fn find_tool(&mut self, name: &str) -> Result<Tool, Failure> {
        let mut names = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.list_tools(cursor).await?;
            for tool in page.tools {
                if tool.name == name {
                    return Ok(tool);
                }
                names.push(tool.name);
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Err(no_such_tool(name, &names));
            }
        }
    }

    async fn list_tools(&mut self, cursor: Option<String>) -> Result<ToolPage, Failure> {
        let slow = Failure::Slow {
            url: self.endpoint.url.clone(),
            within: PATIENCE,
        };
        let params = cursor.map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
        let id = self.next_id();
        let mut heard = |_| {};
        let answer = self.request(id, "tools/list", &params, &mut heard);
        let page = tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap_or(Err(slow))?;
        serde_json::from_str(page.get())
            .map_err(|error| self.endpoint.strange(format!("its list of tools: {error}")))
    }

    /// Sends a request and waits for its result, telling what is heard meanwhile. Dropping the
    /// future gives up waiting; [`Session::cancel`] then tells the server.
    pub(super) async fn request(
        &mut self,
        id: u64,
        method: &str,
        params: &impl Serialize,
        heard: &mut dyn FnMut(Heard),
    ) -> Result<Box<RawValue>, Failure> {
        self.send(&Request::new(id, method, params)).await?;
        loop {
            let message = self.receive().await?;
            if let Some(method) = message.method {
                match (message.id, message.params) {
                    (Some(id), _) => self.answer(id, &method).await?,
                    (None, Some(params)) => {
                        Heard::read(&method, &params)
                            .into_iter()
                            .for_each(&mut *heard);
                    }
                    (None, None) => {}
                }
                continue;
            }
            // An error without an id answers a request that the server could not read.
            let is_ours = message.id == Some(id.into());
            match (message.error, message.result) {
                (Some(error), _) if is_ours || message.id.is_none() => {
                    return Err(Failure::Rpc {
                        code: error.code,
                        message: error.message,
                    });
                }
                (None, Some(result)) if is_ours => return Ok(result),
                (Some(_) | None, _) => {}
            }
        }
    }

    /// Tells the server that nobody waits for a request any more, and leaves.
    pub(super) async fn cancel(mut self, id: u64, reason: &str) {
        let params = json!({"requestId": id, "reason": reason});
        if self.notify("notifications/cancelled", params).await.is_ok() {
            self.close().await;
        }
    }

    /// Leaves in the order that the protocol asks for, so that the server reads what was sent.
    pub(super) async fn close(mut self) {
        let farewell = async {
            if self.socket.close(None).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        // A server that does not say goodbye is left all the same.
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    async fn answer(&mut self, id: Value, method: &str) -> Result<(), Failure> {
        let mut answer = json!({"jsonrpc": "2.0", "id": id});
        if method == "ping" {
            answer["result"] = json!({});
        } else {
            let message = format!("this client offers no {method}");
            answer["error"] = json!({"code": METHOD_NOT_FOUND, "message": message});
        }
        self.send(&answer).await
    }

    async fn notify(&mut self, method: &str, params: Value) -> Result<(), Failure> {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
            .await
    }

    async fn send(&mut self, message: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(message)
            .map_err(|error| Failure::Usage(format!("the request is no JSON: {error}")))?;
        let sent = self.socket.send(Message::text(text)).await;
        sent.map_err(|error| self.lost(error.to_string()))
    }

    async fn receive(&mut self) -> Result<Incoming, Failure> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text)
                        .map_err(|error| self.endpoint.strange(error.to_string()));
                }
                Some(Ok(Message::Close(Some(frame)))) if !frame.reason.is_empty() => {
                    return Err(self.lost(frame.reason.to_string()));
                }
                Some(Ok(Message::Close(_))) | None => {
                    return Err(self.lost("the server closed it".to_owned()));
                }
                Some(Ok(Message::Binary(_))) => {
                    return Err(self.endpoint.strange("it sends binary frames"));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(self.lost(error.to_string())),
            }
        }
    }

    fn lost(&self, reason: String) -> Failure {
        Failure::Lost {
            url: self.endpoint.url.clone(),
            reason,
        }
    }
}

fn upgrade_refused(endpoint: &Endpoint, error: Error) -> Failure {
    match error {
        Error::Http(response) if response.status() == http::StatusCode::UNAUTHORIZED => {
            Failure::Token
        }
        Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            Failure::Refused {
                status: response.status().as_u16(),
                detail: detail(body).unwrap_or_else(|| "it opens no WebSocket here".to_owned()),
            }
        }
        Error::Io(error) => endpoint.unreachable(&error),
        other => endpoint.strange(other.to_string()),
    }
}

fn no_such_tool(name: &str, names: &[String]) -> Failure {
    const SHOWN: usize = 20;
    let mut text = format!("there is no tool `{name}`");
    if names.is_empty() {
        text.push_str(", nor any other: `dormouse pools` shows which pools are registered");
    } else {
        let shown = names.iter().take(SHOWN).map(String::as_str);
        text.push_str("; these there are: ");
        text.push_str(&shown.collect::<Vec<_>>().join(", "));
    }
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    Failure::Usage(text)
}

#[cfg(test)]
mod tests;
