//! Functions and pool files that break the contract: whoever asks hears what is known, and the
//! platform goes on.

use serde_json::json;

use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;
use crate::session::{Session, text};

/// A policy under which a test need not wait for the second attempt.
fn hasty(pool: Pool) -> Pool {
    pool.with("delivery", json!({"retry": 1, "backoffDelay": "10ms"}))
}

#[tokio::test]
async fn programs_that_break_the_contract() {
    const CASES: [(&str, &str); 9] = [
        ("rubbish", "unknown"),
        ("no-event", "unknown"),
        ("other-event", "unknown"),
        ("no-result", "unknown"),
        ("silence", "unknown"),
        ("hang-up", "unknown"),
        ("never-ready", "not-run"),
        ("exit", "not-run"),
        ("missing", "not-run"),
    ];
    for (mode, outcome) in CASES {
        let broken = hasty(Pool::broken("broken", mode));
        let platform = match mode {
            "missing" => with_missing_program().await,
            "silence" => {
                // It has to start in this time.
                let impatient = broken.with("delivery.timeout", json!("5s"));
                Platform::start([Pool::fixture("fixture"), impatient]).await
            }
            _ => Platform::start([Pool::fixture("fixture"), broken]).await,
        };
        let session = Session::open(platform.mcp()).await;
        let result = session.call("misbehave", json!({})).await;
        assert_eq!(result["isError"], true, "{mode}: {result}");
        let told = &result["_meta"]["dev.dormouse/outcome"];
        assert_eq!(told, outcome, "{mode}: {result}");
        assert!(!text(&result).is_empty(), "{mode}");
        platform.check_alive(mode).await;
        platform.task_in("misbehave", "failed").await;
    }
}

/// A platform whose second pool's program is gone after it has been described.
async fn with_missing_program() -> Platform {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("broken.sh");
    let manifest = json!({
        "contract": 1,
        "tools": [{"name": "misbehave", "inputSchema": {"type": "object"}}],
    });
    std::fs::write(&script, format!("echo '{manifest}'")).expect("a script");
    let words = ["sh", script.to_str().expect("a path in UTF-8")];
    let broken = hasty(Pool::command("broken", &words));
    let platform = Platform::start([Pool::fixture("fixture"), broken]).await;
    drop(folder);
    platform
}

#[tokio::test]
async fn pools_that_cannot_be_described_are_named_and_left_out() {
    let pools = [
        Pool::fixture("fixture"),
        Pool::command("missing", &["/no/such/program"]),
        Pool::broken("rubbish", "manifest"),
        Pool::command("failing", &["sh", "-c", "exit 3"]),
    ];
    let platform = Platform::start(pools).await;
    for name in ["missing", "rubbish", "failing"] {
        let log = platform.log();
        assert!(log.contains(name), "{name} is named in {log}");
    }
    platform.check_alive("the others go on").await;
}

#[tokio::test]
async fn handlers_that_do_not_do_their_work() {
    let impatient = json!({"hang": {"timeout": "1s"}});
    let pool = hasty(Pool::fixture("fixture")).with("tools", impatient);
    let platform = Platform::start([pool]).await;
    let session = Session::open(platform.mcp()).await;
    // A handler that says no has answered; one that breaks is not repeated, for nobody knows what
    // it did.
    for (tool, outcome) in [
        ("wrong", None),
        ("fail", Some("unknown")),
        ("broken", Some("failed")),
        ("panic", Some("failed")),
        ("exit", Some("unknown")),
        ("hang", Some("unknown")),
    ] {
        let result = session.call(tool, json!({})).await;
        assert_eq!(result["isError"], true, "{tool}: {result}");
        let told = result["_meta"]["dev.dormouse/outcome"].as_str();
        assert_eq!(told, outcome, "{tool}: {result}");
        assert!(!text(&result).is_empty(), "{tool}");
        platform.check_alive(tool).await;
    }
}

#[tokio::test]
async fn a_call_that_may_run_again_is_repeated() {
    let platform = Setup::new([
        hasty(Pool::fixture("fixture")).with("tools", json!({"exit": {"retry": "always"}}))
    ])
    .start()
    .await;
    let session = Session::open(platform.mcp()).await;
    session.call("exit", json!({})).await;
    let task = platform.task_in("exit", "failed").await;
    assert_eq!(task["attempt"], 2, "{task}");
}

#[tokio::test]
async fn a_crash_loop_is_reported_and_ends_when_it_is_mended() {
    let platform = Platform::start([hasty(Pool::broken("fixture", "exit"))]).await;
    let session = Session::open(platform.mcp()).await;
    session.call("misbehave", json!({})).await;
    let pool = eventually("the pool to be failing", async || {
        let pool = platform.pool("fixture").await?;
        (pool["state"] == "failing").then_some(pool)
    })
    .await;
    let failure = pool["failure"].as_str().expect("a reason");
    assert!(failure.contains("there is no such database"), "{failure}");

    platform.write_pool(&Pool::fixture("fixture"));
    eventually("the mended pool to answer", async || {
        let call = json!({"name": "echo", "arguments": {"text": "mended"}});
        let answer = session.ask("tools/call", call).await.ok()?;
        answer["result"]["content"][0]["text"].as_str().map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn a_broken_pool_file_is_named_and_the_others_go_on() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    for (file, text, named) in [
        ("not-yaml.yaml", "spec: [", "not-yaml.yaml"),
        ("no-kind.yaml", "metadata: {name: x}", "no-kind.yaml"),
        (
            "misspelt.yaml",
            "{apiVersion: dormouse.dev/v1alpha1, kind: AgentPool, metadata: {name: x}, spec: {skaling: {max: 1}}}",
            "skaling",
        ),
    ] {
        platform.write_file(&format!("pools/{file}"), text);
        eventually(&format!("the platform to name {named}"), async || {
            platform.log().contains(named).then_some(())
        })
        .await;
        platform.check_alive(file).await;
    }
    let fixture = platform.pool("fixture").await.expect("it is still there");
    platform.write_file("pools/fixture.yaml", "spec: {");
    eventually("the platform to name fixture.yaml", async || {
        platform.log().contains("fixture.yaml").then_some(())
    })
    .await;
    platform.check_alive("what was right before").await;
    let still = platform.pool("fixture").await.expect("it is still there");
    assert_eq!(still["revision"], fixture["revision"]);
}
