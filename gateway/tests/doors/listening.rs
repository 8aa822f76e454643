//! What clients hear unasked: lists that changed, resources that changed.

use dormouse_contract::announcement::Announcement;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http_client::{Response, modern, open_session, post, post_modern, request, send};
use crate::platform::{Platform, TOOLS, library, pool};
use crate::socket_client::{connect, open};

const ID: &str = "io.modelcontextprotocol/subscriptionId";

async fn platform() -> Platform {
    let platform = Platform::start().await;
    platform
        .register(vec![pool("tools", &TOOLS), library("books")])
        .await;
    loop {
        let list = modern(1, "prompts/list", json!({}));
        let list = post_modern(platform.address, &list).await.json().await;
        if list["result"]["prompts"].as_array().unwrap().len() == 2 {
            return platform;
        }
    }
}

fn announce(platform: &Platform, pool: &str, uri: &str) {
    let announcement = Announcement {
        pool: pool.into(),
        uri: uri.into(),
    };
    platform.announcements.send(announcement).unwrap();
}

async fn standing(platform: &Platform, session: &str) -> Response {
    let headers = [("mcp-session-id", session), ("accept", "text/event-stream")];
    let stream = send(platform.address, Method::GET, "/mcp", &headers, "").await;
    assert_eq!(stream.status, StatusCode::OK);
    stream
}

fn updated(uri: &str) -> Value {
    json!({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":uri}})
}

#[tokio::test]
async fn every_list_that_changes_is_told_on_stream_and_socket() {
    let platform = platform().await;
    let session = open_session(platform.address, "2025-11-25").await;
    let mut stream = standing(&platform, &session).await;
    let mut socket = open(platform.address, "2025-11-25").await;
    platform.register(Vec::new()).await;
    for method in ["tools", "prompts", "resources"] {
        let expected = json!({"jsonrpc":"2.0",
                              "method":format!("notifications/{method}/list_changed")});
        assert_eq!(stream.event().await.unwrap(), expected);
        assert_eq!(socket.receive().await, expected);
    }
}

#[tokio::test]
async fn sessions_hear_of_the_resources_they_subscribed_to() {
    let platform = platform().await;
    let session = open_session(platform.address, "2025-11-25").await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let subscribe = |method, uri| request(1, method, json!({"uri":uri}));
    for uri in ["test://fixed", "test://item/1", "test://item/2"] {
        let subscribe = subscribe("resources/subscribe", uri);
        let header = [("mcp-session-id", session.as_str())];
        let over_http = post(platform.address, &header, &subscribe).await;
        assert_eq!(over_http.json().await["result"], json!({}));
        assert_eq!(socket.ask(&subscribe).await["result"], json!({}));
    }
    let unknown = subscribe("resources/subscribe", "test://nothing");
    assert_eq!(socket.ask(&unknown).await["error"]["code"], -32_002);
    let enough = subscribe("resources/unsubscribe", "test://item/1");
    assert_eq!(socket.ask(&enough).await["result"], json!({}));

    announce(&platform, "tools", "test://fixed");
    announce(&platform, "books", "test://item/1");
    announce(&platform, "books", "test://item/2");
    // What is told while no stream is open waits for one.
    assert_eq!(socket.receive().await, updated("test://item/2"));
    let mut stream = standing(&platform, &session).await;
    assert_eq!(stream.event().await.unwrap(), updated("test://item/1"));
    assert_eq!(stream.event().await.unwrap(), updated("test://item/2"));
    announce(&platform, "books", "test://fixed");
    assert_eq!(stream.event().await.unwrap(), updated("test://fixed"));
    assert_eq!(socket.receive().await, updated("test://fixed"));
}

fn listen(id: u32, filter: &Value) -> Value {
    modern(id, "subscriptions/listen", json!({"notifications":filter}))
}

#[tokio::test]
async fn a_modern_subscription_hears_what_it_asked_for() {
    let platform = platform().await;
    let filter = json!({"promptsListChanged":true,"toolsListChanged":false,
                        "resourceSubscriptions":["test://fixed"],"unknown":1});
    let mut stream = post_modern(platform.address, &listen(7, &filter)).await;
    assert!(stream.is_stream());
    let (mut socket, _) = connect(platform.address, "/mcp", "mcp").await.unwrap();
    socket.send(&listen(8, &filter)).await;
    let labelled = |id: u32, method: &str, mut params: Value| {
        params["_meta"][ID] = id.into();
        json!({"jsonrpc":"2.0","method":method,"params":params})
    };
    let granted = json!({"promptsListChanged":true,"resourceSubscriptions":["test://fixed"]});
    let expected = [
        (
            "notifications/subscriptions/acknowledged",
            json!({"notifications":granted}),
        ),
        (
            "notifications/resources/updated",
            json!({"uri":"test://fixed"}),
        ),
        ("notifications/prompts/list_changed", json!({})),
    ];
    for (place, (method, params)) in expected.into_iter().enumerate() {
        let on_stream = stream.event().await.unwrap();
        assert_eq!(on_stream, labelled(7, method, params.clone()));
        assert_eq!(socket.receive().await, labelled(8, method, params));
        match place {
            0 => {
                announce(&platform, "books", "test://item/1");
                announce(&platform, "books", "test://fixed");
            }
            1 => platform.register(vec![pool("other", &["echo"])]).await,
            _ => {}
        }
    }
    let cancel = json!({"jsonrpc":"2.0","method":"notifications/cancelled",
                        "params":{"requestId":8}});
    socket.send(&cancel).await;
    // The id is free again, and nothing more is heard of the subscription.
    let list = socket.ask(&modern(8, "tools/list", json!({}))).await;
    assert!(list["result"]["tools"].is_array());
}

#[tokio::test]
async fn the_server_ends_subscriptions_with_an_answer_when_it_stops() {
    let mut platform = platform().await;
    let filter = json!({"toolsListChanged":true});
    let mut stream = post_modern(platform.address, &listen(1, &filter)).await;
    stream.event().await.unwrap();
    let (mut socket, _) = connect(platform.address, "/mcp", "mcp").await.unwrap();
    socket.ask(&listen(2, &filter)).await;
    platform.stop.cancel();
    let ended = stream.events().await.pop().unwrap();
    let meta = |id: u32| json!({"resultType":"complete","_meta":{ID:id}});
    assert_eq!((&ended["id"], &ended["result"]), (&json!(1), &meta(1)));
    assert_eq!(socket.receive().await["result"], meta(2));
    platform.serving.take().unwrap().await.unwrap();
}

#[tokio::test]
async fn what_is_no_filter_is_refused() {
    let platform = Platform::start().await;
    for params in [
        json!({}),
        json!({"notifications":[]}),
        json!({"notifications":{"toolsListChanged":"yes"}}),
        json!({"notifications":{"resourceSubscriptions":"x"}}),
    ] {
        let message = modern(1, "subscriptions/listen", params);
        let refused = post_modern(platform.address, &message).await.json().await;
        assert_eq!(refused["error"]["code"], -32_602, "{message}");
    }
    let many: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    let many = listen(1, &json!({"resourceSubscriptions":many}));
    let refused = post_modern(platform.address, &many).await.json().await;
    assert_eq!(refused["error"]["code"], -32_602);
}
