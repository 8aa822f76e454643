//! Pools that somebody deploys elsewhere and declares whole.

use dormouse_contract::registration::is_pool_name;

use super::*;

fn declaration(more: Value) -> Value {
    let mut declaration = json!({
        "runs_on": "knative",
        "endpoint": "http://away.default.svc.cluster.local",
        "revision": "away-00001",
        "manifest": {
            "contract": 1,
            "agentType": "educational",
            "tools": [{"name": "t", "inputSchema": {}}],
            "triggers": [{"filters": [{"exact": {"type": "org.example.asked"}}]}],
        },
        "connections": 20,
        "queue_limit": 30,
        "delivery_secret": "hush-hush",
        "pool_token": "away-token",
    });
    let members = declaration.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    declaration
}

impl Stage {
    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask(request(Method::PUT, path, &[], &body.to_string()))
            .await
    }

    async fn declare(&self, more: Value) -> Answer {
        self.put("/pools/away", &declaration(more)).await
    }

    async fn take_out(&self, pool: &str) -> StatusCode {
        let path = format!("/pools/{pool}");
        self.ask(request(Method::DELETE, &path, &[], ""))
            .await
            .status
    }
}

#[tokio::test]
async fn a_pool_is_declared_shown_replaced_and_taken_out() {
    let stage = Stage::open(10).await;
    let new = stage.declare(json!({})).await;
    assert_eq!(new.status, StatusCode::CREATED, "{:?}", new.body);
    assert_eq!(new.header("location"), "/pools/away");
    let pool = new.json();
    assert_eq!(pool["revision"], "away-00001");
    assert_eq!(pool["agentType"], "educational");
    assert_eq!(pool["state"], "asleep");
    assert_eq!(
        (&pool["slots"], &pool["queueLimit"]),
        (&json!(20), &json!(30))
    );
    assert_eq!(pool["tools"][0]["name"], "t");
    assert_eq!(pool["triggers"].as_array().map(Vec::len), Some(1));
    let endpoint = &pool["endpoints"][0];
    assert_eq!(endpoint["state"], "unprobed");
    assert_eq!(endpoint["healthEndpoint"], Value::Null);
    assert!(!pool.to_string().contains("hush-hush"));
    let token = |token| stage.coordinator.pool_token_matches("away", token);
    assert!(token("away-token") && !token("other"));

    let mut registrations = stage.coordinator.registrations();
    registrations.mark_unchanged();
    let same = stage.declare(json!({})).await;
    assert_eq!(same.status, StatusCode::OK);
    assert!(!registrations.has_changed().unwrap(), "nothing has changed");

    let next = json!({"revision": "away-00002", "connections": null, "triggers": []});
    let next = stage.declare(next).await;
    assert_eq!(next.status, StatusCode::OK);
    let pool = next.json();
    assert_eq!(pool["revision"], "away-00002");
    assert_eq!(pool["slots"], 50, "what is left out is the default");
    assert_eq!(pool["triggers"], json!([]));
    assert!(registrations.has_changed().unwrap());

    assert_eq!(stage.take_out("away").await, StatusCode::NO_CONTENT);
    assert_eq!(stage.get("/pools/away").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn its_manifest_is_kept_to_the_letter() {
    let stage = Stage::open(10).await;
    let tool = r#"{"name":"t","inputSchema":{ }, "x":1.0}"#;
    let body = format!(
        r#"{{"runs_on":"knative","endpoint":"http://away","revision":"1","manifest":{{"contract":1,"tools":[{tool}]}}}}"#
    );
    let put = request(Method::PUT, "/pools/away", &[], &body);
    assert_eq!(stage.ask(put).await.status, StatusCode::CREATED);
    let manifest = stage.get("/pools/away/manifest").await.body;
    let manifest = std::str::from_utf8(&manifest).unwrap();
    assert!(manifest.contains(tool), "{manifest}");
}

#[tokio::test]
async fn its_pods_are_counted_by_who_watches_them() {
    let stage = Stage::open(10).await;
    stage.declare(json!({})).await;
    for (counts, state) in [
        (json!({"waking": 1}), "waking"),
        (json!({"ready": 2, "waking": 1, "stopping": 0}), "awake"),
        (json!({"ready": 0, "stopping": 1}), "asleep"),
        (json!({"failure": "ImagePullBackOff"}), "failing"),
    ] {
        let counted = stage.put("/pools/away/instances", &counts).await;
        assert_eq!(counted.status, StatusCode::NO_CONTENT);
        let pool = stage.get("/pools/away").await.json();
        assert_eq!(pool["state"], state);
        assert_eq!(pool["failure"], counts["failure"]);
        let ready = counts.get("ready").unwrap_or(&json!(0)).clone();
        assert_eq!(pool["instances"]["ready"], ready);
    }
    // Another revision does not change how many pods there are.
    let pool = stage.declare(json!({"revision": "2"})).await.json();
    assert_eq!(pool["state"], "failing");
}

#[tokio::test]
async fn what_was_declared_is_no_row_and_the_other_way_round() {
    let stage = Stage::open(10).await;
    stage.declare(json!({})).await;
    let row = json!({"pool_id": "away", "endpoint": "http://127.0.0.1:1"});
    let none = json!({});
    let path = "/pools/away/instances";
    let cases = [
        (
            stage.post("/pools", &[], &row.to_string()).await,
            409,
            "on Knative",
        ),
        (
            stage
                .put("/pools/reactive", &declaration(none.clone()))
                .await,
            409,
            "AgentPool file",
        ),
        (
            stage.put("/pools/reactive/instances", &none).await,
            409,
            "does not run on Knative",
        ),
        (
            stage.put("/pools/none/instances", &none).await,
            404,
            "`none`",
        ),
        (
            stage.put(path, &json!({"awake": 1})).await,
            400,
            "unknown field `awake`",
        ),
        (stage.put(path, &json!({"ready": -1})).await, 400, "-1"),
        (
            stage
                .put("/pools/Not-a-label", &declaration(none.clone()))
                .await,
            400,
            "`Not-a-label`",
        ),
    ];
    for (answer, status, named) in cases {
        let problem = answer.json();
        assert_eq!(answer.status, status, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(named), "{detail}");
    }
    assert!(!is_pool_name("Not-a-label"));

    let always = json!({"endpoint": "http://127.0.0.1:1"});
    let always = stage.put("/pools/away", &always).await.json();
    assert_eq!(
        (&always["state"], &always["slots"]),
        (&json!("failing"), &json!(0))
    );
    let answer = stage.post("/pools", &[], &row.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "it is always on now");
}

#[tokio::test]
async fn what_does_not_belong_together_is_named_by_pointers() {
    let stage = Stage::open(10).await;
    let wrong = json!({
        "runs_on": "knative",
        "endpoint": "ftp://away",
        "health_endpoint": "/up",
        "manifest": {"contract": 1, "tools": [{"name": "t", "inputSchema": {}}, {"name": ""}]},
    });
    let answer = stage.put("/pools/away", &wrong).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let problem = answer.json();
    let errors = problem["errors"].as_array().unwrap();
    let mut named: Vec<_> = errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    named.sort_unstable();
    let expected = [
        "#/endpoint",
        "#/health_endpoint",
        "#/manifest/tools/1",
        "#/revision",
    ];
    assert_eq!(named, expected);
}

#[tokio::test]
async fn a_pool_is_drained_before_it_goes_and_its_namesake_is_not() {
    let mut stage = Stage::open(10).await;
    stage.declare(json!({})).await;
    let asked = |id| with(&[("ce-type", "org.example.asked"), ("ce-id", id)]);
    stage.post("/events", &asked("1"), "{}").await;
    let claim = stage.claims.recv().await.unwrap();
    let drain = stage.post("/pools/away/drain", &[], "").await.json();
    assert_eq!(drain["state"], "draining");
    let done = Report::Completed(Bytes::new());
    let settled = stage.broker.settle(claim.task, claim.token, done).await;
    settled.unwrap();
    let drain = stage.post("/pools/away/drain?wait=30s", &[], "").await;
    assert_eq!(drain.json()["state"], "drained");
    assert_eq!(stage.take_out("away").await, StatusCode::NO_CONTENT);

    let again = stage.declare(json!({})).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.json().get("drained"), None);
    stage.post("/events", &asked("2"), "{}").await;
    assert_eq!(&*stage.claims.recv().await.unwrap().pool, "away");
}
