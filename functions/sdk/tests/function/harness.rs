//! A function on a loopback port, and a client that speaks to it as a dispatcher does.

use std::net::SocketAddr;

use bytes::Bytes;
use dormouse_contract::{Event, http_binding, task};
use dormouse_function::{Function, Settings, StartError};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub type Http = Client<HttpConnector, Full<Bytes>>;

/// A function at work; told to stop when dropped.
pub struct Running {
    pub address: SocketAddr,
    pub http: Http,
    pub stop: CancellationToken,
    pub served: JoinHandle<Result<(), StartError>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub async fn start(function: Function, settings: Settings) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let served = tokio::spawn(function.serve(listener, settings, stopped));
    Running {
        address,
        http: Client::builder(TokioExecutor::new()).build_http(),
        stop,
        served,
    }
}

pub async fn fixture() -> Running {
    start(crate::fixture::function(), Settings::default()).await
}

/// A `task.requested` event for a tool.
pub fn requested(tool: &str, arguments: Value) -> Event {
    let params = json!({"name": tool, "arguments": arguments});
    requested_by(
        json!({"protocolVersion": "2025-11-25"}),
        "tools/call",
        params,
    )
}

pub fn requested_by(client: Value, method: &str, params: Value) -> Event {
    let data = json!({"method": method, "params": params, "client": client});
    let mut event = Event::new("e1", "/dormouse", task::REQUESTED)
        .with_json(data.to_string())
        .with_extension(task::TASK_ID, "t1")
        .with_extension(task::ROUND, "1")
        .with_extension(task::ATTEMPT, "2")
        .with_extension(task::ATTEMPT_TOKEN, "0123abcd")
        .with_extension(task::PRINCIPAL, "local/anonymous")
        .with_extension(task::TRACEPARENT, TRACE);
    event.subject = params["name"].as_str().map(str::to_owned);
    event
}

/// A client that can be asked everything.
pub fn able() -> Value {
    json!({"protocolVersion": "2025-11-25", "capabilities": {
        "elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {},
    }})
}

/// One task of a tool, round after round: what a broker keeps of it.
pub struct Task {
    tool: &'static str,
    pub client: Value,
    pub answers: serde_json::Map<String, Value>,
    pub steps: serde_json::Map<String, Value>,
    pub revision: Option<&'static str>,
}

impl Task {
    pub fn of(tool: &'static str) -> Self {
        Self {
            tool,
            client: able(),
            answers: serde_json::Map::new(),
            steps: serde_json::Map::new(),
            revision: None,
        }
    }

    /// The client's result for an ask.
    pub fn answered(mut self, name: &str, result: Value) -> Self {
        self.answers.insert(name.into(), json!({"result": result}));
        self
    }

    /// What a person filled in.
    pub fn accepted(self, name: &str, content: Value) -> Self {
        self.answered(name, json!({"action": "accept", "content": content}))
    }

    pub fn stepped(mut self, name: &str, result: Value) -> Self {
        self.steps.insert(name.into(), result);
        self
    }

    /// The next round's delivery.
    pub fn event(&self) -> Event {
        let mut data = json!({
            "method": "tools/call", "params": {"name": self.tool, "arguments": {}},
            "client": self.client, "answers": self.answers, "steps": self.steps,
        });
        if let Some(revision) = self.revision {
            data["revision"] = revision.into();
        }
        let mut event = requested(self.tool, json!({}));
        event.data = Some(data.to_string().into());
        event
    }

    pub async fn run(&self, function: &Running) -> Answer {
        function.deliver(self.event()).await
    }
}

/// What came back, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub async fn read<B: http_body::Body<Data = Bytes>>(response: Response<B>) -> Self
    where
        B::Error: std::fmt::Debug,
    {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub fn words(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn event(&self) -> Event {
        assert_eq!(self.status, 200, "{self:?}");
        http_binding::read(&self.headers, self.body.clone()).unwrap()
    }

    pub fn data(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The result of a completed call.
    pub fn result(&self) -> Value {
        assert_eq!(self.event().ty, task::COMPLETED, "{self:?}");
        self.data()["result"].take()
    }

    /// The open asks of a suspended call.
    pub fn asks(&self) -> Value {
        assert_eq!(self.event().ty, task::SUSPENDED, "{}", self.words());
        self.data()["asks"].take()
    }

    /// The names of the open asks.
    pub fn asked(&self) -> Vec<String> {
        let asks = self.asks();
        asks.as_object().unwrap().keys().cloned().collect()
    }

    /// Why a call failed.
    pub fn failed(&self) -> task::Failed {
        assert_eq!(self.event().ty, task::FAILED, "{}", self.words());
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The text of a completed call.
    pub fn text(&self) -> String {
        let result = self.result();
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }

    pub fn not_run(&self) -> bool {
        self.headers
            .get(task::NOT_RUN_HEADER)
            .is_some_and(|value| value == "true")
    }
}

impl Running {
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .body(Full::new(body))
            .unwrap();
        request.headers_mut().extend(headers);
        let answer = Answer::read(self.http.request(request).await.unwrap()).await;
        // As the manifest says.
        assert_eq!(answer.headers[task::CONTRACT_HEADER], "1", "{answer:?}");
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, HeaderMap::new(), Bytes::new())
            .await
    }

    pub async fn deliver(&self, event: Event) -> Answer {
        let (headers, body) = http_binding::write_binary(event);
        self.send(Method::POST, "/", headers, body).await
    }

    pub async fn call(&self, tool: &str, arguments: Value) -> Answer {
        self.deliver(requested(tool, arguments)).await
    }
}
