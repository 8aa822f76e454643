//! The conformance suite of the Model Context Protocol against the platform, with the SDK's
//! `conformance` function as its only pool: every scenario that a revision requires of a server,
//! and every one that the suite runs without counting it.

use crate::modern::REVISION;
use crate::platform::Platform;
use crate::pools::Pool;
use crate::session::LEGACY;
use crate::suite;

/// What the platform does not serve yet: what is missing, and the scenarios that need it, of either
/// revision. It only ever gets shorter; a scenario that has become green must be taken off it.
const MISSING: &[(&str, &[(&str, &str)])] = &[
    (
        "prompts",
        &[
            (LEGACY, "prompts-list"),
            (LEGACY, "prompts-get-simple"),
            (LEGACY, "prompts-get-with-args"),
            (LEGACY, "prompts-get-embedded-resource"),
            (LEGACY, "prompts-get-with-image"),
            (REVISION, "prompts-list"),
            (REVISION, "prompts-get-simple"),
            (REVISION, "prompts-get-with-args"),
            (REVISION, "prompts-get-embedded-resource"),
            (REVISION, "prompts-get-with-image"),
            (REVISION, "caching"),
        ],
    ),
    (
        "resources and their templates",
        &[
            (LEGACY, "resources-list"),
            (LEGACY, "resources-read-text"),
            (LEGACY, "resources-read-binary"),
            (LEGACY, "resources-templates-read"),
            (LEGACY, "resources-subscribe"),
            (LEGACY, "resources-unsubscribe"),
            (REVISION, "resources-list"),
            (REVISION, "resources-read-text"),
            (REVISION, "resources-read-binary"),
            (REVISION, "resources-templates-read"),
            (REVISION, "sep-2164-resource-not-found"),
        ],
    ),
    (
        "completion",
        &[
            (LEGACY, "completion-complete"),
            (REVISION, "completion-complete"),
        ],
    ),
    (
        "prompts that ask",
        &[(REVISION, "input-required-result-non-tool-request")],
    ),
    (
        "lists that say when they change",
        &[(REVISION, "server-stateless")],
    ),
    (
        "a method of the legacy era has no name to check in the modern one",
        &[(REVISION, "tasks-dispatch-and-envelope")],
    ),
];

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
    let mut complaints = Vec::new();
    for (scenario, checks) in &results {
        let failed = checks.iter().filter(|check| check.failed());
        let failed: Vec<_> = failed
            .map(|check| format!("{scenario} / {check}"))
            .collect();
        match (is_missing(revision, scenario), failed.is_empty()) {
            (false, _) => complaints.extend(failed),
            (true, true) => complaints.push(format!("{scenario} is green: take it off MISSING")),
            (true, false) => {}
        }
    }
    let complaints = complaints.join("\n");
    assert!(complaints.is_empty(), "{revision}:\n{complaints}");
}

/// Whether a scenario is known not to be served yet.
pub fn is_missing(revision: &str, scenario: &str) -> bool {
    let mut all = MISSING.iter().flat_map(|(_, scenarios)| *scenarios);
    all.any(|missing| *missing == (revision, scenario))
}
