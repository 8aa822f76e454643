//! The conformance suite over WebSocket: every scenario that has a meaning there, in both eras.

use crate::bridge::Bridge;
use crate::modern::REVISION;
use crate::platform::Platform;
use crate::pools::Pool;
use crate::session::LEGACY;
use crate::suite;

/// What is said of HTTP alone: its headers, its sessions, its streams.
const OF_HTTP: &[&str] = &[
    "dns-rebinding-protection",
    "http-custom-header-server-validation",
    "http-header-validation",
    "server-session-lifecycle",
    "server-sse-polling",
    "tasks-request-headers",
];

/// The same, single checks of scenarios that say more.
const CHECKS_OF_HTTP: &[&str] = &["sep-2575-http-server-header-mismatch-400"];

#[tokio::test]
async fn the_legacy_revision_is_served_over_websocket_as_the_suite_wants_it() {
    check(LEGACY).await;
}

#[tokio::test]
async fn the_modern_revision_is_served_over_websocket_as_the_suite_wants_it() {
    check(REVISION).await;
}

async fn check(revision: &str) {
    let platform = Platform::start([Pool::conformance("conformance")]).await;
    let bridge = Bridge::start(platform.mcp()).await;
    let results = suite::run(revision, &bridge.url(), &platform).await;
    let complaints: Vec<_> = results
        .iter()
        .filter(|(scenario, _)| !OF_HTTP.contains(&scenario.as_str()))
        .flat_map(|(scenario, checks)| checks.iter().map(move |check| (scenario, check)))
        .filter(|(_, check)| check.failed() && !CHECKS_OF_HTTP.contains(&check.id.as_str()))
        .map(|(scenario, check)| format!("{scenario} / {check}"))
        .collect();
    let complaints = complaints.join("\n");
    assert!(complaints.is_empty(), "{revision}:\n{complaints}");
}
