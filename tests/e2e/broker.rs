//! Broker mode: what functions send goes on to a Broker, and what the Broker sends is taken.
//!
//! The Broker is an HTTP server on loopback that keeps what it is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http;
use crate::platform::{Platform, Setup, eventually};
use crate::pools::Pool;

/// What the function takes, and by which type it replies.
const TYPE: &str = "com.example.thing";
const REPLY: &str = "mirrored/com.example.thing";

const TOKEN: &str = "0123456789abcdef";

/// A request as it came.
#[derive(Debug, Clone)]
struct Sent {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Sent {
    fn id(&self) -> String {
        self.headers["ce-id"].to_str().expect("text").to_owned()
    }

    /// The attributes in its headers.
    fn attributes(&self) -> BTreeMap<&str, &str> {
        let headers = self.headers.iter();
        let attributes = headers.filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("ce-")?;
            Some((name, value.to_str().expect("ASCII")))
        });
        attributes.collect()
    }
}

/// A Broker that keeps its senders waiting until it is opened.
struct Broker {
    address: SocketAddr,
    open: watch::Sender<bool>,
    sent: watch::Sender<Vec<Sent>>,
    server: JoinHandle<()>,
}

type Shared = (watch::Sender<bool>, watch::Sender<Vec<Sent>>);

impl Broker {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (open, sent) = (watch::Sender::new(false), watch::Sender::new(Vec::new()));
        let routes = Router::new()
            .fallback(take)
            .with_state((open.clone(), sent.clone()));
        let server = tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("it serves");
        });
        Self {
            address,
            open,
            sent,
            server,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/agents/default", self.address)
    }

    /// What it was sent while it was open.
    fn sent(&self) -> Vec<Sent> {
        self.sent.borrow().clone()
    }

    async fn has(&self, ids: &BTreeSet<String>) {
        let mut sent = self.sent.subscribe();
        let all = |sent: &Vec<Sent>| sent.iter().map(Sent::id).collect::<BTreeSet<_>>() == *ids;
        let waited = tokio::time::timeout(crate::platform::PATIENCE, sent.wait_for(all)).await;
        assert!(waited.is_ok(), "{:?} instead of {ids:?}", self.sent());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(
    State((open, sent)): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    // It is not dropped before the answer.
    let _ = open.subscribe().wait_for(|is_open| *is_open).await;
    sent.send_modify(|sent| {
        sent.push(Sent {
            method,
            path: uri.path().to_owned(),
            headers,
            body,
        });
    });
    StatusCode::ACCEPTED
}

/// A platform in broker mode whose one function replies to each event of [`TYPE`].
async fn platform(broker: &Broker, folder: &tempfile::TempDir) -> Platform {
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).expect("a file");
    let mirror = Pool::mirror("mirror").with(
        "triggers",
        json!([{"filters": [{"exact": {"type": TYPE}}]}]),
    );
    Setup::new([mirror])
        .argument(&format!("--broker-url={}", broker.url()))
        .argument(&format!("--broker-token-file={}", token.display()))
        .start()
        .await
}

/// Sends an event by way of the Broker's door.
async fn send(platform: &Platform, headers: &[(&str, &str)], body: &str) {
    let path = format!("/brokers/{TOKEN}/events");
    let coordinator = &platform.doors().coordinator;
    let mut all = vec![("ce-specversion", "1.0"), ("ce-source", "/test")];
    all.extend(headers);
    let answer = http::post(coordinator, &path, &all, body).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (202, ""));
}

/// The ids of the replies in the log.
async fn replies(platform: &Platform) -> BTreeSet<String> {
    let events = platform.events(REPLY).await;
    let ids = events.iter().map(|event| event["id"].as_str());
    ids.map(|id| id.expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn what_a_function_sends_reaches_the_broker_to_the_letter() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start().await;
    broker.open.send_replace(true);
    let platform = platform(&broker, &folder).await;
    let body = "<a b = \"1\">\n  \u{e4}</a>\n";
    let headers = [
        ("ce-id", "1"),
        ("ce-type", TYPE),
        ("ce-subject", "Z%C3%BCrich%20100%25%20%22x%22"),
        ("ce-priority", "7"),
        ("ce-dataschema", "http://example.com/a%2520b"),
        ("content-type", "text/xml; charset=utf-8"),
    ];
    send(&platform, &headers, body).await;
    let ids = eventually("the reply", async || {
        let ids = replies(&platform).await;
        (ids.len() == 1).then_some(ids)
    })
    .await;
    broker.has(&ids).await;

    let sent = broker.sent().remove(0);
    assert_eq!(
        (sent.method, &*sent.path),
        (Method::POST, "/agents/default")
    );
    assert_eq!(sent.body, body);
    assert_eq!(sent.headers["content-type"], "text/xml; charset=utf-8");
    let sent = &broker.sent()[0];
    let mut attributes = sent.attributes();
    for (name, value) in [
        ("specversion", "1.0"),
        ("source", "/test"),
        ("type", REPLY),
        ("subject", "Z%C3%BCrich%20100%25%20%22x%22"),
        ("priority", "7"),
        ("dataschema", "http://example.com/a%2520b"),
        // It came through one pool.
        ("dormousehops", "1"),
    ] {
        assert_eq!(attributes.remove(name), Some(value), "{name}: {sent:?}");
    }
    assert!(attributes.remove("traceparent").is_some(), "{sent:?}");
    assert!(attributes.remove("id").is_some(), "{sent:?}");
    // No token, no task, nothing else of the platform's own.
    assert_eq!(attributes, BTreeMap::new());
    for kept_back in ["authorization", "dormouse-delivery-secret"] {
        assert!(!sent.headers.contains_key(kept_back), "{sent:?}");
    }

    // The Broker's Trigger brings it back: it is known, and nobody takes it again.
    let id = sent.id();
    let back = [("ce-id", &*id), ("ce-type", REPLY)];
    send(&platform, &back, body).await;
    assert_eq!(platform.events(REPLY).await.len(), 1);
    assert!(!platform.log().contains(TOKEN), "{}", platform.log());
}

#[tokio::test]
async fn a_killed_platform_loses_nothing_that_goes_to_the_broker() {
    const EVENTS: usize = 40;
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start().await;
    let mut platform = platform(&broker, &folder).await;
    for event in 0..EVENTS {
        let id = event.to_string();
        send(&platform, &[("ce-id", &*id), ("ce-type", TYPE)], "{}").await;
    }
    let ids = eventually("all replies", async || {
        let ids = replies(&platform).await;
        (ids.len() == EVENTS).then_some(ids)
    })
    .await;
    // Some are on their way to it, and the others wait.
    platform.kill().await;
    assert_eq!(broker.sent().len(), 0);
    platform.restart().await;
    broker.open.send_replace(true);
    broker.has(&ids).await;
}
