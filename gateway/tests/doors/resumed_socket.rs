//! WebSocket sessions that go on over another connection, and in another process.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::http_client::{initialize, request, send};
use crate::platform::{Platform, Process};
use crate::socket_client::{Socket, connect, connect_with};

/// A client that counts what it receives.
pub struct Client {
    pub socket: Socket,
    pub session: String,
    pub received: u64,
}

impl Client {
    pub async fn open(address: SocketAddr) -> Self {
        let (socket, response) = connect_with(address, &[("dormouse-resume", "new")])
            .await
            .unwrap();
        let session = response.headers()["mcp-session-id"].to_str().unwrap();
        let mut client = Self {
            socket,
            session: session.to_owned(),
            received: 0,
        };
        client.socket.send(&initialize("2025-11-25")).await;
        let welcome = client.receive().await;
        let told = &welcome["result"]["_meta"]["dev.dormouse/session"];
        assert_eq!(told, &client.session);
        client
    }

    pub async fn receive(&mut self) -> Value {
        let message = self.socket.receive().await;
        self.received += 1;
        message
    }

    async fn ask(&mut self, message: &Value) -> Value {
        self.socket.send(message).await;
        self.receive().await
    }

    pub async fn lose(self) -> Lost {
        self.socket.lose();
        Lost {
            session: self.session,
            received: self.received,
        }
    }
}

#[derive(Clone)]
pub struct Lost {
    session: String,
    pub received: u64,
}

impl Lost {
    pub async fn try_resume(&self, address: SocketAddr) -> Result<(Client, u64), Error> {
        let received = self.received.to_string();
        let headers = [
            ("mcp-session-id", self.session.as_str()),
            ("dormouse-received", &received),
        ];
        let (socket, response) = connect_with(address, &headers).await?;
        let theirs = response.headers()["dormouse-received"].to_str().unwrap();
        let client = Client {
            socket,
            session: self.session.clone(),
            received: self.received,
        };
        Ok((client, theirs.parse().unwrap()))
    }

    async fn resume(&self, address: SocketAddr) -> Client {
        self.try_resume(address).await.unwrap().0
    }

    pub async fn refused(&self, address: SocketAddr) -> StatusCode {
        match self.try_resume(address).await {
            Err(Error::Http(response)) => response.status(),
            other => panic!("{:?}", other.err()),
        }
    }
}

fn call(id: u64, tool: &str) -> Value {
    let params = json!({"name": tool, "_meta": {"progressToken": "t"},
                        "arguments": {"text": id.to_string()}});
    request(u32::try_from(id).unwrap(), "tools/call", params)
}

async fn until_running(platform: &Platform, runs: usize) {
    while platform.runs() < runs {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_call_goes_on_while_its_client_is_away() {
    let platform = Platform::start().await;
    let mut client = Client::open(platform.address).await;
    client.socket.send(&call(1, "wait")).await;
    until_running(&platform, 1).await;
    let lost = client.lose().await;
    platform.functions.go_on.add_permits(1);
    let (mut client, theirs) = lost.try_resume(platform.address).await.unwrap();
    assert_eq!(theirs, 2, "initialize and the call");
    let answer = client.receive().await;
    assert_eq!(answer["id"], 1);
    assert_eq!(answer["result"]["content"][0]["text"], "waited");
    // It goes on as before.
    assert_eq!(client.ask(&call(2, "echo")).await["id"], 2);
    assert_eq!(platform.runs(), 2);
}

#[tokio::test]
async fn what_did_not_arrive_is_sent_again_in_order_and_once() {
    let platform = Platform::start().await;
    let mut client = Client::open(platform.address).await;
    for id in 1..=20 {
        client.socket.send(&call(id, "tell")).await;
    }
    let mut heard = Vec::new();
    let mut answered = 0;
    // Every few messages the connection breaks, and some of what came is lost on the way.
    loop {
        for _ in 0..7 {
            if answered < 20 {
                let message = client.receive().await;
                answered += usize::from(message["id"].is_u64());
                heard.push(message);
            }
        }
        if answered == 20 {
            break;
        }
        let mut lost = client.lose().await;
        for _ in 0..3 {
            let forgotten = heard.pop().unwrap();
            answered -= usize::from(forgotten["id"].is_u64());
            lost.received -= 1;
        }
        client = lost.resume(platform.address).await;
    }
    let answers: std::collections::BTreeSet<u64> = heard
        .iter()
        .filter_map(|message| message["id"].as_u64())
        .collect();
    assert_eq!(answers, (1..=20).collect());
    let count = |method: &str| heard.iter().filter(|one| one["method"] == method).count();
    assert_eq!(heard.iter().filter(|one| one["id"].is_u64()).count(), 20);
    assert_eq!(count("notifications/progress"), 60);
    assert_eq!(platform.runs(), 20);
}

#[tokio::test]
async fn answers_survive_the_process() {
    let data = tempfile::tempdir().unwrap();
    let before = Process::start(data.path()).await;
    let address = before.platform.address;
    let mut client = Client::open(address).await;
    assert_eq!(client.ask(&call(1, "echo")).await["id"], 1);
    let seen = client.received;
    // An answer of a task, one that is none, and a call that does not end.
    let echo = client.ask(&call(2, "echo")).await;
    let list = client.ask(&request(3, "tools/list", json!({}))).await;
    client.socket.send(&call(4, "wait")).await;
    until_running(&before.platform, 3).await;
    let mut lost = client.lose().await;
    lost.received = seen;
    before.kill(data.path()).await;

    let after = Process::start(data.path()).await;
    let address = after.platform.address;
    let mut client = lost.resume(address).await;
    assert_eq!(client.receive().await, echo);
    assert_eq!(client.receive().await, list);
    let interrupted = client.receive().await;
    assert_eq!(interrupted["id"], 4);
    assert_eq!(
        interrupted["result"]["_meta"]["dev.dormouse/outcome"],
        "unknown"
    );
    // Once more, and with gaps: numbers go on from what the client has.
    lost.received += 1;
    let lost_again = lost.clone();
    client.lose().await;
    after.kill(data.path()).await;
    let third = Process::start(data.path()).await;
    let mut client = lost_again.resume(third.platform.address).await;
    assert_eq!(client.receive().await, list);
    assert_eq!(client.receive().await["id"], 4);
    assert_eq!(client.ask(&call(5, "echo")).await["id"], 5);
    assert_eq!(third.platform.runs(), 1);
    third.kill(data.path()).await;
}

#[tokio::test]
async fn the_newer_connection_has_the_session() {
    let platform = Platform::start().await;
    let mut older = Client::open(platform.address).await;
    let lost = Lost {
        session: older.session.clone(),
        received: older.received,
    };
    let mut newer = lost.resume(platform.address).await;
    assert_eq!(older.socket.closed().await, CloseCode::from(4_001));
    assert_eq!(newer.ask(&call(1, "echo")).await["id"], 1);
}

#[tokio::test]
async fn sessions_are_resumed_by_a_subprotocol_too() {
    let platform = Platform::start().await;
    let (mut socket, response) = connect(platform.address, "/mcp", "mcp, dormouse.resume.new")
        .await
        .unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "mcp");
    let welcome = socket.ask(&initialize("2025-11-25")).await;
    let session = welcome["result"]["_meta"]["dev.dormouse/session"].clone();
    socket.send(&call(1, "echo")).await;
    socket.receive().await;
    socket.lose();
    let offer = format!("mcp, dormouse.resume.{}.1", session.as_str().unwrap());
    let (mut socket, _) = connect(platform.address, "/", offer.leak()).await.unwrap();
    assert_eq!(socket.receive().await["id"], 1);
}

#[tokio::test]
async fn what_cannot_be_resumed_is_refused() {
    let platform = Platform::start().await;
    let mut client = Client::open(platform.address).await;
    client.ask(&call(1, "echo")).await;
    let lost = client.lose().await;
    let too_many = Lost {
        received: lost.received + 1,
        ..lost.clone()
    };
    assert_eq!(too_many.refused(platform.address).await, 400);
    let unknown = Lost {
        session: "unknown".to_owned(),
        ..lost.clone()
    };
    assert_eq!(unknown.refused(platform.address).await, 404);
    let malformed = connect_with(platform.address, &[("dormouse-received", "x")]).await;
    assert!(matches!(malformed, Err(Error::Http(response)) if response.status() == 400));
    // The session itself took no harm, but an HTTP client has no business with it.
    let session = [("mcp-session-id", lost.session.as_str())];
    let by_http = crate::http_client::post(platform.address, &session, &call(2, "echo")).await;
    assert_eq!(by_http.status, StatusCode::NOT_FOUND);
    let mut client = lost.resume(platform.address).await;
    assert_eq!(client.ask(&call(3, "echo")).await["id"], 3);
}

#[tokio::test]
async fn a_session_ends_with_a_farewell_or_by_delete() {
    let platform = Platform::start().await;
    let mut polite = Client::open(platform.address).await;
    let lost = Lost {
        session: polite.session.clone(),
        received: polite.received,
    };
    polite.socket.send_raw(Message::Close(None)).await;
    while polite.socket.next_text().await.is_some() {}
    while lost.refused(platform.address).await != 404 {}

    let client = Client::open(platform.address).await;
    let session = client.session.clone();
    let lost = client.lose().await;
    let headers = [("mcp-session-id", session.as_str())];
    let ended = send(platform.address, Method::DELETE, "/mcp", &headers, "").await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    while lost.try_resume(platform.address).await.is_ok() {}
    assert_eq!(lost.refused(platform.address).await, 404);
}

#[tokio::test]
async fn an_ordinary_session_ends_with_its_socket() {
    let platform = Platform::start().await;
    let (mut socket, response) = connect(platform.address, "/mcp", "mcp").await.unwrap();
    assert!(!response.headers().contains_key("mcp-session-id"));
    let welcome = socket.ask(&initialize("2025-11-25")).await;
    assert!(welcome["result"]["_meta"].is_null());
}

#[tokio::test]
async fn a_session_is_left_to_the_store_and_comes_back() {
    let platform = Platform::start_with(|config| {
        config.parked = Duration::ZERO;
        config.keep_alive = Duration::from_millis(20);
    })
    .await;
    let mut client = Client::open(platform.address).await;
    client.socket.send(&call(1, "wait")).await;
    until_running(&platform, 1).await;
    let lost = client.lose().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    platform.functions.go_on.add_permits(1);
    let mut client = lost.resume(platform.address).await;
    assert_eq!(
        client.receive().await["result"]["content"][0]["text"],
        "waited"
    );
}

#[tokio::test]
async fn frames_that_a_client_confirmed_are_forgotten() {
    let platform =
        Platform::start_with(|config| config.keep_alive = Duration::from_millis(20)).await;
    let mut client = Client::open(platform.address).await;
    for id in 1..=600 {
        assert_eq!(client.ask(&call(id, "echo")).await["id"], id);
    }
    // Pings are answered while the client reads.
    let mut patience = 0;
    while patience < 5 {
        client.ask(&request(1_000, "ping", json!({}))).await;
        tokio::time::sleep(Duration::from_millis(25)).await;
        patience += 1;
    }
    let lost = client.lose().await;
    let long_ago = Lost {
        received: 3,
        ..lost.clone()
    };
    assert_eq!(long_ago.refused(platform.address).await, 400);
    let mut client = lost.resume(platform.address).await;
    assert_eq!(client.ask(&call(1, "echo")).await["id"], 1);
}

#[tokio::test]
async fn a_call_that_sleeps_while_the_platform_stops_is_asked_again_after_the_start() {
    let data = tempfile::tempdir().unwrap();
    let before = Process::start(data.path()).await;
    let mut client = Client::open(before.platform.address).await;
    let asked = client.ask(&call(1, "ask")).await;
    assert_eq!(asked["method"], "elicitation/create");
    client.receive().await;
    before.platform.stop.cancel();
    before.platform.broker.stop().await;
    assert_eq!(client.socket.closed().await, CloseCode::Away);
    let lost = client.lose().await;
    before.kill(data.path()).await;

    let after = Process::start(data.path()).await;
    let mut client = lost.resume(after.platform.address).await;
    assert_eq!(client.receive().await["id"], asked["id"]);
    after.kill(data.path()).await;
}
