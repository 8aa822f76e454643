//! The cluster as people see it who work with it: through kubectl, and through its API.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::http;

/// The API without TLS: `kubectl proxy` on the node, for those who look often.
const API: &str = "127.0.0.1:8001";

/// No test asserts on time: this is only when it gives up waiting.
const PATIENCE: Duration = Duration::from_secs(240);

/// Runs kubectl with these words and this as its standard input.
///
/// # Errors
/// What it says when it fails.
pub async fn kubectl(words: &[&str], input: &str) -> Result<String, String> {
    assert!(
        std::env::var_os("KUBECONFIG").is_some(),
        "there is no cluster: `make test-cluster` brings one up and runs these tests"
    );
    let mut child = Command::new("kubectl")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).await.expect("it reads");
    drop(stdin);
    let ended = child.wait_with_output().await.expect("its output");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match ended.status.success() {
        true => Ok(text(ended.stdout)),
        false => Err(text(ended.stderr)),
    }
}

/// The whole path of a file or folder of the tree.
pub fn in_tree(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// What the API answers at this path; `None` when there is nothing.
pub async fn get(path: &str) -> Option<Value> {
    let answer = http::get(API, path).await;
    match answer.status {
        StatusCode::OK => Some(answer.json()),
        StatusCode::NOT_FOUND => None,
        _ => panic!("{path}: {answer:?}"),
    }
}

/// The pods of a namespace that have this label.
pub async fn pods(namespace: &str, label: &str) -> Vec<Value> {
    let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={label}");
    let page = get(&path).await.expect("there are always pods");
    page["items"].as_array().expect("a list").clone()
}

/// Asks until there is an answer; panics when none comes.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < give_up, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The status of a condition, and its message.
pub fn condition<'a>(object: &'a Value, ty: &str) -> Option<(&'a str, &'a str)> {
    let conditions = object["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|each| each["type"] == ty)?;
    let message = condition["message"].as_str().unwrap_or_default();
    Some((condition["status"].as_str()?, message))
}

/// Whether it says of itself, as it is now, that it is ready.
pub fn is_ready(object: &Value) -> bool {
    let is_current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    is_current && condition(object, "Ready").is_some_and(|(status, _)| status == "True")
}
