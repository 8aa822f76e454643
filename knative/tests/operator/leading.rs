//! One operator at a time.

use dormouse_operator::leader::Candidate;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use tokio_util::sync::CancellationToken;

use crate::api_server::ApiServer;

#[tokio::test]
async fn one_leads_and_hands_over() {
    let Some(server) = ApiServer::start().await else {
        return;
    };
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
