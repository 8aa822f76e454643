//! Deliveries of a real broker's claims to services that play the function.

use std::sync::{Arc, Mutex};

use dormouse_broker::{Answered, Broker, Config, Ending, NewTask, News, TaskId, Waiter};
use dormouse_contract::Manifest;
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::{CallError, Instances, Registration};
use dormouse_contract::task::{COMPLETED, Outcome, SUSPENDED};
use dormouse_contract::trace::TraceParent;
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::util::BoxCloneSyncService;

use super::*;
use crate::registry::{PoolSecrets, PoolService};

/// Longer than anything here takes, so that a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);
const REQUEST: &str =
    r#"{"method":"tools/call", "params":{ "n":1.0 }, "client":{"progress":true}}"#;

struct Stage {
    broker: Broker,
    coordinator: Coordinator,
    _instances: watch::Sender<Instances>,
    _data: tempfile::TempDir,
}

impl Stage {
    async fn open(service: PoolService, ready: usize) -> Self {
        let data = tempfile::tempdir().unwrap();
        let broker = Broker::open(Config::new(data.path())).unwrap();
        let coordinator = Coordinator::new(broker.clone());
        let registration = Registration {
            pool: "p".into(),
            agent_type: String::new(),
            revision: "r1".into(),
            manifest: Arc::new(Manifest::parse(br#"{"contract":1}"#).unwrap()),
            delivery: Delivery::default(),
            tools: std::collections::BTreeMap::new(),
            triggers: None,
            slots: 1,
            queue_limit: 10,
        };
        let secrets = PoolSecrets {
            delivery: "delivery".into(),
            events: "events".into(),
        };
        let (sender, instances) = watch::channel(Instances {
            ready,
            ..Instances::default()
        });
        coordinator
            .register(registration, service, secrets, instances)
            .await
            .unwrap();
        let claims = broker.claims();
        let dispatcher = coordinator.clone();
        tokio::spawn(async move { dispatcher.dispatch(claims).await });
        Self {
            broker,
            coordinator,
            _instances: sender,
            _data: data,
        }
    }

    async fn call(&self, delivery: Delivery) -> (TaskId, Waiter) {
        let id = TaskId::new();
        let waiter = self.broker.wait(id);
        let task = NewTask {
            id,
            pool: "p".into(),
            capability: "t".into(),
            work: Work::Call(Bytes::from_static(REQUEST.as_bytes())),
            principal: "me".into(),
            reply_to: None,
            affinity: None,
            trace: TraceParent::random(),
            idempotency: None,
            delivery: Arc::new(delivery),
        };
        self.broker.accept(task).await.unwrap();
        (id, waiter)
    }
}

async fn next(waiter: &mut Waiter) -> News {
    let news = tokio::time::timeout(PATIENCE, waiter.next()).await;
    news.unwrap().unwrap()
}

fn answer(ty: &str, data: &'static str) -> Response<Bytes> {
    let (headers, body) = http_binding::write_binary(Event::new("1", "/p", ty).with_json(data));
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

#[tokio::test]
async fn a_round_that_asks_is_followed_by_one_that_brings_the_answers() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&seen);
    let service = BoxCloneSyncService::new(tower::service_fn(move |request: Request<Bytes>| {
        let mut heard = heard.lock().unwrap();
        heard.push(request);
        let reply = match heard.len() {
            1 => answer(
                SUSPENDED,
                r#"{"asks":{"g":{"method":"roots/list"}},"revision":"r1"}"#,
            ),
            _ => answer(COMPLETED, r#"{"result":{"ok":true}}"#),
        };
        async move { Ok::<_, CallError>(reply) }
    }));
    let stage = Stage::open(service, 1).await;
    let (task, mut waiter) = stage.call(Delivery::default()).await;
    let News::Suspended { round, asks, .. } = next(&mut waiter).await else {
        panic!("it asks");
    };
    assert_eq!(
        (round, &asks[..]),
        (1, &br#"{"g":{"method":"roots/list"}}"#[..])
    );
    let answers = Bytes::from_static(br#"{"g":{"result":{ "roots":[] }}}"#);
    let answered = stage.broker.answer(task, Some("me"), 1, answers).await;
    assert_eq!(answered.unwrap(), Answered::Continued);
    let expected = Ending::Completed(Bytes::from_static(br#"{"ok":true}"#));
    assert_eq!(next(&mut waiter).await, News::Ended(task, expected));

    let seen = seen.lock().unwrap();
    let [first, second] = &seen[..] else {
        panic!("two rounds are two deliveries");
    };
    assert_eq!(first.body(), REQUEST);
    let head = REQUEST.strip_suffix('}').unwrap();
    assert_eq!(
        *second.body(),
        format!(r#"{head},"answers":{{"g":{{"result":{{ "roots":[] }}}}}},"revision":"r1"}}"#)
    );
    for (request, round) in [(first, "1"), (second, "2")] {
        let id = format!("{task}.{round}");
        assert_eq!(request.headers()["ce-id"], id);
        assert_eq!(request.headers()["ce-round"], round);
        assert_eq!(request.headers()["ce-attempt"], "1");
    }
}

#[tokio::test]
async fn who_asked_for_progress_hears_that_the_function_wakes() {
    for (ready, wakes) in [(0, true), (1, false)] {
        let service = BoxCloneSyncService::new(tower::service_fn(async |_: Request<Bytes>| {
            Ok::<_, CallError>(answer(COMPLETED, r#"{"result":{}}"#))
        }));
        let stage = Stage::open(service, ready).await;
        let (_, mut waiter) = stage.call(Delivery::default()).await;
        if wakes {
            let News::Progress(notification) = next(&mut waiter).await else {
                panic!("it wakes");
            };
            let told: Value = serde_json::from_slice(&notification).unwrap();
            let params = json!({"progress": -1, "message": "waking pool `p`"});
            assert_eq!(
                told,
                json!({"method": "notifications/progress", "params": params})
            );
        }
        assert!(matches!(next(&mut waiter).await, News::Ended(..)));
    }
}

#[tokio::test]
async fn a_delivery_that_never_left_did_not_run() {
    for (unwritten, expected) in [(true, Outcome::NotRun), (false, Outcome::Unknown)] {
        let service = tower::service_fn(move |request: Request<Bytes>| async move {
            let told = request.extensions().get::<Unwritten>().cloned().unwrap();
            told.set(unwritten);
            std::future::pending::<()>().await;
            Err(CallError::NotRun(String::new()))
        });
        let stage = Stage::open(BoxCloneSyncService::new(service), 1).await;
        let delivery = Delivery {
            timeout: Duration::from_millis(10),
            retries: 0,
            ..Delivery::default()
        };
        let (_, mut waiter) = stage.call(delivery).await;
        let News::Ended(_, Ending::Failed(failed)) = next(&mut waiter).await else {
            panic!("its time is over");
        };
        assert_eq!(failed.outcome, expected, "{}", failed.error.message);
    }
}

#[test]
fn progress_is_wanted_by_who_says_so() {
    for (request, wanted) in [
        (REQUEST, true),
        (r#"{"method":"x","params":{},"client":{}}"#, false),
        (r#"{"method":"x","params":{}}"#, false),
        ("rubbish", false),
    ] {
        assert_eq!(wants_progress(request.as_bytes()), wanted, "{request}");
    }
}

#[tokio::test]
async fn a_dead_letter_reaches_a_sink_outside_without_our_secrets() {
    use dormouse_broker::{Route, State, TaskFilter};
    use dormouse_contract::policy::DeadLetterSink;

    let (got, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let sink = axum::Router::new().fallback(async move |request: axum::extract::Request| {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        got.send((head, body)).unwrap();
        "<html>thank you</html>"
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/dead", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, sink).await });

    let broken = tower::service_fn(async |_: Request<Bytes>| {
        let mut answer = Response::new(Bytes::from_static(b"no such thing"));
        *answer.status_mut() = http::StatusCode::UNPROCESSABLE_ENTITY;
        Ok::<_, CallError>(answer)
    });
    let stage = Stage::open(BoxCloneSyncService::new(broken), 1).await;
    stage.coordinator.open_sinks().await.unwrap();
    let route = Route {
        pool: "p".into(),
        capability: None,
        trigger: "0".into(),
        ordered: false,
        delivery: Arc::new(Delivery {
            dead_letter_sink: Some(DeadLetterSink::Uri(uri.clone())),
            ..Delivery::default()
        }),
    };
    let mut event = stage.coordinator.incoming(
        Event::new("1", "/s", "org.example.thing").with_json(&b"{}"[..]),
        &Sender::default(),
    );
    event.routes = vec![route];
    stage.broker.publish(vec![event], None).await.unwrap();

    let (head, body) = tokio::time::timeout(PATIENCE, heard.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((head.uri.path(), &body[..]), ("/dead", &b"{}"[..]));
    assert_eq!(head.headers["ce-knativeerrorcode"], "422");
    assert_eq!(head.headers["ce-type"], "org.example.thing");
    for secret in ["ce-attempttoken", "ce-taskid", "dormouse-delivery-secret"] {
        assert!(!head.headers.contains_key(secret), "{secret}");
    }
    let completed = async {
        let filter = TaskFilter {
            capability: Some(uri),
            state: Some(State::Completed),
            ..TaskFilter::default()
        };
        while stage.broker.tasks(filter.clone()).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, completed).await.unwrap();
}
