//! What `knative/` installs, as people apply it.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::deployment::{Deployment, install, operators_log};
use crate::http;
use crate::kubectl::{in_tree, kubectl};
use crate::namespace::{Kind, Namespace};

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn the_minimal_overlay_and_the_laptops_pool_become_ready() {
    // It brings the operator, too, and the definitions first.
    install().await;
    let overlay = in_tree("knative/overlays/minimal");
    let apply = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--kustomize",
        &overlay,
    ];
    kubectl(&apply, "").await.expect("the overlay is applied");
    let deployment = Deployment::of(Namespace::named("agents")).await;
    let pool = deployment
        .deploy("config/pools/educational.yaml", "educational")
        .await;
    assert_eq!(pool["status"]["toolCount"], 3, "{pool}");
    let server = deployment
        .namespace
        .ready(Kind::McpServer, "platform")
        .await;
    assert_eq!(server["status"]["readyReplicas"], 1, "{server}");

    let session = deployment.session().await;
    let text = json!({"text": "Add fractions with unlike denominators"});
    let result = session.call("curriculum-alignment", text).await;
    assert_ne!(result["isError"], true, "{result}");
    assert!(!deployment.namespace.pods("educational").await.is_empty());
    deployment.namespace.asleep("educational").await;

    let log = operators_log().await;
    let refused = log.lines().filter(|it| it.contains("is forbidden: User"));
    let refused: Vec<_> = refused.collect();
    assert!(
        refused.is_empty(),
        "the operator lacks rights: {refused:#?}"
    );
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_platform_without_a_word_of_its_own_is_guarded_by_a_token() {
    let deployment = Deployment::up().await;
    let token = deployment.authorization();
    let with_token = [("authorization", token.as_str())];
    for (door, path) in [
        (deployment.mcp(), "/mcp"),
        (deployment.admin(), "/metrics"),
        (deployment.coordinator(), "/pools"),
    ] {
        let answer = http::get(&door, path).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{path}: {answer:?}"
        );
        if path != "/mcp" {
            let answer = http::send(Method::GET, &door, path, &with_token, "").await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        }
    }
}
