//! MCP over Streamable HTTP, on one kept connection: a legacy session, or modern requests.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::client::{Caller, INITIALIZE, INITIALIZED};

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":"#;

/// How the requests of a caller are made.
enum Era {
    Legacy {
        session: String,
    },
    Modern {
        tool: &'static str,
        capabilities: &'static str,
    },
}

/// A kept connection to an MCP endpoint.
pub struct Posts {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    era: Era,
}

impl Posts {
    /// Opens a legacy session at `http://ADDRESS/mcp`.
    pub async fn legacy(address: &str) -> Self {
        let mut posts = Self::connect(address).await;
        let opened = posts.post(INITIALIZE.to_owned()).await;
        let session = opened.headers()["mcp-session-id"].to_str().unwrap();
        posts.era = Era::Legacy {
            session: session.to_owned(),
        };
        opened.into_body().collect().await.unwrap();
        let noted = posts.post(INITIALIZED.to_owned()).await;
        noted.into_body().collect().await.unwrap();
        posts
    }

    /// Modern requests, which need no session.
    pub async fn modern(address: &str) -> Self {
        let mut posts = Self::connect(address).await;
        posts.era = Era::Modern {
            tool: "echo",
            capabilities: "{}",
        };
        posts
    }

    /// Modern requests of a client that can be asked to fill in a form.
    pub async fn asking(address: &str) -> Self {
        let mut posts = Self::connect(address).await;
        posts.era = Era::Modern {
            tool: "quiz",
            capabilities: r#"{"elicitation":{}}"#,
        };
        posts
    }

    async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self {
            sender,
            host: address.to_owned(),
            era: Era::Legacy {
                session: String::new(),
            },
        }
    }

    async fn post(&mut self, body: String) -> http::Response<hyper::body::Incoming> {
        self.sender.ready().await.unwrap();
        let request = http::Request::post("/mcp")
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        let request = match &self.era {
            Era::Legacy { session } if session.is_empty() => request,
            Era::Legacy { session } => request
                .header("mcp-session-id", session)
                .header("mcp-protocol-version", "2025-11-25"),
            Era::Modern { tool, .. } => request
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", "tools/call")
                .header("mcp-name", *tool),
        };
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response = self.sender.send_request(request).await.unwrap();
        assert!(response.status().is_success(), "{response:?}");
        response
    }
}

impl Caller for Posts {
    async fn exchange(&mut self, request: String) -> Bytes {
        let request = match &self.era {
            Era::Legacy { .. } => request,
            Era::Modern { capabilities, .. } => request.replacen(
                r#""params":{"#,
                &format!(r#""params":{{{META}{capabilities}}},"#),
                1,
            ),
        };
        let response = self.post(request).await;
        response.into_body().collect().await.unwrap().to_bytes()
    }
}
