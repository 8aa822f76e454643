//! A legacy MCP session over WebSocket that can also say what no client should.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::stream::SplitStream;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::{
    Message, WebSocketConfig, frame::coding::CloseCode,
};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// The newest revision of the legacy era.
pub const LEGACY: &str = "2025-11-25";

/// The connection ended before the answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone;

/// Why the server ended the connection: its close code, if it sent one.
pub type Farewell = Option<CloseCode>;

type Pending = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

/// One connection. Answers find their request by id; everything else waits in [`Session::next`].
pub struct Session {
    outgoing: mpsc::UnboundedSender<Message>,
    pending: Pending,
    others: tokio::sync::Mutex<mpsc::UnboundedReceiver<Value>>,
    farewell: Mutex<Option<oneshot::Receiver<Farewell>>>,
    last_id: AtomicU64,
}

impl Session {
    /// Connects and says hello; panics when that fails.
    pub async fn open(address: &str) -> Self {
        Self::try_open(address).await.expect("a session")
    }

    /// Connects and says hello, as the newest legacy revision.
    pub async fn try_open(address: &str) -> Result<Self, Gone> {
        let session = Self::connect(address, &[]).await.map_err(|_| Gone)?;
        session.initialize(LEGACY).await?;
        Ok(session)
    }

    /// Connects and says hello as a client that can be asked to fill in a form.
    pub async fn open_asking(address: &str) -> Self {
        let session = Self::connect(address, &[]).await.expect("a socket");
        let hello = session.hello(LEGACY, json!({"elicitation": {}})).await;
        hello.expect("a session");
        session
    }

    /// Upgrades only, with these headers besides the subprotocol.
    pub async fn connect(
        address: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Box<tokio_tungstenite::tungstenite::Error>> {
        let mut request = format!("ws://{address}/mcp").into_client_request()?;
        let all = request.headers_mut();
        all.insert(
            "sec-websocket-protocol",
            "mcp".parse().expect("a header value"),
        );
        for (name, value) in headers {
            all.insert(*name, value.parse().expect("a header value"));
        }
        let stream = TcpStream::connect(address)
            .await
            .map_err(tokio_tungstenite::tungstenite::Error::from)?;
        let config = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
        Ok(Self::over(socket))
    }

    fn over(socket: WebSocketStream<TcpStream>) -> Self {
        let (mut sink, stream) = socket.split();
        let (outgoing, mut to_send) = mpsc::unbounded_channel();
        let (others_in, others) = mpsc::unbounded_channel();
        let (farewell_in, farewell) = oneshot::channel();
        let pending: Pending = Arc::new(Mutex::new(Some(HashMap::new())));
        tokio::spawn(async move {
            while let Some(message) = to_send.recv().await {
                if sink.send(message).await.is_err() {
                    break;
                }
            }
        });
        let waiting = pending.clone();
        tokio::spawn(async move {
            let code = read(stream, &waiting, others_in).await;
            waiting.lock().expect("not poisoned").take();
            let _ = farewell_in.send(code);
        });
        Self {
            outgoing,
            pending,
            others: tokio::sync::Mutex::new(others),
            farewell: Mutex::new(Some(farewell)),
            last_id: AtomicU64::new(0),
        }
    }

    /// The handshake; returns the server's result.
    pub async fn initialize(&self, revision: &str) -> Result<Value, Gone> {
        self.hello(revision, json!({})).await
    }

    /// The handshake of a client with these capabilities; returns the server's result.
    pub async fn hello(&self, revision: &str, capabilities: Value) -> Result<Value, Gone> {
        let hello = self
            .ask(
                "initialize",
                json!({
                    "protocolVersion": revision,
                    "capabilities": capabilities,
                    "clientInfo": {"name": "end-to-end", "version": "1"},
                }),
            )
            .await?;
        self.notify("notifications/initialized", json!({}));
        Ok(hello["result"].clone())
    }

    /// Sends a request; the whole response message comes through the receiver.
    pub fn start(&self, method: &str, params: Value) -> (u64, oneshot::Receiver<Value>) {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        if let Some(pending) = self.pending.lock().expect("not poisoned").as_mut() {
            pending.insert(id, sender);
        }
        self.say(
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string(),
        );
        (id, receiver)
    }

    /// Sends a request and waits for its response message.
    pub async fn ask(&self, method: &str, params: Value) -> Result<Value, Gone> {
        self.start(method, params).1.await.map_err(|_| Gone)
    }

    /// Calls a tool and returns the result; panics on anything else.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let answer = self
            .ask("tools/call", json!({"name": tool, "arguments": arguments}))
            .await
            .unwrap_or_else(|Gone| panic!("the connection ended during {tool}"));
        match answer.get("result") {
            Some(result) => result.clone(),
            None => panic!("{tool}: {answer}"),
        }
    }

    /// Sends a notification.
    pub fn notify(&self, method: &str, params: Value) {
        self.say(json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    /// Sends a text frame as it is.
    pub fn say(&self, text: impl Into<String>) {
        self.send(Message::text(text.into()));
    }

    /// Sends a frame as it is.
    pub fn send(&self, message: Message) {
        let _ = self.outgoing.send(message);
    }

    /// The next message that answers no request of ours: a notification, or an error without id.
    pub async fn next(&self) -> Option<Value> {
        self.others.lock().await.recv().await
    }

    /// Waits until the server ends the connection, and says with which close code.
    pub async fn farewell(&self) -> Farewell {
        let farewell = self.farewell.lock().expect("not poisoned").take();
        farewell.expect("asked once").await.unwrap_or(None)
    }
}

async fn read(
    mut stream: SplitStream<WebSocketStream<TcpStream>>,
    pending: &Pending,
    others: mpsc::UnboundedSender<Value>,
) -> Farewell {
    while let Some(Ok(message)) = stream.next().await {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(frame) => return frame.map(|frame| frame.code),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                continue;
            }
        };
        let value: Value = serde_json::from_str(&text).expect("every frame is JSON");
        let waiter = match (value.get("method"), value["id"].as_u64()) {
            (None, Some(id)) => pending
                .lock()
                .expect("not poisoned")
                .as_mut()
                .and_then(|pending| pending.remove(&id)),
            (Some(_) | None, _) => None,
        };
        match waiter {
            Some(waiter) => drop(waiter.send(value)),
            None => drop(others.send(value)),
        }
    }
    None
}

/// The text of a result's first content block.
#[track_caller]
pub fn text(result: &Value) -> &str {
    let text = result["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text in {result}"))
}
