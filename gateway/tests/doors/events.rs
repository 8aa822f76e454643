//! Events for agents: resources that tell what happened, and calls that wait for it.

use dormouse_broker::{NewEvent, State, TaskFilter, Way};
use dormouse_contract::Event;
use dormouse_contract::trace::TraceParent;
use http::Method;
use serde_json::{Value, json};

use crate::http_client::{modern, open_session, post, post_modern, request, send};
use crate::platform::Platform;
use crate::socket_client::{Socket, connect, open};

const NEWS: &str = "com.example.news";
const URI: &str = "events://com.example.news";

async fn publish(platform: &Platform, event: Event) {
    let event = NewEvent {
        event,
        trace: TraceParent::random(),
        way: Way::default(),
        cause: None,
        routes: Vec::new(),
    };
    platform.broker.publish(vec![event], None).await.unwrap();
}

async fn tell_news(platform: &Platform, id: &str) {
    let news = Event::new(id, "/paper", NEWS).with_json(r#"{"page":1}"#);
    publish(platform, news).await;
}

async fn read(socket: &mut Socket, uri: &str) -> Value {
    let read = request(1, "resources/read", json!({"uri": uri}));
    let contents = socket.ask(&read).await["result"]["contents"][0].take();
    assert_eq!(
        (&contents["uri"], &contents["mimeType"]),
        (&json!(uri), &json!("application/json"))
    );
    serde_json::from_str(contents["text"].as_str().unwrap()).unwrap()
}

fn updated(uri: &str) -> Value {
    json!({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":uri}})
}

fn list_changed() -> Value {
    json!({"jsonrpc":"2.0","method":"notifications/resources/list_changed"})
}

/// Receives what comes in any order.
async fn receive_both(socket: &mut Socket, expected: [Value; 2]) {
    let heard = [socket.receive().await, socket.receive().await];
    assert!(expected.iter().all(|one| heard.contains(one)), "{heard:?}");
}

#[tokio::test]
async fn the_newest_events_of_a_type_are_a_resource() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    assert_eq!(
        read(&mut socket, URI).await,
        json!({"type": NEWS, "events": []})
    );
    for number in 1..=25 {
        tell_news(&platform, &number.to_string()).await;
    }
    assert_eq!(socket.receive().await, list_changed());
    let events = read(&mut socket, URI).await["events"].take();
    let events = events.as_array().unwrap();
    assert_eq!(events.len(), 20);
    let newest = &events[0];
    assert_eq!(
        (&newest["seq"], &newest["event"]["id"]),
        (&json!(25), &json!("25"))
    );
    assert_eq!(newest["event"]["data"], json!({"page": 1}));
    assert!(newest["receivedAt"].as_str().unwrap().ends_with('Z'));

    let list = socket.ask(&request(2, "resources/list", json!({}))).await;
    let resources = list["result"]["resources"].as_array().unwrap().iter();
    let uris: Vec<_> = resources.map(|resource| resource["uri"].clone()).collect();
    assert_eq!(uris, ["tasks://recent", URI]);
    let templates = request(3, "resources/templates/list", json!({}));
    let templates = socket.ask(&templates).await["result"]["resourceTemplates"].take();
    assert_eq!(templates[0]["uriTemplate"], "events://{type}");
    let argument = json!({"ref": {"type": "ref/resource", "uri": "events://{type}"},
                          "argument": {"name": "type", "value": "com."}});
    let completed = socket
        .ask(&request(4, "completion/complete", argument))
        .await;
    assert_eq!(completed["result"]["completion"]["values"], json!([NEWS]));
}

#[tokio::test]
async fn data_is_given_as_it_is_and_left_out_when_it_is_too_much() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let strange = "strange/type with a blank";
    let mut bytes = Event::new("1", "/paper", strange);
    bytes.datacontenttype = Some("image/png".to_owned());
    bytes.data = Some(vec![0xff, 0x00].into());
    publish(&platform, bytes).await;
    let text = serde_json::to_vec(&"x".repeat(2 << 20)).unwrap();
    publish(
        &platform,
        Event::new("2", "/paper", strange).with_json(text),
    )
    .await;
    socket.receive().await;
    let uri = "events://strange%2Ftype%20with%20a%20blank";
    let events = read(&mut socket, uri).await["events"].take();
    assert_eq!(
        (&events[0]["omitted"], &events[0]["event"]["data"]),
        (&json!((2 << 20) + 2), &Value::Null)
    );
    assert_eq!(events[1]["event"]["data_base64"], "/wA=");
}

#[tokio::test]
async fn who_subscribes_to_a_type_is_told_of_its_events() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let session = open_session(platform.address, "2025-11-25").await;
    let subscribe = request(1, "resources/subscribe", json!({"uri": URI}));
    assert_eq!(socket.ask(&subscribe).await["result"], json!({}));
    let header = [("mcp-session-id", session.as_str())];
    let over_http = post(platform.address, &header, &subscribe).await;
    assert_eq!(over_http.json().await["result"], json!({}));
    let filter = json!({"resourceSubscriptions": [URI]});
    let listen = modern(7, "subscriptions/listen", json!({"notifications": filter}));
    let mut listening = post_modern(platform.address, &listen).await;
    listening.event().await.unwrap();

    publish(&platform, Event::new("0", "/paper", "com.example.other")).await;
    assert_eq!(socket.receive().await, list_changed());
    tell_news(&platform, "1").await;
    receive_both(&mut socket, [list_changed(), updated(URI)]).await;
    let told = listening.event().await.unwrap();
    assert_eq!(
        (&told["method"], &told["params"]["uri"]),
        (&json!("notifications/resources/updated"), &json!(URI))
    );
    // What was told while no stream was open waits for one.
    let headers = [
        ("mcp-session-id", session.as_str()),
        ("accept", "text/event-stream"),
    ];
    let mut stream = send(platform.address, Method::GET, "/mcp", &headers, "").await;
    assert_eq!(stream.event().await.unwrap(), updated(URI));
    tell_news(&platform, "2").await;
    assert_eq!(stream.event().await.unwrap(), updated(URI));
    assert_eq!(socket.receive().await, updated(URI));
}

fn ask(id: u32, what: &str, more: Value) -> Value {
    let mut params = json!({"name": "ask", "arguments": {"text": what}});
    let more = more.as_object().unwrap().clone();
    params.as_object_mut().unwrap().extend(more);
    modern(id, "tools/call", params)
}

/// Waits until the only call sleeps.
async fn asleep(platform: &Platform) {
    let filter = TaskFilter {
        state: Some(State::Suspended),
        ..TaskFilter::default()
    };
    while platform
        .broker
        .tasks(filter.clone())
        .await
        .unwrap()
        .is_empty()
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_that_waits_for_an_event_asks_its_client_nothing() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let call = json!({"name": "ask", "arguments": {"text": "event"}});
    socket.send(&request(1, "tools/call", call)).await;
    asleep(&platform).await;
    let (mut other, _) = connect(platform.address, "/mcp", "mcp").await.unwrap();
    other.send(&ask(2, "event", json!({}))).await;
    while platform.runs() < 2 {
        tokio::task::yield_now().await;
    }
    tell_news(&platform, "1").await;
    loop {
        let heard = socket.receive().await;
        if heard == list_changed() {
            continue;
        }
        assert_eq!(heard["id"], 1, "{heard}");
        break;
    }
    let answer = other.receive().await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    assert!(answer.to_string().contains("/paper"), "{answer}");
}

#[tokio::test]
async fn of_mixed_asks_the_client_sees_and_answers_its_own() {
    let platform = Platform::start().await;
    let first = post_modern(platform.address, &ask(1, "both", json!({}))).await;
    let first = first.json().await["result"].take();
    assert_eq!(first["resultType"], "input_required", "{first}");
    let requests = first["inputRequests"].as_object().unwrap();
    assert_eq!(requests.keys().collect::<Vec<_>>(), ["grade"]);
    let forged = json!({"event": {}, "seq": 1});
    let state = &first["requestState"];
    let forgery = json!({"requestState": state, "inputResponses": {"news": forged}});
    let again = post_modern(platform.address, &ask(2, "both", forgery)).await;
    let again = again.json().await["result"].take();
    assert_eq!(again["resultType"], "input_required", "{again}");

    let grade = json!({"action": "accept", "content": {"grade": 5}});
    let answered = json!({"requestState": state, "inputResponses": {"grade": grade}});
    let address = platform.address;
    let waiting = tokio::spawn(async move {
        post_modern(address, &ask(3, "both", answered))
            .await
            .answer()
            .await
    });
    let asked_nothing = async || {
        let task = platform
            .broker
            .tasks(TaskFilter::default())
            .await
            .unwrap()
            .remove(0);
        let standing = platform.broker.standing(task.id).await.unwrap().unwrap();
        let asks = standing.asks.unwrap_or_default();
        !String::from_utf8_lossy(&asks).contains("grade")
    };
    while !asked_nothing().await {
        tokio::task::yield_now().await;
    }
    tell_news(&platform, "1").await;
    let answer = waiting.await.unwrap();
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    let told = answer["result"]["content"][0]["text"].as_str().unwrap();
    let told: Value = serde_json::from_str(told).unwrap();
    assert_eq!(told["grade"]["result"], grade);
    assert_eq!(told["news"]["result"]["event"]["id"], "1");
}

#[tokio::test]
async fn a_task_that_waits_for_an_event_is_working() {
    let platform = Platform::start().await;
    let mut socket = open(platform.address, "2025-11-25").await;
    let call = json!({"name": "ask", "arguments": {"text": "event"}, "task": {}});
    let created = socket.ask(&request(1, "tools/call", call)).await;
    let task = created["result"]["task"]["taskId"].clone();
    let told = socket.receive().await;
    assert_eq!(told["method"], "notifications/tasks/status", "{told}");
    assert_eq!(
        (&told["params"]["status"], &told["params"]["statusMessage"]),
        (&json!("working"), &json!("it waits for an event"))
    );
    tell_news(&platform, "1").await;
    let mut result = socket
        .ask(&request(2, "tasks/result", json!({"taskId": task})))
        .await;
    while result["id"] != 2 {
        result = socket.receive().await;
    }
    assert!(result.to_string().contains("/paper"), "{result}");
}
