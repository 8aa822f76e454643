//! A WebSocket client.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::http_client::initialize;

pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

/// Connects with this subprotocol offer; `Err` holds what the server answered instead.
pub async fn connect(
    address: SocketAddr,
    path: &str,
    offer: &'static str,
) -> Result<(Socket, Response), Error> {
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    request
        .headers_mut()
        .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offer));
    let stream = TcpStream::connect(address).await.unwrap();
    let (stream, response) = client_async(request, stream).await?;
    Ok((Socket { stream }, response))
}

/// Connects and opens a legacy session.
pub async fn open(address: SocketAddr, revision: &str) -> Socket {
    let (mut socket, _) = connect(address, "/mcp", "mcp").await.unwrap();
    socket.send(&initialize(revision)).await;
    assert_eq!(
        socket.receive().await["result"]["protocolVersion"],
        revision
    );
    socket
}

/// Connects with these headers; `Err` holds what the server answered instead.
pub async fn connect_with(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<(Socket, Response), Error> {
    let mut request = format!("ws://{address}/mcp").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let (stream, response) = client_async(request, stream).await?;
    Ok((Socket { stream }, response))
}

impl Socket {
    /// Breaks the connection without a word.
    pub fn lose(self) {
        drop(self.stream.into_inner());
    }

    /// The next text message as it came; `None` when the connection has ended.
    pub async fn next_text(&mut self) -> Option<String> {
        loop {
            match self.stream.next().await?.ok()? {
                Message::Text(text) => return Some(text.to_string()),
                Message::Close(_) => return None,
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// The next text message.
    pub async fn receive(&mut self) -> Value {
        loop {
            match self.stream.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends a request and returns the next message.
    pub async fn ask(&mut self, message: &Value) -> Value {
        self.send(message).await;
        self.receive().await
    }

    /// The code with which the server closes; what it sends before is overlooked.
    pub async fn closed(&mut self) -> CloseCode {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => return code,
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
