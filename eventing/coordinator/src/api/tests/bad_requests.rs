//! Requests that are wrong in one way each.

use super::*;

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
            "JSON object",
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
