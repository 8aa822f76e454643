//! Agents that run elsewhere: registered, away, back, gone.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use dormouse_broker::Ending;
use dormouse_contract::balance::Balance;
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::CallError;
use dormouse_contract::task::Outcome;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::BreakerState;
use crate::registry::PoolSecrets;
use stage::{Agent, MANIFEST, Stage, eventually, settings, well};

mod knative;
mod stage;

#[tokio::test]
async fn an_agent_that_is_registered_takes_calls_with_its_secret() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    let row = agent.row(json!({"delivery_secret": "hush", "capabilities": ["t", "u"]}));
    assert!(stage.register(row).await, "it is new");
    assert_eq!(stage.tools(), 1);
    assert_eq!(stage.coordinator.declared("away").unwrap(), ["t", "u"]);
    assert_eq!(stage.call().await, well());
    assert_eq!(*agent.seen.secrets.lock().unwrap(), ["hush"]);
    assert!(!stage.register(agent.row(json!({}))).await, "it is known");
    assert_eq!(stage.endpoints().len(), 1);
    let shown = serde_json::to_string(&stage.endpoints()).unwrap();
    assert!(!shown.contains("hush"));
}

#[tokio::test]
async fn an_agent_that_is_not_there_yet_is_failing_until_it_comes() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    let row = agent.row(json!({"capabilities": ["t"]}));
    let place = agent.stop().await;
    assert!(stage.register(row).await);
    let instances = stage.coordinator.instances("away").unwrap();
    assert_eq!((instances.state(), stage.tools()), ("failing", 0));
    let failure = instances.failure.unwrap();
    assert!(failure.contains("/agent/capabilities"), "{failure}");
    assert!(failure.contains("asked again every 50ms"), "{failure}");

    let _agent = Agent::back(place).await;
    eventually("its tool", || stage.tools() == 1).await;
    assert_eq!(stage.call().await, well());
    let instances = stage.coordinator.instances("away").unwrap();
    assert_eq!(instances.state(), "awake");
}

#[tokio::test]
async fn an_agent_without_a_manifest_is_never_offered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/health", get(async || "fine"));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let stage = Stage::open().await;
    let row = json!({
        "pool_id": "away",
        "endpoint": format!("http://{address}"),
        "health_endpoint": "/health",
        "capabilities": ["t"],
    });
    stage
        .register(Row::parse(row.to_string().as_bytes()).unwrap())
        .await;
    eventually("a probe", || {
        stage.endpoints()[0].state == EndpointState::Well
    })
    .await;
    let instances = stage.coordinator.instances("away").unwrap();
    assert_eq!((instances.state(), stage.tools()), ("failing", 0));
    assert!(instances.failure.unwrap().contains("404"));
}

#[tokio::test]
async fn with_one_of_two_endpoints_dead_nothing_is_lost() {
    let (first, second) = (Agent::start().await, Agent::start().await);
    let stage = Stage::open().await;
    stage.register(first.row(json!({}))).await;
    stage.register(second.row(json!({}))).await;
    let place = first.stop().await;
    let before = second.calls();
    // None of them may be repeated by the broker.
    let once = Delivery {
        retries: 0,
        ..Delivery::default()
    };
    let calls = (0..200).map(|_| stage.call_with(once.clone()));
    for ending in futures_util::future::join_all(calls).await {
        assert_eq!(ending, well());
    }
    assert_eq!(second.calls() - before, 200, "each ran once");

    let first = Agent::back(place).await;
    eventually("the first one to be well", || {
        let endpoints = stage.endpoints();
        let first = endpoints
            .iter()
            .find(|one| one.endpoint == first.endpoint());
        first.is_some_and(|first| first.state == EndpointState::Well)
    })
    .await;
    let before = first.calls();
    for _ in 0..2 {
        assert_eq!(stage.call().await, well());
    }
    assert_eq!(first.calls() - before, 1, "it has its turn again");
}

#[tokio::test]
async fn an_endpoint_that_is_away_is_left_out_and_back_when_it_answers() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    stage.register(agent.row(json!({}))).await;
    assert_eq!(stage.call().await, well());
    let place = agent.stop().await;
    eventually("the probe to fail", || {
        stage.endpoints()[0].state == EndpointState::Failing
    })
    .await;
    assert_eq!(stage.tools(), 1, "its tools stay offered");
    let instances = stage.coordinator.instances("away").unwrap();
    assert_eq!(instances.state(), "failing");
    let hurried = Delivery {
        queue_expiry: Duration::from_millis(500),
        ..Delivery::default()
    };
    let Ending::Failed(failed) = stage.call_with(hurried).await else {
        panic!("nobody is there");
    };
    assert_eq!(failed.outcome, Outcome::NotRun);
    assert!(failed.error.message.contains("no endpoint"), "{failed:?}");

    let agent = Agent::back(place).await;
    let before = agent.calls();
    // A call that came while it was away waits for it.
    assert_eq!(stage.call().await, well());
    assert_eq!(agent.calls() - before, 1);
    assert_eq!(stage.endpoints()[0].breaker.state, BreakerState::Closed);
}

#[tokio::test]
async fn an_endpoint_that_answers_with_errors_is_left_alone_although_its_probe_is_well() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    stage.register(agent.row(json!({}))).await;
    agent.seen.ailing.store(502, Ordering::Relaxed);
    let once = Delivery {
        retries: 0,
        ..Delivery::default()
    };
    for _ in 0..3 {
        let ending = stage.call_with(once.clone()).await;
        assert!(matches!(ending, Ending::Failed(failed) if failed.outcome == Outcome::Unknown));
    }
    let breaker = stage.coordinator.breaker("away").unwrap();
    assert_eq!(breaker.state, BreakerState::Open);
    assert!(breaker.error.unwrap().contains("502"));
    let hurried = Delivery {
        queue_expiry: Duration::from_millis(500),
        ..once
    };
    let Ending::Failed(failed) = stage.call_with(hurried).await else {
        panic!("it is left alone");
    };
    assert_eq!(failed.outcome, Outcome::NotRun);
    assert_eq!(agent.calls(), 3);
    // A probe that goes well after probes that went well changes nothing.
    let probes = || agent.seen.probes.load(Ordering::Relaxed);
    let before = probes();
    eventually("more probes", || probes() > before + 2).await;
    let breaker = stage.coordinator.breaker("away").unwrap();
    assert_eq!(breaker.state, BreakerState::Open);
}

#[tokio::test]
async fn an_agent_that_hangs_is_a_timeout_and_then_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", axum::routing::post(std::future::pending::<()>))
        .route("/capabilities", get(async || MANIFEST))
        .route("/health/readiness", get(async || "ready"));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let stage = Stage::open().await;
    let row = json!({"pool_id": "away", "endpoint": format!("http://{address}")});
    stage
        .register(Row::parse(row.to_string().as_bytes()).unwrap())
        .await;
    let impatient = Delivery {
        timeout: Duration::from_millis(50),
        queue_expiry: Duration::from_millis(500),
        retries: 0,
        ..Delivery::default()
    };
    for expected in [
        Outcome::Unknown,
        Outcome::Unknown,
        Outcome::Unknown,
        Outcome::NotRun,
    ] {
        let Ending::Failed(failed) = stage.call_with(impatient.clone()).await else {
            panic!("it hangs");
        };
        assert_eq!(failed.outcome, expected, "{failed:?}");
    }
}

#[tokio::test]
async fn endpoints_and_pools_are_taken_out() {
    let (first, second) = (Agent::start().await, Agent::start().await);
    let stage = Stage::open().await;
    let coordinator = &stage.coordinator;
    stage.register(first.row(json!({}))).await;
    stage.register(second.row(json!({}))).await;
    let unknown = coordinator.take_out("away", Some("http://no")).await;
    assert!(matches!(unknown, Err(OutsideError::UnknownEndpoint { .. })));
    let out = coordinator.take_out("away", Some(&first.endpoint())).await;
    out.unwrap();
    let left: Vec<_> = stage
        .endpoints()
        .into_iter()
        .map(|one| one.endpoint)
        .collect();
    assert_eq!(left, [second.endpoint()]);
    coordinator.take_out("away", None).await.unwrap();
    assert!(coordinator.endpoints("away").is_none());
    let again = coordinator.take_out("away", None).await;
    assert!(matches!(again, Err(OutsideError::UnknownPool(_))));
    let probes = second.seen.probes.load(Ordering::Relaxed);
    tokio::time::sleep(settings().probe_every * 4).await;
    assert!(
        second.seen.probes.load(Ordering::Relaxed) <= probes + 1,
        "nobody looks after it any more"
    );
}

#[tokio::test]
async fn what_was_registered_survives_the_platform() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    stage
        .register(agent.row(json!({"balance": "least-connections"})))
        .await;
    let place = agent.stop().await;
    let stage = stage.restart().await;
    // Its tools are known although it is away.
    assert_eq!(stage.tools(), 1);
    let balance = stage.coordinator.balance("away").unwrap();
    assert_eq!(balance, Balance::LeastConnections);
    let _agent = Agent::back(place).await;
    assert_eq!(stage.call().await, well());
    stage.coordinator.take_out("away", None).await.unwrap();
    let stage = stage.restart().await;
    assert!(stage.coordinator.endpoints("away").is_none());
}

#[tokio::test]
async fn a_file_takes_precedence_over_a_row_of_the_same_name() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    stage.register(agent.row(json!({}))).await;
    let deploy = async || {
        let service = tower::service_fn(async |_: http::Request<Bytes>| {
            Err::<http::Response<Bytes>, _>(CallError::NotRun("unused".into()))
        });
        let secrets = PoolSecrets {
            delivery: "d".into(),
            events: "e".into(),
        };
        let registration = Record::default().registration("away");
        let (_, instances) = watch::channel(Instances::default());
        let service = PoolService::new(service);
        let coordinator = &stage.coordinator;
        coordinator
            .register(registration, service, secrets, instances)
            .await
            .unwrap();
    };
    deploy().await;
    assert!(stage.endpoints().is_empty(), "it runs here now");
    let refused = stage
        .coordinator
        .register_outside(agent.row(json!({})))
        .await;
    assert!(matches!(refused, Err(OutsideError::Deployed(_))));
    let refused = stage.coordinator.take_out("away", None).await;
    assert!(matches!(refused, Err(OutsideError::Deployed(_))));
    let stage = stage.restart().await;
    assert!(stage.coordinator.endpoints("away").is_none());
}
