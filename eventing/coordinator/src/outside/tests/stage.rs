//! A platform without gateway and host, and agents as real HTTP servers on free ports.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use dormouse_broker::{Broker, Config, Ending, NewTask, News, TaskId, Work};
use dormouse_contract::policy::Delivery;
use dormouse_contract::task::COMPLETED;
use dormouse_contract::trace::TraceParent;
use dormouse_contract::{Event, http_binding};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::outside::*;
use crate::registry::Coordinator;

/// Longer than anything here takes, so that a test that hangs fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const MANIFEST: &str = r#"{"contract":1,"agentType":"test","tools":[
    {"name":"t","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}]}"#;

/// An agent that answers calls, and how often it was asked.
pub(super) struct Agent {
    pub(super) address: SocketAddr,
    pub(super) seen: Arc<Seen>,
    pub(super) server: JoinHandle<()>,
}

#[derive(Default)]
pub(super) struct Seen {
    /// 0: as it should be; else the status of every answer to a call.
    pub(super) ailing: AtomicU16,
    pub(super) probes: AtomicUsize,
    pub(super) calls: AtomicUsize,
    pub(super) secrets: Mutex<Vec<String>>,
    manifests: AtomicUsize,
}

impl Seen {
    /// How often it was asked for anything but a call.
    pub(super) fn questions(&self) -> usize {
        self.probes.load(Ordering::Relaxed) + self.manifests.load(Ordering::Relaxed)
    }
}

impl Agent {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener, Arc::default())
    }

    pub(super) fn serve(listener: TcpListener, seen: Arc<Seen>) -> Self {
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/agent", axum::routing::post(answer))
            .route("/agent/capabilities", get(describe))
            .route("/up", get(probe))
            .with_state(Arc::clone(&seen));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            seen,
            server,
        }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}/agent", self.address)
    }

    pub(super) fn row(&self, more: Value) -> Row {
        let mut row = json!({
            "pool_id": "away",
            "endpoint": self.endpoint(),
            "health_endpoint": "/up",
        });
        let members = row.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        Row::parse(row.to_string().as_bytes()).unwrap()
    }

    /// Ends it, connections and all.
    pub(super) async fn stop(self) -> (SocketAddr, Arc<Seen>) {
        self.server.abort();
        let _ = self.server.await;
        (self.address, self.seen)
    }

    /// Starts it again where it was.
    pub(super) async fn back((address, seen): (SocketAddr, Arc<Seen>)) -> Self {
        Self::serve(TcpListener::bind(address).await.unwrap(), seen)
    }

    pub(super) fn calls(&self) -> usize {
        self.seen.calls.load(Ordering::Relaxed)
    }
}

async fn describe(Shared(seen): Shared<Arc<Seen>>) -> &'static str {
    seen.manifests.fetch_add(1, Ordering::Relaxed);
    MANIFEST
}

async fn probe(Shared(seen): Shared<Arc<Seen>>) {
    seen.probes.fetch_add(1, Ordering::Relaxed);
}

async fn answer(Shared(seen): Shared<Arc<Seen>>, headers: axum::http::HeaderMap) -> Response {
    seen.calls.fetch_add(1, Ordering::Relaxed);
    if let Some(secret) = headers.get("dormouse-delivery-secret") {
        let secret = secret.to_str().unwrap().to_owned();
        seen.secrets.lock().unwrap().push(secret);
    }
    let status = seen.ailing.load(Ordering::Relaxed);
    if status != 0 {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let event = Event::new("1", "/away", COMPLETED).with_json(r#"{"result":{"ok":true}}"#);
    let (headers, body) = http_binding::write_binary(event);
    (headers, body).into_response()
}

pub(super) struct Stage {
    pub(super) coordinator: Coordinator,
    pub(super) broker: Broker,
    pub(super) data: TempDir,
}

pub(super) fn settings() -> Settings {
    Settings {
        probe_every: Duration::from_millis(50),
        discover_every: Duration::from_millis(50),
        ..Settings::default()
    }
}

impl Stage {
    pub(super) async fn open() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    pub(super) async fn on(data: TempDir) -> Self {
        // Whoever had it before lets go of it soon.
        let mut opened = Broker::open(Config::new(data.path()));
        while let Err(dormouse_broker::Error::Locked(_)) = opened {
            tokio::time::sleep(Duration::from_millis(5)).await;
            opened = Broker::open(Config::new(data.path()));
        }
        let broker = opened.unwrap();
        let coordinator = Coordinator::with(broker.clone(), settings());
        let (dispatcher, claims) = (coordinator.clone(), broker.claims());
        tokio::spawn(async move { dispatcher.dispatch(claims).await });
        coordinator.restore_outside().await.unwrap();
        Self {
            coordinator,
            broker,
            data,
        }
    }

    /// Stops the platform and starts it again on the same data.
    pub(super) async fn restart(self) -> Self {
        self.coordinator.leave_outside().await;
        self.broker.stop().await;
        let Self {
            coordinator,
            broker,
            data,
        } = self;
        drop((coordinator, broker));
        Self::on(data).await
    }

    pub(super) async fn register(&self, row: Row) -> bool {
        self.coordinator.register_outside(row).await.unwrap()
    }

    pub(super) async fn call(&self) -> Ending {
        self.call_with(Delivery {
            backoff_delay: Duration::from_millis(20),
            repeatable: true,
            ..Delivery::default()
        })
        .await
    }

    pub(super) async fn call_with(&self, delivery: Delivery) -> Ending {
        self.follow(delivery).await.1
    }

    /// What a caller hears who asked for progress, and the end.
    pub(super) async fn follow(&self, delivery: Delivery) -> (Vec<Bytes>, Ending) {
        let id = TaskId::new();
        let mut waiter = self.broker.wait(id);
        let task = NewTask {
            id,
            pool: "away".into(),
            capability: "t".into(),
            work: Work::Call(Bytes::from_static(
                br#"{"method":"tools/call","params":{},"client":{"progress":true}}"#,
            )),
            principal: "me".into(),
            reply_to: None,
            affinity: None,
            trace: TraceParent::random(),
            idempotency: None,
            delivery: Arc::new(delivery),
        };
        self.broker.accept(task).await.unwrap();
        let mut heard = Vec::new();
        let ended = async {
            loop {
                match waiter.next().await {
                    Some(News::Progress(notification)) => heard.push(notification),
                    Some(News::Ended(_, ending)) => return (heard, ending),
                    Some(News::Suspended { .. }) | None => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap()
    }

    pub(super) fn endpoints(&self) -> Vec<EndpointView> {
        self.coordinator.endpoints("away").unwrap()
    }

    pub(super) fn tools(&self) -> usize {
        let all = self.coordinator.registrations().borrow().clone();
        let found = all.iter().find(|one| &*one.pool == "away");
        found.map_or(0, |one| one.manifest.tools.len())
    }
}

pub(super) async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let waiting = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "waited in vain for {what}");
}

pub(super) fn well() -> Ending {
    Ending::Completed(Bytes::from_static(br#"{"ok":true}"#))
}
