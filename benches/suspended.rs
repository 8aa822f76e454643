//! What a suspended task takes of the platform's memory, outside the database.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod load;

use std::time::Duration;

use load::client::Caller as _;
use load::platform::Platform;
use load::posts::Posts;
use load::resident;

const TASKS: usize = 10_000;
/// Before the first look, so that what grows once has grown.
const WARM_UP: usize = 2_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let platform = Platform::start(&[], "{max: 1, concurrency: 100, idle: 1s}");
    suspend(&platform, WARM_UP).await;
    let before = resident(platform.pid());
    suspend(&platform, TASKS).await;
    let after = resident(platform.pid());
    let each = after.saturating_sub(before) as f64 / TASKS as f64;
    println!(
        "{TASKS} suspended tasks: {each:.0} bytes of memory each ({:.1} MB before, {:.1} MB after)",
        before as f64 / 1e6,
        after as f64 / 1e6
    );
}

/// Lets so many calls come to a question, and everything else come to rest.
async fn suspend(platform: &Platform, tasks: usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prepared");
    let mut caller = Posts::asking(&platform.mcp).await;
    for id in 0..tasks {
        let request = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"quiz","arguments":{{"file":{file:?},"questions":1}}}}}}"#
        );
        let answer = caller.exchange(request).await;
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
    }
    drop(caller);
    tokio::time::sleep(Duration::from_secs(5)).await;
}
