//! The end of a platform: what runs is finished, and nothing is left.

use serde_json::json;

use crate::gate::Gate;
use crate::platform::{Platform, Setup, eventually, program};
use crate::pools::Pool;
use crate::session::Session;

#[tokio::test]
async fn a_running_call_finishes_after_ctrl_c() {
    let mut platform = Platform::start([Pool::fixture("fixture")]).await;
    let session = Session::open(platform.mcp()).await;
    let gate = Gate::shut(&platform);
    let call = gate.call(&session);
    platform.task_in("count", "running").await;
    platform.interrupt();
    eventually("it to be seen", async || {
        platform.log().contains("Ctrl-C again").then_some(())
    })
    .await;
    gate.open();
    let answer = call.await.expect("the call's answer before the end");
    assert_ne!(answer["result"]["isError"], true, "{answer}");
    let status = eventually("the end", async || platform.ended()).await;
    assert!(status.success(), "{status}");
    assert_eq!(platform.processes(), []);
}

#[tokio::test]
async fn a_second_ctrl_c_does_not_wait() {
    let mut platform = Platform::start([Pool::fixture("fixture")]).await;
    let session = Session::open(platform.mcp()).await;
    let call = json!({"name": "hang", "arguments": {}});
    let _hanging = session.start("tools/call", call);
    platform.task_in("hang", "running").await;
    platform.interrupt();
    eventually("the first to be seen", async || {
        platform.log().contains("Ctrl-C again").then_some(())
    })
    .await;
    platform.interrupt();
    let status = eventually("the end", async || platform.ended()).await;
    assert!(status.success(), "{status}");
    assert_eq!(platform.processes(), []);
}

#[tokio::test]
async fn a_taken_port_names_who_wants_it() {
    let platform = Platform::start([]).await;
    let port = platform
        .mcp()
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for flag in ["--port", "--admin-port", "--coordinator-port"] {
        let mut command = program();
        command
            .args(["dev", "--no-build", "--data-dir"])
            .arg(folder.path());
        command.arg("--pools").arg(folder.path());
        for other in ["--port", "--admin-port", "--coordinator-port"] {
            command.args([other, if other == flag { &port } else { "0" }]);
        }
        let output = command.output().expect("it runs");
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&port) && said.contains(flag), "{said}");
    }
}

#[tokio::test]
async fn a_data_directory_belongs_to_one_platform() {
    let platform = Setup::new([]).start().await;
    let mut command = program();
    command.args([
        "dev",
        "--no-build",
        "--port=0",
        "--admin-port=0",
        "--coordinator-port=0",
    ]);
    command.arg("--pools").arg(platform.folder().join("pools"));
    let output = command
        .arg("--data-dir")
        .arg(platform.folder().join("data"))
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--data-dir"), "{said}");
}
