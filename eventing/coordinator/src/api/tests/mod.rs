//! The door from outside: every route through the router, over a real broker.

mod altered;
mod bad_requests;
mod brokers;
mod changes;
mod dead_letters;
mod declare;
mod document;
mod drain;
mod events;
mod full;
mod log;
mod pools;
mod register;
mod sink;
mod sources;
mod tasks;
mod triggers;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use dormouse_broker::{Broker, Claim, Claims, Config, News, Report, TaskId, TaskRecord, Work};
use dormouse_contract::Manifest;
use dormouse_contract::door::{Phase, Readiness};
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::{CallError, Instances, Registration};
use dormouse_contract::task::{Failed, Outcome, TaskError};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use super::*;
use crate::registry::PoolSecrets;

/// Longer than anything here takes, so that a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "door-token";
const POOL_TOKEN: &str = "pool-token";
const BROKER_TOKEN: &str = "broker-token";

const MANIFEST: &str = r#"{"contract":1,"tools":[{"name":"t","title":"T","inputSchema":{"properties":{"key":{"writeOnly":true}}}, "x":1.0}],
    "prompts":[{"name":"p"}],"resources":[{"uri":"x://1","name":"one"}],
    "resourceTemplates":[{"uriTemplate":"x://{id}","name":"many"}]}"#;

struct Stage {
    router: Router,
    broker: Broker,
    coordinator: Coordinator,
    claims: Claims,
    readiness: Readiness,
    document: document::Document,
    _data: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}

impl Stage {
    /// One pool, `reactive`, that takes `com.github.push`; whoever reads `claims` is its function.
    async fn open(queue_limit: usize) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config::new(data.path());
        config.max_backlog = queue_limit;
        let broker = Broker::open(config).unwrap();
        let claims = broker.claims();
        let coordinator = Coordinator::new(broker.clone());
        let manifest = MANIFEST.as_bytes();
        let registration = Registration {
            pool: "reactive".into(),
            agent_type: "educational".into(),
            revision: "r1".into(),
            manifest: Arc::new(Manifest::parse(manifest).unwrap()),
            delivery: Delivery::default(),
            tools: std::collections::BTreeMap::new(),
            triggers: Some(vec![
                serde_json::from_str(r#"{"filters":[{"exact":{"type":"com.github.push"}}]}"#)
                    .unwrap(),
            ]),
            slots: 1,
            queue_limit,
        };
        let unused = tower::service_fn(async |_: http::Request<Bytes>| {
            Err::<http::Response<Bytes>, _>(CallError::NotRun("nobody dispatches here".into()))
        });
        let secrets = PoolSecrets {
            delivery: "delivery".into(),
            events: POOL_TOKEN.into(),
        };
        let (_, instances) = watch::channel(Instances::default());
        coordinator
            .register(
                registration,
                BoxCloneSyncService::new(unused),
                secrets,
                instances,
            )
            .await
            .unwrap();
        let readiness = Readiness::default();
        let door = Door::new(Some(TOKEN.into()), vec![]).with_readiness(readiness.clone());
        let admission = Admission {
            door,
            brokers: Some(BROKER_TOKEN.into()),
        };
        let router = router(
            coordinator.clone(),
            admission,
            Arc::new(|| "dormouse_up 1\n".to_owned()),
        );
        Self {
            router,
            broker,
            coordinator,
            claims,
            readiness,
            document: document::Document::new(),
            _data: data,
        }
    }

    /// Every answer is held against the OpenAPI document.
    async fn ask(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let answer = Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        };
        self.document.check(&method, &path, &answer);
        answer
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(request(Method::GET, path, &[], "")).await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.ask(request(Method::POST, path, headers, body)).await
    }

    /// Asks, and reads the answer as its type.
    async fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.body);
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Lets an attempt fail for good.
    async fn fail(&self, claim: &Claim) {
        let error = TaskError {
            code: -32_603,
            message: "no such branch".to_owned(),
            data: None,
        };
        let report = Report::Failed {
            failure: Failed {
                error,
                outcome: Outcome::Unknown,
            },
            last: true,
            retry_after: None,
        };
        let settled = self.broker.settle(claim.task, claim.token, report).await;
        assert_eq!(settled.unwrap(), Some(dormouse_broker::State::Failed));
    }

    /// Sends an event that the pool takes and claims its task.
    async fn claim(&mut self) -> Claim {
        let sent = self.post("/events", &PUSH, r#"{"ref":"main"}"#).await;
        assert_eq!(sent.status, StatusCode::ACCEPTED, "{:?}", sent.body);
        self.claims.recv().await.unwrap()
    }
}

const PUSH: [(&str, &str); 6] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "e1"),
    ("ce-source", "/repos/x"),
    ("ce-type", "com.github.push"),
    ("ce-branch", "main"),
    ("content-type", "application/json"),
];

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:8888")
        .header("authorization", format!("Bearer {TOKEN}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = PUSH
        .iter()
        .filter(|(name, _)| more.iter().all(|(new, _)| new != name));
    kept.chain(more).copied().collect()
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused_declared_or_not() {
    let stage = Stage::open(10).await;
    let large = "x".repeat(BODY_LIMIT + 1);
    let declared = stage.post("/events", &PUSH, &large).await;
    assert_eq!(declared.status, StatusCode::PAYLOAD_TOO_LARGE);
    let halves = [&large[..BODY_LIMIT / 2], &large[BODY_LIMIT / 2..]];
    let chunks =
        halves.map(|half| Ok::<_, std::io::Error>(Bytes::copy_from_slice(half.as_bytes())));
    let mut undeclared = request(Method::POST, "/events", &PUSH, "");
    *undeclared.body_mut() = Body::from_stream(futures_util::stream::iter(chunks));
    let undeclared = stage.ask(undeclared).await;
    assert_eq!(undeclared.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(
        undeclared.json()["detail"]
            .as_str()
            .unwrap()
            .contains("4 MiB")
    );
}

#[tokio::test]
async fn strangers_stay_outside_except_at_a_sink_with_a_proof() {
    let stage = Stage::open(10).await;
    let mut no_token = request(Method::GET, "/pools", &[], "");
    no_token.headers_mut().remove("authorization");
    let answer = stage.ask(no_token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("DORMOUSE_TOKEN")
    );

    let origin = [("origin", "http://evil.example")];
    assert_eq!(
        stage
            .ask(request(Method::GET, "/pools", &origin, ""))
            .await
            .status,
        403
    );

    let proven = with(&[("ce-pooltoken", POOL_TOKEN)]);
    let mut sink = request(Method::POST, "/pools/reactive/events", &proven, "{}");
    sink.headers_mut().remove("authorization");
    assert_eq!(stage.ask(sink).await.status, StatusCode::ACCEPTED);
    let mut sink = request(Method::POST, "/pools/reactive/events", &proven, "{}");
    sink.headers_mut()
        .insert("host", "evil.example".parse().unwrap());
    assert_eq!(stage.ask(sink).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn health_and_metrics_answer() {
    let stage = Stage::open(10).await;
    for (phase, status) in [
        (Phase::Starting, 503),
        (Phase::Ready, 200),
        (Phase::Stopping, 503),
    ] {
        stage.readiness.enter(phase);
        let health = stage.get("/health").await;
        assert_eq!(health.status, status);
        assert_eq!(health.json()["status"], phase.word());
        assert_eq!(stage.get("/health/liveness").await.status, 200);
    }
    let metrics = stage.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    assert_eq!(metrics.body, "dormouse_up 1\n");
}
