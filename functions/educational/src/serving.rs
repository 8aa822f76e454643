//! The function on a free port, delivered to as a dispatcher does.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::endpoint::Endpoint;

pub type Variables = Vec<(&'static str, String)>;

/// The function on a free port, and the sink that its progress goes to; both end with it.
pub struct Serving {
    url: String,
    client: reqwest::Client,
    pub told: Arc<Mutex<Vec<Value>>>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Serving {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn note(State(told): State<Arc<Mutex<Vec<Value>>>>, body: Bytes) -> StatusCode {
    let told_now = serde_json::from_slice(&body).unwrap();
    told.lock().unwrap().push(told_now);
    StatusCode::ACCEPTED
}

impl Serving {
    pub async fn start(variables: Variables) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink_url = format!("http://{}/", sink.local_addr().unwrap());
        let router = Router::new()
            .route("/", axum::routing::post(note))
            .with_state(Arc::clone(&told));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let function = crate::function(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone())
        });
        let settings = dormouse_function::Settings {
            sink: Some(sink_url.parse().unwrap()),
            ..dormouse_function::Settings::default()
        };
        let serving = function.serve(
            dormouse_function::Listener::Tcp(listener),
            settings,
            std::future::pending(),
        );
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            url,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            told,
            tasks: [
                tokio::spawn(async { serving.await.unwrap() }),
                tokio::spawn(async { axum::serve(sink, router).await.unwrap() }),
            ],
        }
    }

    /// Delivers a call of a client that can do nothing, and returns the reply's status and data; a
    /// refusal's is its text.
    pub async fn deliver(&self, tool: &str, arguments: Value) -> (u16, Value) {
        self.deliver_round(tool, arguments, json!({}), json!({}))
            .await
    }

    /// Delivers a round of a call of a client with these capabilities, with these answers.
    pub async fn deliver_round(
        &self,
        tool: &str,
        arguments: Value,
        capabilities: Value,
        answers: Value,
    ) -> (u16, Value) {
        let data = json!({
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments},
            "client": {
                "protocolVersion": "2025-11-25", "progress": true, "capabilities": capabilities,
            },
            "answers": answers,
        });
        let mut request = self.client.post(&self.url).body(data.to_string());
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-id", "e1"),
            ("ce-source", "/dormouse"),
            ("ce-type", dormouse_contract::task::REQUESTED),
            ("ce-subject", tool),
            ("ce-taskid", "t1"),
            ("ce-attempt", "1"),
            ("ce-attempttoken", "secret"),
            ("content-type", "application/json"),
            ("prefer", "reply"),
        ] {
            request = request.header(name, value);
        }
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        let body = reply.text().await.unwrap();
        let data = serde_json::from_str(&body).unwrap_or(Value::String(body));
        (status, data)
    }

    /// The result of a call that is answered.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let (status, data) = self.deliver(tool, arguments).await;
        assert_eq!(status, 200, "{data}");
        data["result"].clone()
    }
}

pub fn with_model(endpoint: &Endpoint) -> Variables {
    vec![
        ("OPENAI_BASE_URL", endpoint.base_url().to_owned()),
        ("OPENAI_MODEL", "tiny".to_owned()),
    ]
}

pub fn text_of(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}
