//! Who may come in: Host, Origin and the token, at every door and before any upgrade.

use hyper::Method;
use tokio_tungstenite::tungstenite;

use crate::http::{post, send};
use crate::platform::{Platform, Setup, program};
use crate::pools::Pool;
use crate::session::Session;

const TOKEN: &str = "correct horse battery staple";

/// Who knocks, the headers that they send, and the status that meets them: without a token
/// configured, and with one.
type Stranger = (
    &'static str,
    &'static [(&'static str, &'static str)],
    u16,
    u16,
);

const STRANGERS: [Stranger; 8] = [
    ("nothing special", &[], 200, 401),
    (
        "a page of this machine",
        &[("origin", "http://localhost:5173")],
        200,
        401,
    ),
    (
        "a page from elsewhere",
        &[("origin", "https://evil.example")],
        403,
        403,
    ),
    ("a page without origin", &[("origin", "null")], 403, 403),
    ("a rebound name", &[("host", "evil.example")], 403, 403),
    (
        "the token",
        &[("authorization", "Bearer correct horse battery staple")],
        200,
        200,
    ),
    (
        "another token",
        &[("authorization", "Bearer wrong")],
        200,
        401,
    ),
    (
        "the token, from a page from elsewhere",
        &[
            ("authorization", "Bearer correct horse battery staple"),
            ("origin", "https://evil.example"),
        ],
        403,
        403,
    ),
];

/// A path of each door that answers 200 to a simple GET.
fn readable(platform: &Platform) -> [(&str, &'static str); 3] {
    let doors = platform.doors();
    [
        (&doors.admin, "/metrics"),
        (&doors.coordinator, "/pools"),
        (&doors.coordinator, "/tasks"),
    ]
}

#[tokio::test]
async fn strangers_are_turned_away_at_every_door() {
    let open = Platform::start([]).await;
    let guarded = Setup::new([]).token(TOKEN).start().await;
    for (who, headers, without, with) in STRANGERS {
        for (platform, expected) in [(&open, without), (&guarded, with)] {
            for (address, path) in readable(platform) {
                let answer = send(Method::GET, address, path, headers, "").await;
                assert_eq!(answer.status, expected, "{who} at {path}: {answer:?}");
                let challenge = answer.headers.contains_key("www-authenticate");
                assert_eq!(challenge, expected == 401, "{who} at {path}: {answer:?}");
            }
            let upgraded = upgrade(platform.mcp(), headers).await;
            let expected = if expected == 200 { 101 } else { expected };
            assert_eq!(upgraded, expected, "{who}, upgrading");
        }
    }
}

#[tokio::test]
async fn strangers_cannot_post_either() {
    let guarded = Setup::new([]).token(TOKEN).start().await;
    let doors = guarded.doors();
    for (who, headers, _, expected) in STRANGERS {
        if expected == 200 {
            continue;
        }
        for (address, path) in [(&doors.mcp, "/mcp"), (&doors.coordinator, "/events")] {
            let answer = post(address, path, headers, "{}").await;
            assert_eq!(answer.status, expected, "{who} at {path}: {answer:?}");
            assert!(!answer.body.contains(TOKEN), "{answer:?}");
        }
    }
    assert!(!guarded.log().contains(TOKEN), "the token is never logged");
}

#[tokio::test]
async fn a_subprotocol_entry_carries_the_token() {
    // base64url of the token, without padding
    const ENTRY: &str = "mcp, dormouse.bearer.Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ";
    let guarded = Setup::new([Pool::fixture("fixture")])
        .token(TOKEN)
        .start()
        .await;
    let headers = [("sec-websocket-protocol", ENTRY)];
    let session = Session::connect(guarded.mcp(), &headers).await;
    let session = session.expect("the token opens the door");
    session
        .initialize(crate::session::LEGACY)
        .await
        .expect("a session");
    session
        .call("echo", serde_json::json!({"text": "in"}))
        .await;
}

#[test]
fn beyond_loopback_a_token_is_required() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = program();
    command.args(["dev", "--no-build", "--host=0.0.0.0"]);
    command.args([
        "--port=0",
        "--admin-port=0",
        "--coordinator-port=0",
        "--data-dir",
    ]);
    command.arg(folder.path()).arg("--pools").arg(folder.path());
    let output = command.output().expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("DORMOUSE_TOKEN"), "{said}");
}

/// The status of a WebSocket upgrade.
async fn upgrade(address: &str, headers: &[(&'static str, &str)]) -> u16 {
    match Session::connect(address, headers).await {
        Ok(_) => 101,
        Err(error) => match *error {
            tungstenite::Error::Http(response) => response.status().as_u16(),
            other => panic!("no HTTP answer: {other}"),
        },
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let platform = Setup::new([Pool::fixture("fixture")])
        .token(TOKEN)
        .argument("--rate-limit=2")
        .start()
        .await;
    let bearer = format!("Bearer {TOKEN}");
    let token = [("authorization", &*bearer)];
    let coordinator = &platform.doors().coordinator;
    for _ in 0..2 {
        let answer = send(Method::GET, coordinator, "/pools", &token, "").await;
        assert_eq!(answer.status, 200);
    }
    // The bound is the caller's, at whichever door.
    let answer = send(Method::GET, coordinator, "/pools", &token, "").await;
    assert_eq!(answer.status, 429);
    let seconds = answer.headers["retry-after"].to_str().expect("a number");
    assert!(seconds.parse::<u32>().is_ok_and(|wait| wait > 0));
    assert_eq!(answer.json()["title"], "Too many requests");
    let health = send(Method::GET, coordinator, "/health", &[], "").await;
    assert_eq!(health.status, 200);
}
