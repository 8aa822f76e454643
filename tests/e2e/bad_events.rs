//! Wrong events and questions at the coordinator's door: problem details, and then a good call.

use hyper::Method;
use serde_json::json;

use crate::http::{post, send};
use crate::platform::Platform;
use crate::pools::Pool;

#[tokio::test]
async fn wrong_events_are_refused_at_the_ingress() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let ingress = platform.doors().coordinator.clone();
    let structured = ("content-type", "application/cloudevents+json");
    let event = |ty: &str| json!({"specversion": "1.0", "id": "1", "source": "/s", "type": ty});
    let own = event("dev.dormouse.task.completed.v1").to_string();
    let good = event("com.example.note").to_string();
    let batch = ("content-type", "application/cloudevents-batch+json");
    let avro = ("content-type", "application/cloudevents+avro");
    for (what, path, header, body, status) in [
        ("no JSON", "/events", structured, "{", 400),
        (
            "no event",
            "/events",
            ("content-type", "application/json"),
            "{}",
            400,
        ),
        (
            "no id",
            "/events",
            structured,
            r#"{"specversion":"1.0","source":"/s","type":"t"}"#,
            400,
        ),
        (
            "another specversion",
            "/events",
            structured,
            r#"{"specversion":"0.3","id":"1","source":"/s","type":"t"}"#,
            400,
        ),
        ("a batch with no event in it", "/events", batch, "[1]", 400),
        ("another format", "/events", avro, "", 415),
        ("the platform's own", "/events", structured, &own, 403),
        (
            "the platform's own, to a sink",
            "/pools/fixture/events",
            structured,
            &own,
            403,
        ),
        (
            "an unproven one, to a sink",
            "/pools/fixture/events",
            structured,
            &good,
            403,
        ),
        ("another path", "/evnts", structured, &good, 404),
    ] {
        let answer = post(&ingress, path, &[header], body).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        let problem = &answer.headers["content-type"];
        assert_eq!(problem, "application/problem+json", "{what}");
        assert!(answer.json()["detail"].is_string(), "{what}: {answer:?}");
        platform.check_alive(what).await;
    }
    let taken = post(&ingress, "/events", &[structured], &good).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    let wrong_method = send(Method::DELETE, &ingress, "/events", &[], "").await;
    assert_eq!(wrong_method.status, 405, "{wrong_method:?}");
}

#[tokio::test]
async fn wrong_questions_to_the_coordinator_are_refused() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let coordinator = &platform.doors().coordinator;
    let nobody = "/tasks/01980000-0000-7000-8000-000000000000";
    for (path, status) in [
        ("/tasks/seven", 400),
        (nobody, 404),
        ("/tasks?state=asleep", 400),
        ("/tasks?stat=running", 400),
        ("/pools/nobody", 404),
        ("/nothing", 404),
    ] {
        let answer = send(Method::GET, coordinator, path, &[], "").await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.json()["detail"].is_string(), "{path}: {answer:?}");
    }
    let cancelled = post(coordinator, &format!("{nobody}/cancel"), &[], "").await;
    assert_eq!(cancelled.status, 404, "{cancelled:?}");
    platform.check_alive("questions").await;
}
