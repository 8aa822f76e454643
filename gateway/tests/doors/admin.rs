//! The admin door.

use std::sync::Arc;

use dormouse_contract::door::{Door, Phase, Readiness};
use http::{Method, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;

use crate::http_client::{open_session, send};
use crate::platform::{Platform, TOOLS, library, pool};
use crate::socket_client::open;

async fn serve_admin(platform: &Platform) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (gateway, stop) = (platform.gateway.clone(), platform.stop.clone());
    tokio::spawn(async move {
        let metrics = Arc::new(|| "dormouse_calls_total 1\n".to_owned());
        gateway.serve_admin(listener, metrics, stop).await.unwrap();
    });
    address
}

#[tokio::test]
async fn it_tells_of_sessions_catalogue_and_metrics() {
    let platform = Platform::start().await;
    let admin = serve_admin(&platform).await;
    let get = async |path| send(admin, Method::GET, path, &[], "").await;
    let secret = open_session(platform.address, "2025-06-18").await;
    let _socket = open(platform.address, "2025-11-25").await;

    let sessions = get("/sessions").await.text().await;
    assert!(!sessions.contains(&secret));
    let sessions: serde_json::Value = serde_json::from_str(&sessions).unwrap();
    assert_eq!(sessions["count"], 2);
    assert_eq!(sessions["sessions"][0]["transport"], "websocket");
    assert_eq!(sessions["sessions"][1]["revision"], "2025-06-18");

    let pools = vec![pool("tools", &TOOLS), pool("more", &["echo"])];
    platform.pools.send(Arc::new(pools)).unwrap();
    while platform.gateway.remarks().is_empty() {
        tokio::task::yield_now().await;
    }
    let catalogue = get("/catalogue").await.json().await;
    assert_eq!(catalogue["tools"][TOOLS.len()]["name"], "more__echo");
    assert_eq!(catalogue["tools"][TOOLS.len()]["declared"], "echo");
    assert_eq!(catalogue["remarks"][0]["pool"], "more");
    assert_eq!(catalogue["remarks"][0]["tool"], "echo");
    platform.register(vec![library("books")]).await;
    let offered = loop {
        let catalogue = get("/catalogue").await.json().await;
        if catalogue["tools"] == json!([]) {
            break catalogue;
        }
    };
    assert_eq!(offered["prompts"][0]["name"], "greet");
    assert_eq!(
        offered["resources"][0],
        json!({"uri":"test://fixed","pool":"books"})
    );
    assert_eq!(
        offered["resourceTemplates"][0],
        json!({"uri":"test://item/{id}","pool":"books"})
    );

    let metrics = get("/metrics").await;
    assert_eq!(metrics.text().await, "dormouse_calls_total 1\n");
    assert_eq!(get("/health").await.status, StatusCode::OK);
    assert_eq!(get("/nothing").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn health_tells_whether_calls_are_taken_and_liveness_does_not() {
    let readiness = Readiness::default();
    let shared = readiness.clone();
    let platform = Platform::start_with(move |config| {
        config.door = Door::default().with_readiness(shared);
    })
    .await;
    let admin = serve_admin(&platform).await;
    for phase in [Phase::Starting, Phase::Ready, Phase::Stopping] {
        readiness.enter(phase);
        for door in [admin, platform.address] {
            let health = send(door, Method::GET, "/health", &[], "").await;
            assert_eq!(health.status, phase.status());
            assert_eq!(health.json().await["status"], phase.word());
            let liveness = send(door, Method::GET, "/health/liveness", &[], "").await;
            assert_eq!(liveness.status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn the_token_guards_it_too() {
    let platform = Platform::start_with(|config| {
        config.door = Door::new(Some("secret".into()), Vec::new());
    })
    .await;
    let admin = serve_admin(&platform).await;
    let refused = send(admin, Method::GET, "/sessions", &[], "").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let token = [("authorization", "Bearer secret")];
    let let_in = send(admin, Method::GET, "/sessions", &token, "").await;
    assert_eq!(let_in.status, StatusCode::OK);
    let health = send(admin, Method::GET, "/health", &[], "").await;
    assert_eq!(health.status, StatusCode::OK);
}
