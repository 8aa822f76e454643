//! Other people's programs, as their users start them: the Inspector's command line, and Claude
//! Code's list of servers. Each has a home of its own and finds nothing of whoever runs the tests.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::platform::{Platform, Setup};
use crate::pools::Pool;

const TOKEN: &str = "s3same-open";

#[tokio::test]
async fn the_inspector_lists_and_calls_in_both_eras() {
    let platform = start().await;
    for era in ["legacy", "modern"] {
        let listed = json_of(&inspect(&platform, era, &["--method", "tools/list"]).await);
        let tools = listed["tools"].as_array().expect("a list");
        assert!(tools.iter().any(|tool| tool["name"] == "add"), "{listed}");

        let call = ["--method", "tools/call", "--tool-name"];
        let add = [&call[..], &["add", "--tool-arg", "a=19", "b=23"]].concat();
        let added = json_of(&inspect(&platform, era, &add).await);
        assert_eq!(added["structuredContent"], json!({"sum": 42}), "{era}");

        let unknown = [&call[..], &["no_such_tool"]].concat();
        let refused = inspect(&platform, era, &unknown).await;
        assert!(!refused.status.success(), "{era}: {refused:?}");
    }
}

#[tokio::test]
async fn claude_code_connects_over_websocket_and_http() {
    let platform = start().await;
    let authorization = format!("Authorization: Bearer {TOKEN}");
    let http = format!("http://{}/mcp", platform.mcp());
    let add = ["mcp", "add", "--scope", "user", "--transport", "http"];
    let over_http = ["over-http", &http, "--header", &authorization];
    claude(&platform, &[&add[..], &over_http].concat()).await;

    // Its `mcp add` has no word for WebSocket; the same as JSON does.
    let server = json!({
        "type": "ws",
        "url": format!("ws://{}/mcp", platform.mcp()),
        "headers": {"Authorization": format!("Bearer {TOKEN}")},
    });
    let add = ["mcp", "add-json", "--scope", "user", "over-websocket"];
    claude(&platform, &[&add[..], &[&server.to_string()]].concat()).await;

    let listed = claude(&platform, &["mcp", "list"]).await;
    for name in ["over-http", "over-websocket"] {
        let mut lines = listed.lines();
        let line = lines.find(|line| line.starts_with(name));
        let connected = line.is_some_and(|line| line.ends_with("Connected"));
        assert!(connected, "{name}: {listed}");
    }
}

async fn start() -> Platform {
    Setup::new([Pool::fixture("fixture")])
        .token(TOKEN)
        .start()
        .await
}

/// Runs the Inspector on one request.
async fn inspect(platform: &Platform, era: &str, words: &[&str]) -> Output {
    let mut command = command(".bin/node", platform);
    command
        .arg(tools().join("@modelcontextprotocol/inspector/clients/launcher/build/index.js"))
        .args(["--cli", "--protocol-era", era])
        .args(["--transport", "http", "--server-url"])
        .arg(format!("http://{}/mcp", platform.mcp()))
        .arg("--header")
        .arg(format!("Authorization: Bearer {TOKEN}"))
        .args(words);
    command.output().await.expect("its output")
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Runs Claude Code to its end, and returns what it printed.
async fn claude(platform: &Platform, words: &[&str]) -> String {
    let machine = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x64",
    };
    let program = format!("@anthropic-ai/claude-code-linux-{machine}/claude");
    let mut command = command(&program, platform);
    command
        .env("CLAUDE_CONFIG_DIR", home(platform).join("claude"))
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .args(words);
    let output = command.output().await.expect("its output");
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A program of `tests/clients/tools`, in an environment that says nothing but its home.
fn command(program: &str, platform: &Platform) -> Command {
    let home = home(platform);
    let program = tools().join(program);
    assert!(
        program.exists(),
        "{} is missing: run tests/clients/install first",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", &home)
        .envs([platform.mark()])
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(home)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn home(platform: &Platform) -> PathBuf {
    let home = platform.folder().join("home");
    std::fs::create_dir_all(&home).expect("a home");
    home
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/tools/node_modules")
}
