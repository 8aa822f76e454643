//! Functions sleep when nobody calls, and are replaced while people do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use crate::gate::Gate;
use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;
use crate::session::Session;

#[tokio::test]
async fn an_idle_pool_goes_back_to_sleep() {
    let pool = Pool::fixture("fixture").with("scaling.idle", json!("300ms"));
    let platform = Platform::start([pool]).await;
    assert_eq!(
        platform.pool("fixture").await.expect("it")["state"],
        "asleep"
    );
    assert_eq!(platform.processes(), []);

    let session = Session::open(platform.mcp()).await;
    for _ in 0..2 {
        let gate = Gate::shut(&platform);
        let held = gate.call(&session);
        eventually("the pool to wake", async || {
            let pool = platform.pool("fixture").await?;
            (pool["state"] == "awake" && pool["instances"]["ready"] == 1).then_some(())
        })
        .await;
        gate.open();
        held.await.expect("an answer");
        eventually("the pool to fall asleep", async || {
            let pool = platform.pool("fixture").await?;
            (pool["state"] == "asleep" && platform.processes().is_empty()).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn who_gave_a_token_hears_that_the_function_wakes() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let session = Session::open(platform.mcp()).await;
    let call = json!({"name": "progress", "arguments": {}, "_meta": {"progressToken": "cold"}});
    let (_, answer) = session.start("tools/call", call);
    let mut told = Vec::new();
    while told.len() < 4 {
        let notice = session.next().await.expect("a notification");
        if notice["method"] == "notifications/progress" {
            assert_eq!(notice["params"]["progressToken"], "cold");
            told.push(notice["params"].clone());
        }
    }
    assert_eq!(told[0]["message"], "waking pool `fixture`");
    let steps: Vec<_> = told.iter().map(|step| step["progress"].as_f64()).collect();
    assert!(steps.is_sorted_by(|one, next| one < next), "{steps:?}");
    answer.await.expect("an answer");
}

#[tokio::test]
async fn a_pool_grows_with_its_calls_up_to_its_bound() {
    let pool = Pool::fixture("fixture")
        .with("scaling.max", json!(2))
        .with("scaling.concurrency", json!(1));
    let platform = Platform::start([pool]).await;
    let session = Session::open(platform.mcp()).await;
    let gate = Gate::shut(&platform);
    let calls = [(); 4].map(|()| gate.call(&session));
    eventually("two instances and a queue", async || {
        let pool = platform.pool("fixture").await?;
        (pool["instances"]["ready"] == 2 && pool["running"] == 2 && pool["queued"] == 2)
            .then_some(())
    })
    .await;
    gate.open();
    for call in calls {
        let answer = call.await.expect("an answer");
        assert_ne!(answer["result"]["isError"], true, "{answer}");
    }
    assert_eq!(platform.processes().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_a_pool_drops_no_call() {
    let variant = |word: &str| {
        Pool::fixture("fixture")
            .with_env("VARIANT", word)
            .with("scaling.idle", json!("1s"))
    };
    let platform = Platform::start([variant("0")]).await;
    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (address, done) = (platform.mcp().to_owned(), done.clone());
            let answered = answered.clone();
            tokio::spawn(async move {
                let session = Session::open(&address).await;
                while !done.load(Ordering::Relaxed) {
                    let result = session.call("sleep", json!({"ms": 5})).await;
                    assert_ne!(result["isError"], true, "{result}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    for change in 1..=3 {
        let before = revision(&platform).await;
        platform.write_pool(&variant(&change.to_string()));
        eventually("the new revision", async || {
            (revision(&platform).await != before).then_some(())
        })
        .await;
        let before = answered.load(Ordering::Relaxed);
        eventually("more calls on it", async || {
            (answered.load(Ordering::Relaxed) > before + 20).then_some(())
        })
        .await;
    }
    done.store(true, Ordering::Relaxed);
    for caller in callers {
        caller
            .await
            .expect("no call was dropped, and no session either");
    }
}

async fn revision(platform: &Platform) -> String {
    let pool = platform.pool("fixture").await.expect("it is never gone");
    pool["revision"].as_str().expect("a name").to_owned()
}

#[tokio::test]
async fn a_pool_file_that_appears_or_goes_is_followed() {
    follow(Platform::start([Pool::fixture("first")]).await).await;
}

#[tokio::test]
async fn so_it_is_in_a_hidden_folder() {
    follow(Setup::new([Pool::fixture("first")]).hidden().start().await).await;
}

async fn follow(platform: Platform) {
    assert!(platform.pool("second").await.is_none());
    platform.write_pool(&Pool::broken("second", "exit"));
    let session = Session::open(platform.mcp()).await;
    eventually("the new pool's tool", async || {
        let listed = session.ask("tools/list", json!({})).await.ok()?;
        listed.to_string().contains(r#""misbehave""#).then_some(())
    })
    .await;
    std::fs::remove_file(platform.folder().join("pools/second.yaml")).expect("its file");
    eventually("its tool to be gone", async || {
        let listed = session.ask("tools/list", json!({})).await.ok()?;
        (!listed.to_string().contains(r#""misbehave""#)).then_some(())
    })
    .await;
    assert!(platform.pool("second").await.is_none());
}
