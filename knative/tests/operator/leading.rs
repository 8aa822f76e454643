//! One operator at a time.

use std::process::{Command, Stdio};

use dormouse_operator::leader::Candidate;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use tokio_util::sync::CancellationToken;

use crate::api_server::{ApiServer, free_port};
use crate::scene::eventually;

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn one_leads_and_hands_over() {
    let server = ApiServer::start().await;
    let stop = CancellationToken::new();
    let candidate = |me: &str| Candidate::new(server.client(), "default", me);
    let first = candidate("first").lead(&stop).await.expect("a leader");
    let leases = Api::<Lease>::namespaced(server.client(), "default");
    let holder = async || {
        let lease = leases.get("dormouse-operator").await.expect("a lease");
        lease.spec.and_then(|it| it.holder_identity)
    };
    assert_eq!(holder().await.as_deref(), Some("first"));

    // Whoever is told to stop no longer waits.
    let other = CancellationToken::new();
    let waiting = candidate("second");
    let waits = tokio::spawn({
        let other = other.clone();
        async move { waiting.lead(&other).await.is_none() }
    });
    other.cancel();
    assert!(waits.await.expect("no panic"));

    first.give_back().await;
    assert_eq!(holder().await, None);
    candidate("second").lead(&stop).await.expect("a leader");
    assert_eq!(holder().await.as_deref(), Some("second"));
}

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn the_program_stops_when_it_is_told_to_and_gives_the_lead_back() {
    let server = ApiServer::start().await;
    let address = format!("127.0.0.1:{}", free_port());
    let mut program = Command::new(env!("CARGO_BIN_EXE_dormouse-operator"))
        .args(["--listen", &address, "--lease-namespace", "default"])
        .env("KUBECONFIG", server.kubeconfig())
        .env("RUST_LOG", "off")
        .stdin(Stdio::null())
        .spawn()
        .expect("the program");
    let page = async |path: &str| reqwest::get(format!("http://{address}{path}")).await;
    eventually("it is ready", async || {
        page("/health/readiness")
            .await
            .is_ok_and(|it| it.status() == 200)
    })
    .await;
    let leases = Api::<Lease>::namespaced(server.client(), "default");
    let holder = async || {
        let lease = leases
            .get_opt("dormouse-operator")
            .await
            .expect("an answer");
        lease.and_then(|it| it.spec?.holder_identity)
    };
    eventually("it leads", async || holder().await.is_some()).await;
    eventually("it says so", async || {
        let text = match page("/metrics").await {
            Ok(page) => page.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        };
        text.contains("dormouse_operator_leader 1")
    })
    .await;
    let told = Command::new("kill").arg(program.id().to_string()).status();
    assert!(told.expect("kill").success());
    assert!(program.wait().expect("an end").success());
    assert_eq!(holder().await, None);
}
