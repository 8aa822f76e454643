//! A function as a plain Knative Service: nothing of Dormouse but the program itself.

use hyper::StatusCode;
use serde_json::json;

use crate::kourier::post_event;
use crate::namespace::{Kind, Namespace, knative_service};

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_function_wakes_for_an_event_and_sleeps_again() {
    let namespace = Namespace::new().await;
    let service = knative_service("fixture", "dev.local/fixture:1", &json!([]));
    namespace.apply(&service).await;
    namespace.ready(Kind::KnativeService, "fixture").await;
    namespace.asleep("fixture").await;

    let headers = [
        ("ce-id", "1"),
        ("ce-source", "/tests"),
        ("ce-type", "org.example.ping"),
    ];
    let answer = post_event(&namespace.host("fixture"), &headers, "{\"n\":1}").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.headers["ce-type"], "org.example.pong");
    assert_eq!(answer.body, "{\"n\":1}");
    assert_eq!(namespace.pods("fixture").await.len(), 1);
    namespace.asleep("fixture").await;
}
