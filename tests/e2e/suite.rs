//! The conformance suite of the Model Context Protocol (`@modelcontextprotocol/conformance`), and what
//! it says of a server.
//!
//! Warnings count as failures here, and so do checks that the suite skips because something is not
//! offered: what a server should do is done.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use crate::platform::Platform;

/// Checks that the suite skips for every server, because it does not know how to make them.
const NEVER_MADE: &[&str] = &["tasks-status-notifications"];

/// One check of a scenario, as the suite writes it down.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The same word in every run.
    pub id: String,
    status: Status,
    #[serde(default)]
    error_message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Failure,
    Warning,
    Skipped,
    Info,
}

impl Check {
    /// Whether the server did not do what it should.
    pub fn failed(&self) -> bool {
        match self.status {
            Status::Success | Status::Info => false,
            Status::Failure | Status::Warning => true,
            Status::Skipped => !NEVER_MADE.contains(&&*self.id),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {:?}: {}", self.id, self.status, self.error_message)
    }
}

/// Runs the scenarios that a revision requires of a server, and those that the suite runs without
/// counting them; the checks by scenario.
pub async fn run(revision: &str, url: &str, platform: &Platform) -> BTreeMap<String, Vec<Check>> {
    let results = platform.folder().join("results");
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/tools/node_modules");
    let ran = Command::new(tools.join(".bin/node"))
        .arg(tools.join("@modelcontextprotocol/conformance/dist/index.js"))
        .args(["server", "--url", url, "--requirements", revision])
        .arg("--output-dir")
        .arg(&results)
        .envs([platform.mark()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the suite starts: run tests/clients/install first");
    let Ok(folders) = results.read_dir() else {
        panic!("the suite left no results: {ran:?}");
    };
    folders
        .map(|folder| {
            let path = folder.expect("a folder").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            let checks = std::fs::read(path.join("checks.json")).expect("its checks");
            let checks = serde_json::from_slice(&checks).expect("a list of checks");
            (scenario(&name).to_owned(), checks)
        })
        .collect()
}

/// The scenario of a folder of results: `server-SCENARIO-2026-01-31T23-59-59-999Z`.
fn scenario(folder: &str) -> &str {
    const TIME: usize = "-2026-01-31T23-59-59-999Z".len();
    let name = folder.strip_prefix("server-").expect("a server's scenario");
    &name[..name.len() - TIME]
}
