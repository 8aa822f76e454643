//! Calls without end while everything is updated under them.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::knocks::Knocks;
use crate::kubectl::eventually;
use crate::namespace::Kind;
use crate::pools::fixture;
use crate::session::{Gone, LEGACY, Session, text};

/// The fewest calls altogether.
const CALLS: usize = 500;
const CALLERS: usize = 10;

/// A client that says hello again when its connection ends, and repeats its call under its key.
struct Caller<'a> {
    deployment: &'a Deployment,
    session: Option<Session>,
}

impl Caller<'_> {
    async fn call(&mut self, tool: &str, key: &str, arguments: &Value) -> Value {
        let meta = json!({"dev.dormouse/idempotencyKey": key});
        let call = json!({"name": tool, "arguments": arguments, "_meta": meta});
        loop {
            let session = match self.session.take() {
                Some(session) => session,
                None => self.connect().await,
            };
            if let Ok(answer) = session.ask("tools/call", call.clone()).await {
                self.session = Some(session);
                return answer;
            }
        }
    }

    async fn connect(&self) -> Session {
        let (mcp, authorization) = (self.deployment.mcp(), self.deployment.authorization());
        let headers = [("authorization", &*authorization)];
        eventually("a connection", async || {
            let session = Session::connect(&mcp, &headers).await.ok()?;
            let hello: Result<_, Gone> = session.initialize(LEGACY).await;
            hello.is_ok().then_some(session)
        })
        .await
    }
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn updates_under_load_lose_no_call_and_run_none_twice() {
    let deployment = Deployment::with(json!({"limits": {"rateLimit": 0}})).await;
    deployment.deploy_pool(&fixture("fixture")).await;
    let knocks = Knocks::listen().await;
    knocks.open();
    let is_done = AtomicBool::new(false);
    let load = join_all((0..CALLERS).map(async |caller| {
        let mut answers = Vec::new();
        let mut client = Caller {
            deployment: &deployment,
            session: None,
        };
        while answers.len() < CALLS / CALLERS || !is_done.load(Ordering::Relaxed) {
            let number = answers.len();
            let tool = ["knock", "knock_idempotent"][number % 2];
            let key = format!("{tool} {caller} {number}");
            let arguments = knocks.arguments(&key);
            let answer = client.call(tool, &key, &arguments).await;
            answers.push((key, answer));
        }
        answers
    }));
    let (answers, ()) = tokio::join!(load, async {
        update_everything(&deployment).await;
        is_done.store(true, Ordering::Relaxed);
    });
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    assert!(answers.len() >= CALLS, "{}", answers.len());
    println!("{} calls while everything was updated", answers.len());
    for (key, answer) in &answers {
        assert_eq!(text(&answer["result"]), format!("heard {key}"), "{answer}");
        if key.starts_with("knock ") {
            assert_eq!(knocks.count(key), 1, "{key}");
        }
    }
}

/// A new revision of the pool, a new pod of the platform, and once more a new revision.
async fn update_everything(deployment: &Deployment) {
    let pool = |version: &str| {
        let mut pool = fixture("fixture");
        pool["spec"]["env"] = json!([{"name": "VERSION", "value": version}]);
        pool
    };
    let namespace = &deployment.namespace;
    let before = deployment.deploy_pool(&pool("2")).await;
    let platform = namespace.get(Kind::Pod, "platform-0").await;
    let spec = json!({"limits": {"rateLimit": 0, "maxTasks": 60}});
    deployment.update(spec).await;
    let after = deployment.deploy_pool(&pool("3")).await;
    assert_ne!(after["status"]["revision"], before["status"]["revision"]);
    let uid = |pod: Option<Value>| pod.map(|pod| pod["metadata"]["uid"].clone());
    let other = namespace.get(Kind::Pod, "platform-0").await;
    assert_ne!(uid(other), uid(platform), "the same pod");
}
