//! One HTTP request at a time, with exactly the headers that a test names.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The body as JSON; when it is an event stream, the last message on it.
    pub fn json(&self) -> Value {
        let text = match self.body.rfind("data:") {
            Some(at) if self.is_stream() => self.body[at + 5..].trim(),
            Some(_) | None => &self.body,
        };
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn is_stream(&self) -> bool {
        let media = self.headers.get("content-type");
        media.is_some_and(|media| media.as_bytes().starts_with(b"text/event-stream"))
    }
}

/// Sends a request to `address` (`host:port`) and reads the whole answer.
pub async fn send(
    method: Method,
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    try_send(method, address, path, headers, body.into())
        .await
        .unwrap_or_else(|error| panic!("{path} at {address}: {error}"))
}

/// As [`send`], for a platform that may be down.
pub async fn try_send(
    method: Method,
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", address);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Full::new(body))?).await?;
    let answer = read(response).await;
    connection.abort();
    Ok(answer?)
}

/// `POST` over HTTP/2, with prior knowledge that `address` speaks it without TLS. The URL's
/// authority is what the request names as its host.
pub async fn post_http2(address: &str, url: &str, headers: HeaderMap, body: Bytes) -> Answer {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut request = Request::post(url).body(Full::new(body)).expect("a request");
    *request.headers_mut() = headers;
    let response = sender.send_request(request).await.expect("an answer");
    let answer = read(response).await.expect("its body");
    connection.abort();
    answer
}

async fn read(response: Response<Incoming>) -> hyper::Result<Answer> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// `GET`.
pub async fn get(address: &str, path: &str) -> Answer {
    send(Method::GET, address, path, &[], "").await
}

/// `POST` of a JSON body.
pub async fn post(address: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut all = vec![("content-type", "application/json")];
    all.retain(|(name, _)| !headers.iter().any(|(given, _)| given == name));
    all.extend(headers);
    send(Method::POST, address, path, &all, body.to_owned()).await
}
