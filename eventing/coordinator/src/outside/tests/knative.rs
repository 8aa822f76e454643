//! Pools on Knative: declared, never looked at, told of their pods. A real server stands in for
//! the service.

use std::time::Instant;

use dormouse_contract::registration::Instances;

use super::*;
use crate::outside::declaration;

fn declared(agent: &Agent, more: serde_json::Value) -> dormouse_contract::declaration::Declaration {
    let manifest: serde_json::Value = serde_json::from_str(MANIFEST).unwrap();
    let mut json = json!({
        "runs_on": "knative",
        "endpoint": agent.endpoint(),
        "revision": "away-00001",
        "manifest": manifest,
        "delivery_secret": "hush",
    });
    let members = json.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    declaration::read("away", json.to_string().as_bytes()).unwrap()
}

impl Stage {
    async fn declare(&self, declaration: dormouse_contract::declaration::Declaration) -> bool {
        self.coordinator.declare("away", declaration).await.unwrap()
    }
}

#[tokio::test]
async fn nobody_asks_a_pool_that_may_sleep() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    assert!(
        stage.declare(declared(&agent, json!({}))).await,
        "it is new"
    );
    assert_eq!(stage.tools(), 1);
    let later = Instant::now() + settings().probe_every.max(settings().discover_every) * 5;
    tokio::time::sleep_until(later.into()).await;
    assert_eq!(agent.seen.questions(), 0, "a question would wake it");
    assert_eq!(stage.call().await, well());
    assert_eq!(*agent.seen.secrets.lock().unwrap(), ["hush"]);
    assert_eq!(stage.endpoints()[0].state, EndpointState::Unprobed);
}

#[tokio::test]
async fn the_same_again_keeps_the_breaker_and_another_revision_does_not() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    stage.declare(declared(&agent, json!({}))).await;
    agent.seen.ailing.store(500, Ordering::Relaxed);
    let once = Delivery {
        retries: 0,
        ..Delivery::default()
    };
    for _ in 0..3 {
        stage.call_with(once.clone()).await;
    }
    let breaker = || stage.coordinator.breaker("away").unwrap().state;
    assert_eq!(breaker(), BreakerState::Open);
    stage.declare(declared(&agent, json!({}))).await;
    stage
        .declare(declared(&agent, json!({"connections": 7})))
        .await;
    assert_eq!(breaker(), BreakerState::Open);
    stage
        .declare(declared(&agent, json!({"revision": "away-00002"})))
        .await;
    assert_eq!(breaker(), BreakerState::Closed);
}

#[tokio::test]
async fn an_agent_becomes_a_pool_on_knative_and_is_asked_no_more() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    stage.register(agent.row(json!({}))).await;
    eventually("a question", || agent.seen.questions() > 0).await;
    assert!(!stage.declare(declared(&agent, json!({}))).await);
    assert_eq!(stage.endpoints().len(), 1);
    tokio::time::sleep(settings().probe_every * 2).await;
    let before = agent.seen.questions();
    tokio::time::sleep(settings().probe_every * 4).await;
    assert_eq!(agent.seen.questions(), before);
    let row = stage
        .coordinator
        .register_outside(agent.row(json!({})))
        .await;
    assert!(matches!(row, Err(OutsideError::OnKnative(_))));
}

#[tokio::test]
async fn declarations_and_counts_survive_the_platform() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    stage.declare(declared(&agent, json!({}))).await;
    let pods = Instances {
        ready: 2,
        ..Instances::default()
    };
    stage
        .coordinator
        .count_pods("away", pods.clone())
        .await
        .unwrap();
    let stage = stage.restart().await;
    assert_eq!(stage.coordinator.instances("away"), Some(pods));
    assert_eq!(stage.tools(), 1);
    assert!(!stage.declare(declared(&agent, json!({}))).await);
    assert_eq!(stage.call().await, well());
    assert_eq!(agent.seen.questions(), 0);
    stage.coordinator.take_out("away", None).await.unwrap();
    let stage = stage.restart().await;
    assert!(stage.coordinator.endpoints("away").is_none());
}

#[tokio::test]
async fn a_caller_hears_that_the_pool_is_waking_while_no_pod_is_ready() {
    let (agent, stage) = (Agent::start().await, Stage::open().await);
    stage.declare(declared(&agent, json!({}))).await;
    for (ready, told) in [(0, 1), (1, 0)] {
        let pods = Instances {
            ready,
            ..Instances::default()
        };
        stage.coordinator.count_pods("away", pods).await.unwrap();
        let (heard, ending) = stage.follow(Delivery::default()).await;
        assert_eq!(ending, well());
        assert_eq!(heard.len(), told, "{heard:?}");
        let text = String::from_utf8(heard.concat()).unwrap();
        assert_eq!(text.contains("waking pool `away`"), told == 1, "{text}");
    }
}

#[tokio::test]
async fn what_knative_answers_in_place_of_the_function_is_no_word_of_the_function() {
    for (body, expected) in [
        ("no healthy upstream", Outcome::NotRun),
        ("upstream request timeout", Outcome::Unknown),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let envoy = Router::new().fallback(async move || {
            let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            (status, [("server", "envoy")], body)
        });
        tokio::spawn(async move { axum::serve(listener, envoy).await.unwrap() });
        let (agent, stage) = (Agent::start().await, Stage::open().await);
        let elsewhere = json!({ "endpoint": endpoint });
        stage.declare(declared(&agent, elsewhere)).await;
        let once = Delivery {
            retries: 0,
            ..Delivery::default()
        };
        let Ending::Failed(failed) = stage.call_with(once).await else {
            panic!("the function is not there");
        };
        assert_eq!(failed.outcome, expected, "{failed:?}");
        assert!(failed.error.message.contains(body), "{failed:?}");
    }
}
