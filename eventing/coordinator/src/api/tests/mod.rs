//! The door from outside: every route through the router, over a real broker.

mod document;
mod events;
mod register;
mod sink;
mod sources;
mod tasks;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use dormouse_broker::{Broker, Claim, Claims, Config, News, Report, Work};
use dormouse_contract::Manifest;
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::{CallError, Instances, Registration};
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

const MANIFEST: &str = r#"{"contract":1,"tools":[{"name":"t","title":"T","inputSchema":{}, "x":1.0}],
    "prompts":[{"name":"p"}],"resources":[{"uri":"x://1","name":"one"}],
    "resourceTemplates":[{"uriTemplate":"x://{id}","name":"many"}]}"#;

struct Stage {
    router: Router,
    broker: Broker,
    coordinator: Coordinator,
    claims: Claims,
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
            triggers: vec![
                serde_json::from_str(r#"{"filters":[{"exact":{"type":"com.github.push"}}]}"#)
                    .unwrap(),
            ],
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
        let door = Door::new(Some(TOKEN.into()), vec![]);
        let router = router(
            coordinator.clone(),
            door,
            Arc::new(|| "dormouse_up 1\n".to_owned()),
        );
        Self {
            router,
            broker,
            coordinator,
            claims,
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

/// Method, path, headers, body; the status, and what the detail names.
type Case<'a> = (
    Method,
    String,
    &'a [(&'a str, &'a str)],
    &'a str,
    u16,
    &'a str,
);

#[tokio::test]
async fn each_bad_request_gets_the_problem_that_names_it() {
    let stage = Stage::open(10).await;
    let unknown = "/tasks/0193a5f0-0000-7000-8000-000000000000";
    let structured = [("content-type", "application/cloudevents+json")];
    let batch = [("content-type", "application/cloudevents-batch+json")];
    let avro = [("content-type", "application/cloudevents+avro")];
    let forged = with(&[("ce-type", "dev.dormouse.task.completed.v1")]);
    let id_missing = r#"{"specversion":"1.0","source":"/s","type":"t"}"#;
    let cases: Vec<Case<'_>> = vec![
        (
            Method::GET,
            "/nowhere".into(),
            &[],
            "",
            404,
            "/openapi.json",
        ),
        (Method::DELETE, "/pools".into(), &[], "", 405, "Allow"),
        (
            Method::GET,
            "/pools/reactive/events".into(),
            &[],
            "",
            405,
            "Allow",
        ),
        (Method::GET, "/pools/none".into(), &[], "", 404, "`none`"),
        (
            Method::GET,
            "/pools/none/manifest".into(),
            &[],
            "",
            404,
            "`none`",
        ),
        (Method::GET, "/tasks/%ff".into(), &[], "", 400, "UTF-8"),
        (Method::GET, "/tasks/x".into(), &[], "", 400, "`x`"),
        (Method::GET, unknown.into(), &[], "", 404, "no task"),
        (
            Method::GET,
            format!("{unknown}/result"),
            &[],
            "",
            404,
            "no task",
        ),
        (
            Method::POST,
            format!("{unknown}/cancel"),
            &[],
            "",
            404,
            "no task",
        ),
        (
            Method::POST,
            format!("{unknown}/cancel"),
            &[],
            "[]",
            400,
            "reason",
        ),
        (Method::GET, "/tasks?state=odd".into(), &[], "", 400, "odd"),
        (
            Method::GET,
            "/tasks?sate=failed".into(),
            &[],
            "",
            400,
            "sate",
        ),
        (
            Method::POST,
            "/events".into(),
            &[],
            "hello",
            400,
            "ce-specversion",
        ),
        (
            Method::POST,
            "/events".into(),
            &structured,
            id_missing,
            400,
            "`id`",
        ),
        (
            Method::POST,
            "/events".into(),
            &structured,
            "{",
            400,
            "JSON",
        ),
        (
            Method::POST,
            "/events".into(),
            &batch,
            "[{}]",
            400,
            "event 0 of the batch",
        ),
        (Method::POST, "/events".into(), &avro, "x", 415, "avro"),
        (
            Method::POST,
            "/events".into(),
            &forged,
            "{}",
            403,
            "platform's own",
        ),
        (
            Method::POST,
            "/pools/reactive/events".into(),
            &PUSH,
            "{}",
            403,
            "pooltoken",
        ),
        (
            Method::POST,
            "/pools/none/events".into(),
            &PUSH,
            "{}",
            403,
            "pooltoken",
        ),
    ];
    for (method, path, headers, body, status, named) in cases {
        let answer = stage
            .ask(request(method.clone(), &path, headers, body))
            .await;
        let problem = answer.json();
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(named), "{method} {path}: {detail}");
        assert_eq!(status == 405, !answer.header("allow").is_empty(), "{path}");
    }
    assert!(
        stage
            .broker
            .depths()
            .iter()
            .all(|(_, queued, running)| queued + running == 0)
    );
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
async fn pools_show_what_they_offer_and_how_they_are() {
    let mut stage = Stage::open(10).await;
    let _running = stage.claim().await;
    let other = with(&[("ce-id", "e2")]);
    stage.post("/events", &other, "{}").await;
    // The numbers are published after the answer.
    let published = async {
        while stage.broker.depths() != [("reactive".into(), 1, 1)] {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, published).await.unwrap();
    let page = stage.get("/pools").await.json();
    let pool = stage.get("/pools/reactive").await.json();
    assert_eq!(page["pools"], json!([pool]));
    assert_eq!(pool["state"], "asleep");
    assert_eq!(pool["tools"], json!([{"name": "t", "title": "T"}]));
    assert_eq!((&pool["running"], &pool["queued"]), (&json!(1), &json!(1)));
    assert_eq!(pool["prompts"], json!([{"name": "p"}]));
    assert_eq!(pool["resources"], json!([{"uri": "x://1", "name": "one"}]));
    let template = json!({"uriTemplate": "x://{id}", "name": "many"});
    assert_eq!(pool["resourceTemplates"], json!([template]));
    let trigger = &pool["triggers"][0];
    assert_eq!(trigger["name"], "0");
    assert_eq!(trigger["delivery"]["repeatable"], true);
    assert_eq!(
        pool["triggers"][0]["filters"][0]["exact"]["type"],
        "com.github.push"
    );
}

#[tokio::test]
async fn a_manifest_is_shown_to_the_letter() {
    let stage = Stage::open(10).await;
    let answer = stage.get("/pools/reactive/manifest").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.contains(r#"{"name":"t","title":"T","inputSchema":{}, "x":1.0}"#));
}

#[tokio::test]
async fn health_and_metrics_answer() {
    let stage = Stage::open(10).await;
    assert_eq!(stage.get("/health").await.json()["status"], "ok");
    let metrics = stage.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    assert_eq!(metrics.body, "dormouse_up 1\n");
}
