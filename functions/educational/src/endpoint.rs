//! A model's endpoint on loopback that answers by a script and remembers what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// One answer of the script.
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    parts: Vec<String>,
    end: End,
}

/// What comes after the last part of a body.
#[derive(Clone, Copy)]
pub enum End {
    /// A proper end.
    Complete,
    /// The connection breaks.
    Cut,
    /// Nothing, ever.
    Hang,
}

impl Reply {
    /// An answer of this status and body.
    pub fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            parts: vec![body.to_owned()],
            end: End::Complete,
        }
    }

    /// A stream that writes `texts` one by one and then ends as it should.
    pub fn stream(texts: &[&str]) -> Self {
        let mut reply = Self::open(texts);
        let done = json!({"choices": [{"delta": {}, "finish_reason": "stop"}]});
        reply.parts.push(format!("data: {done}\n\n"));
        // Some endpoints tell the usage after the last choice.
        let usage = json!({"choices": [], "usage": {"total_tokens": 7}});
        reply
            .parts
            .push(format!("data: {usage}\n\ndata: [DONE]\n\n"));
        reply
    }

    /// A stream that writes `texts` one by one and has no end of its own.
    pub fn open(texts: &[&str]) -> Self {
        let first = json!({"choices": [{"delta": {"role": "assistant", "content": ""}}]});
        let mut parts = vec![format!(": hello\n\ndata: {first}\n\n")];
        for text in texts {
            let chunk = json!({"choices": [{"delta": {"content": text}, "finish_reason": null}]});
            parts.push(format!("data: {chunk}\r\n\r\n"));
        }
        Self {
            status: 200,
            headers: vec![("content-type", "text/event-stream".to_owned())],
            parts,
            end: End::Complete,
        }
    }

    /// A stream of these events, to the letter.
    pub fn events(events: &[&str]) -> Self {
        let mut reply = Self::open(&[]);
        let event = |data: &&str| format!("data: {data}\n\n");
        reply.parts = events.iter().map(event).collect();
        reply
    }

    /// The same answer with a header; a second one of the same name replaces the first.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same answer with another end.
    pub fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    fn into_response(self, hung_up: Arc<Notify>) -> Response<Body> {
        let watch = HangUp(hung_up);
        let parts = stream::iter(self.parts.into_iter().map(|part| Ok(Bytes::from(part))));
        // The server sends what it has when a body is not ready, and drops it when one breaks.
        let broken = stream::once(async {
            tokio::task::yield_now().await;
            Err(std::io::Error::other("cut"))
        });
        let body = match self.end {
            End::Complete => Body::from_stream(parts),
            End::Cut => Body::from_stream(parts.chain(broken)),
            End::Hang => Body::from_stream(parts.chain(stream::pending()).map(move |part| {
                let _held = &watch;
                part
            })),
        };
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(body).unwrap()
    }
}

/// Tells when the body that holds it is dropped: the client has hung up.
struct HangUp(Arc<Notify>);

impl Drop for HangUp {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// The whole body.
    pub body: Value,
    /// The Authorization header.
    pub authorization: Option<String>,
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Request>>,
    arrived: Notify,
    hung_up: Arc<Notify>,
}

/// The endpoint; it stops when it is dropped.
pub struct Endpoint {
    base_url: String,
    script: Arc<Script>,
    server: JoinHandle<Result<(), std::io::Error>>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Endpoint {
    /// Starts an endpoint that answers with `replies` in turn, then with 500.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Arc::new(Script {
            replies: Mutex::new(replies.into_iter().collect()),
            ..Script::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/v1/chat/completions", axum::routing::post(answer))
            .with_state(Arc::clone(&script));
        Self {
            base_url,
            script,
            server: tokio::spawn(async { axum::serve(listener, router).await }),
        }
    }

    /// What `OPENAI_BASE_URL` is to be.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.script.requests.lock().unwrap().clone()
    }

    /// Waits for a request.
    pub async fn arrived(&self) {
        self.script.arrived.notified().await;
    }

    /// Waits until a client has left an answer that hangs.
    pub async fn hung_up(&self) {
        self.script.hung_up.notified().await;
    }
}

async fn answer(
    State(script): State<Arc<Script>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Infallible> {
    let authorization = headers.get("authorization");
    script.requests.lock().unwrap().push(Request {
        body: serde_json::from_slice(&body).unwrap(),
        authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
    });
    script.arrived.notify_one();
    let reply = script.replies.lock().unwrap().pop_front();
    let reply = reply.unwrap_or_else(|| Reply::new(500, "the script is over"));
    Ok(reply.into_response(Arc::clone(&script.hung_up)))
}
