//! A broker, a gateway, and a dispatcher that does what a tool's name says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::{Asks, Broker, Claim, Report, Work};
use dormouse_contract::Manifest;
use dormouse_contract::announcement::Announcement;
use dormouse_contract::door::Door;
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::{Registration, Registrations};
use dormouse_contract::task::{Failed, Outcome, TaskError};
use dormouse_gateway::{Config, Gateway, Store};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, Semaphore, broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub struct Platform {
    pub address: SocketAddr,
    pub gateway: Gateway,
    pub broker: Broker,
    pub pools: watch::Sender<Registrations>,
    pub announcements: broadcast::Sender<Announcement>,
    pub stop: CancellationToken,
    pub functions: Functions,
    pub serving: Option<JoinHandle<()>>,
    _data: Option<tempfile::TempDir>,
}

/// What the functions saw, and what they wait for.
#[derive(Clone)]
pub struct Functions {
    pub seen: Arc<Mutex<Vec<Value>>>,
    pub cancelled: Arc<Notify>,
    /// Lets one `wait` end.
    pub go_on: Arc<Semaphore>,
}

/// A pool with two prompts, a resource, a template of resources, and no tools.
pub fn library(name: &str) -> Arc<Registration> {
    let manifest = json!({
        "contract": 1,
        "prompts": [
            {"name": "greet", "arguments": [{"name": "whom", "required": true}]},
            {"name": "broken"},
        ],
        "resources": [{"uri": "test://fixed", "name": "fixed"}],
        "resourceTemplates": [{"uriTemplate": "test://item/{id}", "name": "item"}],
    });
    registration(name, &manifest)
}

/// A pool with these tools; each takes `{"text": string}`.
pub fn pool(name: &str, tools: &[&str]) -> Arc<Registration> {
    let tool = |name: &&str| {
        json!({
            "name": name,
            "description": "what its name says",
            "execution": {"taskSupport": if *name == "echo" { "forbidden" } else { "optional" }},
            "inputSchema": {"type": "object", "properties": {
                "text": {"type": "string", "x-mcp-header": "Text"},
            }},
        })
    };
    let tools: Vec<Value> = tools.iter().map(tool).collect();
    registration(name, &json!({"contract": 1, "tools": tools}))
}

/// A pool with this manifest.
pub fn registration(name: &str, manifest: &Value) -> Arc<Registration> {
    let manifest = manifest.to_string();
    Arc::new(Registration {
        pool: name.into(),
        agent_type: "test".into(),
        revision: "1".into(),
        manifest: Arc::new(Manifest::parse(manifest.as_bytes()).unwrap()),
        delivery: Delivery::default(),
        tools: BTreeMap::new(),
        triggers: None,
        slots: 64,
        queue_limit: 1_000,
    })
}

pub const TOOLS: [&str; 7] = ["echo", "tell", "wait", "break", "refuse", "pretty", "ask"];

impl Platform {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut platform = Self::start_in(data.path(), configure).await;
        platform._data = Some(data);
        platform
    }

    /// On this data directory.
    async fn start_in(data: &Path, configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(Door::default());
        configure(&mut config);
        let mut settings = dormouse_broker::Config::new(data);
        settings.max_running = 2_000;
        let broker = Broker::open(settings).unwrap();
        let registrations: Registrations = Arc::new(vec![pool("tools", &TOOLS)]);
        for one in registrations.iter() {
            let (slots, limit) = (one.slots, one.queue_limit);
            broker
                .open_pool(one.pool.clone(), slots, limit)
                .await
                .unwrap();
        }
        let (pools, receiver) = watch::channel(registrations);
        let (announcements, heard) = broadcast::channel(16);
        let store = Store::open(data).unwrap();
        let gateway = Gateway::new(config, broker.clone(), store, receiver, heard);
        let functions = Functions {
            seen: Arc::default(),
            cancelled: Arc::default(),
            go_on: Arc::new(Semaphore::new(0)),
        };
        tokio::spawn(dispatch(broker.clone(), functions.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn({
            let (gateway, stop) = (gateway.clone(), stop.clone());
            async move { gateway.serve(listener, stop).await }
        });
        Self {
            address,
            gateway,
            broker,
            pools,
            announcements,
            stop,
            functions,
            serving: Some(serving),
            _data: None,
        }
    }

    /// Registers these pools instead of those before.
    pub async fn register(&self, pools: Vec<Arc<Registration>>) {
        for one in &pools {
            let (slots, limit) = (one.slots, one.queue_limit);
            let opened = self.broker.open_pool(one.pool.clone(), slots, limit);
            opened.await.unwrap();
        }
        self.pools.send(Arc::new(pools)).unwrap();
    }

    /// How many calls reached a function.
    pub fn runs(&self) -> usize {
        self.functions.seen.lock().unwrap().len()
    }
}

/// A platform with a runtime of its own, so that it can be torn down at any moment.
pub struct Process {
    pub platform: Platform,
    runtime: Runtime,
}

impl Process {
    pub async fn start(data: &Path) -> Self {
        Self::start_with(data, |_| {}).await
    }

    pub async fn start_with(
        data: &Path,
        configure: impl FnOnce(&mut Config) + Send + 'static,
    ) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let data = data.to_owned();
        let starting = async move { Platform::start_in(&data, configure).await };
        Self {
            platform: runtime.spawn(starting).await.unwrap(),
            runtime,
        }
    }

    /// Ends it in the middle of everything: nobody is told, nothing is finished.
    pub async fn kill(self, data: &Path) {
        let Self { platform, runtime } = self;
        runtime.shutdown_background();
        drop(platform);
        // The locks are free once everything has been dropped.
        for lock in ["broker.lock", "gateway.lock"] {
            let file = std::fs::File::create(data.join(lock)).unwrap();
            while file.try_lock().is_err() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn dispatch(broker: Broker, functions: Functions) {
    let mut claims = broker.claims();
    while let Some(claim) = claims.recv().await {
        tokio::spawn(run(broker.clone(), functions.clone(), claim));
    }
}

async fn run(broker: Broker, functions: Functions, claim: Claim) {
    let Work::Call(data) = &claim.work else {
        panic!("only calls are made here");
    };
    let requested: Value = serde_json::from_slice(data).unwrap();
    functions.seen.lock().unwrap().push(requested.clone());
    if requested["method"] != "tools/call" {
        let report = other_feature(&requested);
        broker
            .settle(claim.task, claim.token, report)
            .await
            .unwrap();
        return;
    }
    let arguments = &requested["params"]["arguments"];
    let asks = claim.replay.is_none() || arguments["text"] != "wait";
    let report = match &*claim.capability {
        "echo" => Report::Completed(result(&arguments.to_string())),
        "pretty" => Report::Completed(Bytes::from_static(b"{\n  \"content\": []\r\n}")),
        "tell" => {
            tell(&broker, &claim).await;
            Report::Completed(result("told"))
        }
        "ask" if asks => ask(&claim, arguments["text"].as_str().unwrap_or_default()),
        "wait" | "ask" => {
            tokio::select! {
                () = claim.cancelled.cancelled() => {
                    functions.cancelled.notify_one();
                    return;
                }
                permit = functions.go_on.acquire() => {
                    permit.unwrap().forget();
                    Report::Completed(result("waited"))
                }
            }
        }
        "break" => failed(-32_603, Outcome::Unknown),
        "refuse" => failed(-32_602, Outcome::Failed),
        other => panic!("no such tool: {other}"),
    };
    broker
        .settle(claim.task, claim.token, report)
        .await
        .unwrap();
}

fn other_feature(requested: &Value) -> Report {
    let params = &requested["params"];
    let result = match requested["method"].as_str().unwrap() {
        "prompts/get" if params["name"] == "broken" => return failed(-32_603, Outcome::Unknown),
        "prompts/get" => json!({"messages": [{"role": "user", "content": {
            "type": "text", "text": params["arguments"].to_string()}}]}),
        "resources/read" if params["uri"] == "test://item/gone" => {
            return failed(-32_002, Outcome::Failed);
        }
        "resources/read" => json!({"contents": [{"uri": params["uri"], "text": "read"}]}),
        "completion/complete" => json!({"completion": {"values": ["one"], "hasMore": false}}),
        other => panic!("no such method: {other}"),
    };
    Report::Completed(result.to_string().into())
}

async fn tell(broker: &Broker, claim: &Claim) {
    for step in 1..=3 {
        let told = json!({"method": "notifications/progress",
                          "params": {"progress": step, "total": 3}});
        let told = Bytes::from(told.to_string());
        assert!(broker.progress(claim.task, claim.token, &told));
    }
    for level in ["debug", "warning"] {
        let told = json!({"method": "notifications/message",
                          "params": {"level": level, "data": level}});
        let told = Bytes::from(told.to_string());
        assert!(broker.progress(claim.task, claim.token, &told));
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// Asks two things at once, then tells the answers; given the text `wait`, it waits instead. Given
/// `event` it waits for one, given `both` for one and a form.
fn ask(claim: &Claim, text: &str) -> Report {
    if let Some(replay) = &claim.replay {
        return Report::Completed(result(std::str::from_utf8(&replay.answers).unwrap()));
    }
    let grade = r#""grade":{"method":"elicitation/create","params":{ "message":"Which grade?",
        "requestedSchema":{"type":"object","properties":{"grade":{"type":"integer"}}}}}"#;
    let event = r#""news":{"method":"dev.dormouse/event",
        "params":{"filters":[{"exact":{"type":"com.example.news"}}]}}"#;
    let asks = match text {
        "event" => format!("{{{event}}}"),
        "both" => format!("{{{event},{grade}}}"),
        _ => format!(r#"{{{grade},"where":{{"method":"roots/list"}}}}"#),
    };
    Report::Suspended(Asks {
        asks: asks.into(),
        revision: Some("1".to_owned()),
    })
}

fn failed(code: i32, outcome: Outcome) -> Report {
    Report::Failed {
        failure: Failed {
            error: TaskError {
                code,
                message: "the function broke".into(),
                data: None,
            },
            outcome,
        },
        last: true,
        retry_after: None,
    }
}

fn result(text: &str) -> Bytes {
    json!({"content": [{"type": "text", "text": text}]})
        .to_string()
        .into()
}
