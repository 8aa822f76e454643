//! Agents that run elsewhere, as the API takes and shows them.

use super::*;

/// An address where nobody is: the port was free a moment ago.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

#[tokio::test]
async fn an_agent_joins_is_shown_and_leaves() {
    let stage = Stage::open(10).await;
    let (first, second) = (nobody(), nobody());
    let row = json!({
        "pool_id": "away",
        "agent_type": "database",
        "capabilities": ["backup"],
        "endpoint": first,
        "health_endpoint": "/health",
        "delivery_secret": "hush-hush",
    });
    let joined = stage.post("/pools", &[], &row.to_string()).await;
    assert_eq!(joined.status, StatusCode::CREATED, "{:?}", joined.body);
    assert_eq!(joined.header("location"), "/pools/away");
    let pool = joined.json();
    assert_eq!(pool["state"], "failing");
    let failure = pool["failure"].as_str().unwrap();
    assert!(
        failure.contains(&format!("{first}capabilities")),
        "{failure}"
    );
    assert_eq!(pool["declared"], json!(["backup"]));
    assert_eq!((&pool["tools"], &pool["slots"]), (&json!([]), &json!(0)));
    assert_eq!(pool["balance"], "round-robin");
    assert_eq!(pool["breaker"]["state"], "closed");
    let endpoint = &pool["endpoints"][0];
    assert_eq!(endpoint["endpoint"], first);
    assert_eq!(endpoint["healthEndpoint"], format!("{first}health"));
    assert!(!pool.to_string().contains("hush-hush"));

    let row = json!({"pool_id": "away", "endpoint": second});
    let added = stage.post("/pools", &[], &row.to_string()).await;
    assert_eq!(added.status, StatusCode::OK);
    assert_eq!(added.json()["endpoints"].as_array().map(Vec::len), Some(2));

    let one = format!("/pools/away?endpoint={second}");
    let removed = stage.ask(request(Method::DELETE, &one, &[], "")).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let left = stage.get("/pools/away").await.json();
    assert_eq!(left["endpoints"].as_array().map(Vec::len), Some(1));
    let last = format!("/pools/away?endpoint={first}");
    let removed = stage.ask(request(Method::DELETE, &last, &[], "")).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.get("/pools/away").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn each_bad_registration_gets_the_problem_that_names_it() {
    let stage = Stage::open(10).await;
    let local = json!({"pool_id": "reactive", "endpoint": "http://127.0.0.1:1"});
    let wrong = json!({"pool_id": "No", "endpoint": "file:///etc/passwd", "colour": "blue"});
    let cases = [
        (
            Method::POST,
            "/pools",
            local.to_string(),
            409,
            "AgentPool file",
        ),
        (Method::POST, "/pools", "[]".to_owned(), 400, "JSON object"),
        (Method::POST, "/pools", wrong.to_string(), 400, "#/endpoint"),
        (
            Method::DELETE,
            "/pools/reactive",
            String::new(),
            409,
            "AgentPool file",
        ),
        (Method::DELETE, "/pools/none", String::new(), 404, "`none`"),
        (
            Method::DELETE,
            "/pools/none?end=x",
            String::new(),
            400,
            "end",
        ),
    ];
    for (method, path, body, status, named) in cases {
        let answer = stage.ask(request(method.clone(), path, &[], &body)).await;
        let problem = answer.json();
        assert_eq!(answer.status, status, "{method} {path}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(named), "{method} {path}: {detail}");
    }
    let answer = stage.post("/pools", &[], &wrong.to_string()).await.json();
    let errors = answer["errors"].as_array().unwrap();
    let named: Vec<_> = errors.iter().map(|error| &error["pointer"]).collect();
    assert_eq!(named, ["#/pool_id", "#/endpoint", "#/colour"]);
}
