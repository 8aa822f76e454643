//! Other people's clients: each connects, lists, calls, sees progress, is refused, is asked, and
//! cancels.

use serde_json::json;

use crate::client::{Client, Running, Seen, legacy, node, python};
use crate::modern::REVISION;
use crate::platform::{Platform, Setup};
use crate::pools::Pool;
use crate::session::LEGACY;
use crate::wire::Wire;

const TOKEN: &str = "a token; with =signs= and blanks";
const SPECIAL: &str = "zwölf Siebenschläfer 🐭";

#[tokio::test]
async fn typescript_1_over_websocket() {
    let seen = drive("ws", node("sdk1.mjs")).await;
    seen.check_legacy();
}

#[tokio::test]
async fn typescript_1_over_http() {
    let seen = drive("http", node("sdk1.mjs")).await;
    seen.check_legacy();
}

#[tokio::test]
async fn typescript_2_in_the_legacy_era() {
    let seen = drive("http", legacy(node("sdk2.mjs"))).await;
    seen.check_legacy();
}

#[tokio::test]
async fn typescript_2_in_the_modern_era() {
    let seen = drive("http", node("sdk2.mjs")).await;
    assert_eq!(seen.only("connected")["supported"][0], REVISION);
    seen.check_modern();
}

#[tokio::test]
async fn python_1_over_websocket() {
    let seen = drive("ws", python("1", "sdk1.py")).await;
    seen.check_legacy();
}

#[tokio::test]
async fn python_2_in_the_legacy_era() {
    let seen = drive("http", legacy(python("2", "sdk2.py"))).await;
    seen.check_legacy();
}

#[tokio::test]
async fn python_2_in_the_modern_era() {
    let seen = drive("http", python("2", "sdk2.py")).await;
    assert_eq!(seen.only("connected")["supported"][0], REVISION);
    assert!(seen.only("listed")["ttl_ms"].is_u64());
    seen.check_modern();
}

#[tokio::test]
async fn fastmcp_in_the_legacy_era() {
    let seen = drive("http", legacy(python("fastmcp", "fast.py"))).await;
    seen.check_legacy();
}

#[tokio::test]
async fn fastmcp_in_the_modern_era() {
    let seen = drive("http", python("fastmcp", "fast.py")).await;
    seen.check_modern();
}

#[tokio::test]
async fn typescript_1_takes_a_cut_stream_up_again() {
    resume(node("sdk1.mjs")).await;
}

#[tokio::test]
async fn typescript_2_takes_a_cut_stream_up_again() {
    resume(legacy(node("sdk2.mjs"))).await;
}

#[tokio::test]
async fn python_2_takes_a_cut_stream_up_again() {
    resume(legacy(python("2", "sdk2.py"))).await;
}

#[tokio::test]
async fn fastmcp_takes_a_cut_stream_up_again() {
    resume(legacy(python("fastmcp", "fast.py"))).await;
}

#[tokio::test]
async fn typescript_1_comes_back_for_its_answer_over_websocket() {
    come_back("ws", || node("sdk1.mjs")).await;
}

#[tokio::test]
async fn python_1_comes_back_for_its_answer_over_websocket() {
    come_back("ws", || python("1", "sdk1.py")).await;
}

#[tokio::test]
async fn typescript_2_comes_back_for_its_answer_in_the_modern_era() {
    come_back("http", || node("sdk2.mjs")).await;
}

#[tokio::test]
async fn python_2_comes_back_for_its_answer_in_the_modern_era() {
    come_back("http", || python("2", "sdk2.py")).await;
}

#[tokio::test]
async fn prompts_and_resources_are_read_by_every_client() {
    let platform = Platform::start([Pool::conformance("conformance")]).await;
    for (scheme, client) in [
        ("ws", node("sdk1.mjs")),
        ("http", node("sdk1.mjs")),
        ("http", legacy(node("sdk2.mjs"))),
        ("http", node("sdk2.mjs")),
        ("ws", python("1", "sdk1.py")),
        ("http", legacy(python("2", "sdk2.py"))),
        ("http", python("2", "sdk2.py")),
        ("http", legacy(python("fastmcp", "fast.py"))),
        ("http", python("fastmcp", "fast.py")),
    ] {
        let seen = act(&platform, scheme, client, "features").await;
        let featured = seen.only("featured");
        let prompt = "Prompt with arguments: arg1='cheese', arg2='ham'";
        assert_eq!(featured["prompt"], prompt);
        let text = "This is the content of the static text resource.";
        assert_eq!(featured["text"], text);
        let data = r#"{"id":"7","templateTest":true,"data":"Data for ID: 7"}"#;
        assert_eq!(featured["data"], data);
        assert_eq!(featured["completion"], json!(["paris", "park", "party"]));
        let templates = json!(["test://template/{id}/data", "events://{type}"]);
        assert_eq!(featured["templates"], templates);
        for (list, member) in [
            ("prompts", "test_simple_prompt"),
            ("resources", "test://watched-resource"),
        ] {
            let all = featured[list].as_array().expect("a list");
            assert!(all.contains(&json!(member)), "{member} is in {all:?}");
        }
    }
}

#[tokio::test]
async fn changes_are_heard_by_every_client_that_can_listen() {
    let platform = Platform::start([Pool::conformance("conformance")]).await;
    for (scheme, client) in [
        ("ws", node("sdk1.mjs")),
        ("http", node("sdk1.mjs")),
        ("http", legacy(node("sdk2.mjs"))),
        ("http", node("sdk2.mjs")),
        ("ws", python("1", "sdk1.py")),
        ("http", legacy(python("2", "sdk2.py"))),
        ("http", python("2", "sdk2.py")),
    ] {
        let seen = act(&platform, scheme, client, "watch").await;
        let heard: Vec<_> = seen.all("heard").map(|line| &line["method"]).collect();
        let changes = ["resources/updated", "tools/list_changed"];
        let changes = changes.map(|change| json!(format!("notifications/{change}")));
        assert_eq!(heard, changes.iter().collect::<Vec<_>>());
        let updated = &seen.only("heard")["params"]["uri"];
        assert_eq!(updated, "test://watched-resource");
    }
}

#[tokio::test]
async fn sessions_go_on_after_the_platform_was_killed() {
    let setup = Setup::new([Pool::fixture("fixture")]).fixed_ports();
    let mut platform = setup.start().await;
    let mut clients = [
        node("sdk1.mjs"),
        legacy(node("sdk2.mjs")),
        legacy(python("2", "sdk2.py")),
        legacy(python("fastmcp", "fast.py")),
    ]
    .map(|client| {
        let mut command = client.command(&format!("http://{}/mcp", platform.mcp()));
        command.args(["echo", "pause", "echo"]);
        platform.start_client(command)
    });
    for client in &mut clients {
        client.read_until("paused").await;
    }
    platform.kill().await;
    platform.restart().await;
    for mut client in clients {
        client.go_on().await;
        let seen = client.finish().await;
        let echoed: Vec<_> = seen.all("called").map(|line| &line["result"]).collect();
        assert_eq!(echoed.len(), 2, "{seen:#?}");
        assert_eq!(echoed[0], echoed[1]);
        assert_eq!(seen.all("connected").count(), 1);
    }
}

/// Runs a client that does one thing.
async fn act(platform: &Platform, scheme: &str, client: Client, action: &str) -> Seen {
    let mut command = client.command(&format!("{scheme}://{}/mcp", platform.mcp()));
    command.arg(action);
    platform.start_client(command).finish().await
}

/// Starts a platform that asks for a token, and a client that does everything.
async fn drive(scheme: &str, client: Client) -> Seen {
    let pools = [Pool::fixture("fixture"), Pool::conformance("conformance")];
    let platform = Setup::new(pools).token(TOKEN).start().await;
    let mut command = client.command(&format!("{scheme}://{}/mcp", platform.mcp()));
    command
        .args(["--token", TOKEN])
        .args(["list", "ping", "echo", "add", "progress"])
        .args(["refuse", "unknown", "elicit", "sample", "cancel"]);
    let mut running = platform.start_client(command);
    cancel(&mut running, &platform).await;
    running.finish().await
}

/// Lets a client cancel the call that it is making, once that runs.
async fn cancel(client: &mut Running, platform: &Platform) {
    client.read_until("calling").await;
    platform.task_in("sleep", "running").await;
    client.go_on().await;
    client.read_until("cancelled").await;
    platform.task_in("sleep", "cancelled").await;
    client.go_on().await;
}

/// Starts a platform, and a client that gets the answer of a call over another connection than the
/// one that it asked on.
async fn resume(client: Client) {
    let platform = Platform::start([Pool::conformance("conformance")]).await;
    let wire = Wire::to(platform.mcp()).await;
    let mut command = client.command(&format!("http://{}/mcp", wire.address()));
    command.arg("resume");
    let mut running = platform.start_client(command);
    running.read_until("progressed").await;
    wire.cut();
    let seen = running.finish().await;
    let result = &seen.of("called", "test_reconnection")["result"];
    assert_eq!(result["content"][0]["text"], "Reconnected");
    assert_eq!(platform.tasks("test_reconnection").await.len(), 1);
}

/// Starts a platform, and a client that loses its connection while it waits; a second one asks
/// under the same key, and gets the answer of the same call.
async fn come_back(scheme: &str, client: impl Fn() -> Client) {
    let platform = Platform::start([Pool::conformance("conformance")]).await;
    let wire = Wire::to(platform.mcp()).await;
    let mut command = client().command(&format!("{scheme}://{}/mcp", wire.address()));
    command.arg("keyed");
    let mut first = platform.start_client(command);
    first.read_until("progressed").await;
    drop((first, wire));

    let mut command = client().command(&format!("{scheme}://{}/mcp", platform.mcp()));
    command.arg("keyed");
    let seen = platform.start_client(command).finish().await;
    let result = &seen.of("called", "test_reconnection")["result"];
    assert_eq!(result["content"][0]["text"], "Reconnected");
    assert_eq!(platform.tasks("test_reconnection").await.len(), 1);
}

impl Seen {
    #[track_caller]
    fn check_legacy(&self) {
        assert_eq!(self.only("connected")["protocol"], LEGACY);
        self.only("ponged");
        self.check_calls();
    }

    #[track_caller]
    fn check_modern(&self) {
        assert_eq!(self.only("connected")["protocol"], REVISION);
        // What the era has removed is not there, even on a server that speaks both.
        self.of("refused", "ping");
        self.check_calls();
    }

    #[track_caller]
    fn check_calls(&self) {
        assert_eq!(self.only("connected")["server"]["name"], "dormouse");
        let tools = self.only("listed")["tools"].as_array().expect("a list");
        for tool in ["echo", "add", "progress", "sleep"] {
            assert!(tools.contains(&json!(tool)), "{tool} is in {tools:?}");
        }
        let echoed = &self.of("called", "echo")["result"];
        assert_eq!(echoed["content"][0]["text"], SPECIAL);
        let mut added = self.all("called").filter(|line| line["tool"] == "add");
        let sum = &added.next().expect("the sum")["result"];
        assert!(sum.to_string().contains("42"), "{sum}");
        let refused = &added.next().expect("the refusal")["result"];
        assert_eq!(refused["isError"], true, "{refused}");

        let steps: Vec<_> = self
            .all("progressed")
            .map(|line| line["progress"].as_f64().expect("a number"))
            .collect();
        assert!(!steps.is_empty(), "progress is seen");
        assert!(
            steps.is_sorted_by(|a, b| a < b),
            "progress rises: {steps:?}"
        );
        self.of("called", "progress");

        assert_eq!(self.of("refused", "no_such_tool")["code"], -32602);

        let mut asked = self.all("asked");
        let form = asked.next().expect("a form");
        assert_eq!(form["method"], "elicitation/create");
        assert_eq!(form["params"]["message"], "Who is it?");
        let filled = self.of("called", "test_elicitation")["result"].to_string();
        assert!(filled.contains("mouse@example.org"), "{filled}");
        let prompt = asked.next().expect("a prompt");
        assert_eq!(prompt["method"], "sampling/createMessage");
        let sampled = self.of("called", "test_sampling")["result"].to_string();
        assert!(sampled.contains("LLM response: Cheese."), "{sampled}");
        assert_eq!(asked.next(), None, "nothing is asked twice");

        self.of("cancelled", "sleep");
        self.only("closed");
        let errors: Vec<_> = self.all("errored").collect();
        assert!(errors.is_empty(), "{errors:#?} in {self:#?}");
    }
}
