//! The conformance suite of the Model Context Protocol against the platform, with the SDK's
//! `conformance` function as its only pool: every scenario that a revision requires of a server,
//! and every one that the suite runs without counting it.

use crate::modern::REVISION;
use crate::platform::Platform;
use crate::pools::Pool;
use crate::session::LEGACY;
use crate::suite;

#[tokio::test]
async fn the_legacy_revision_is_served_as_the_suite_wants_it() {
    check(LEGACY, 33).await;
}

#[tokio::test]
async fn the_modern_revision_is_served_as_the_suite_wants_it() {
    check(REVISION, 50).await;
}

/// Runs the scenarios of a revision, so many in this version of the suite.
async fn check(revision: &str, scenarios: usize) {
    let platform = Platform::start([Pool::conformance("conformance")]).await;
    let port = platform.mcp().rsplit(':').next().expect("a port");
    // The suite looks for DNS rebinding only where the host has this name.
    let url = format!("http://localhost:{port}/mcp");
    let results = suite::run(revision, &url, &platform).await;
    assert_eq!(results.len(), scenarios, "scenarios that left a result");
    let complaints = results.iter().flat_map(|(scenario, checks)| {
        let failed = checks.iter().filter(|check| check.failed());
        failed.map(move |check| format!("{scenario} / {check}"))
    });
    let complaints = complaints.collect::<Vec<_>>().join("\n");
    assert!(complaints.is_empty(), "{revision}:\n{complaints}");
}
