//! `GET /changes`: what is told, resumed, missed.

use dormouse_contract::Event;
use futures_util::StreamExt as _;

use super::*;
use crate::publish::Sender;

/// An open stream.
struct Listener {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Listener {
    async fn open(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> Self {
        let request = request(Method::GET, path, headers, "");
        let response = stage.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut listener = Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        };
        listener.more().await;
        assert_eq!(std::mem::take(&mut listener.text), ": listening\n\n");
        listener
    }

    async fn more(&mut self) {
        let more = tokio::time::timeout(PATIENCE, self.body.next()).await;
        let more = more.unwrap().unwrap().unwrap();
        self.text.push_str(std::str::from_utf8(&more).unwrap());
    }

    /// The next server-sent event: its name and its data.
    async fn next(&mut self) -> (String, Value) {
        while !self.text.contains("\n\n") {
            self.more().await;
        }
        let (frame, rest) = self.text.split_once("\n\n").unwrap();
        let field = |name: &str| {
            let mut lines = frame.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(it, _)| *it == name).unwrap().1.to_owned()
        };
        let told = (
            field("event"),
            serde_json::from_str(&field("data")).unwrap(),
        );
        self.text = rest.to_owned();
        told
    }
}

fn events(count: usize, ty: &str) -> Vec<(Event, Sender)> {
    let event = |number| Event::new(format!("{ty}-{number}"), "/s", ty);
    (0..count)
        .map(|number| (event(number), Sender::default()))
        .collect()
}

#[tokio::test]
async fn listeners_are_told_of_events_tasks_dead_letters_and_pools() {
    let mut stage = Stage::open(10).await;
    let mut all = Listener::open(&stage, "/changes", &[]).await;
    let mut dead = Listener::open(&stage, "/changes?type=dead-letter&pool=reactive", &[]).await;
    let claim = stage.claim().await;
    stage.fail(&claim).await;
    let (name, change) = dead.next().await;
    let id = json!(claim.task);
    assert_eq!((name.as_str(), &change["id"]), ("dead-letter", &id));

    let mut seen = Vec::new();
    while seen.last().is_none_or(|name| name != "dead-letter") {
        let (name, change) = all.next().await;
        seen.push(match name.as_str() {
            "task" => format!("task {}", change["state"].as_str().unwrap()),
            _ => name,
        });
    }
    for expected in ["event", "task running", "task failed", "dead-letter"] {
        assert!(
            seen.iter().any(|name| name == expected),
            "{expected}: {seen:?}"
        );
    }
    stage.coordinator.unregister("reactive").await.unwrap();
    let (name, change) = all.next().await;
    assert_eq!((name.as_str(), &change["state"]), ("pool", &json!("gone")));
}

#[tokio::test]
async fn who_comes_back_hears_the_events_that_it_missed_once_and_in_order() {
    let stage = Stage::open(10).await;
    let publish = async |count, ty: &str| {
        let taken = stage.coordinator.publish(events(count, ty), None).await;
        assert_eq!(taken.unwrap().len(), count);
    };
    publish(3, "before").await;
    let page: EventPage = stage.read("/events?limit=1").await;
    let heard = page.events[0].seq.0.to_string();
    publish(250, "missed").await;
    let mut listener =
        Listener::open(&stage, "/changes?type=event", &[("last-event-id", &heard)]).await;
    publish(2, "live").await;
    let mut last = page.events[0].seq.0;
    for number in 0..252 {
        let (name, change) = listener.next().await;
        assert_eq!(name, "event");
        let seq = change["seq"].as_u64().unwrap();
        assert!(seq > last, "{number}: {seq} after {last}");
        let expected = if number < 250 { "missed" } else { "live" };
        assert_eq!(change["type"], expected);
        last = seq;
    }
}

#[tokio::test]
async fn a_slow_listener_gets_events_from_the_log_and_is_told_that_it_missed_the_rest() {
    let stage = Stage::open(10).await;
    let mut slow = Listener::open(&stage, "/changes?type=event", &[]).await;
    let mut all = Listener::open(&stage, "/changes", &[]).await;
    for round in 0..20 {
        let events = events(100, &format!("t{round}"));
        stage.coordinator.publish(events, None).await.unwrap();
    }
    for seq in 1..=2_000 {
        let (name, change) = slow.next().await;
        assert_eq!((name.as_str(), &change["seq"]), ("event", &json!(seq)));
    }
    let mut seen = Vec::new();
    while seen.len() < 2_000 {
        let (name, change) = all.next().await;
        match name.as_str() {
            "event" => seen.push(change["seq"].as_u64().unwrap()),
            "missed" => assert!(change["missed"].as_u64().unwrap() > 0),
            _ => {}
        }
    }
    assert_eq!(seen, (1..=2_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_so_many_may_listen_and_a_place_is_free_again() {
    let stage = Stage::open(10).await;
    let mut listeners = Vec::new();
    for _ in 0..64 {
        listeners.push(Listener::open(&stage, "/changes", &[]).await);
    }
    let refused = stage.get("/changes").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("retry-after"), "1");
    listeners.pop();
    Listener::open(&stage, "/changes", &[]).await;
    let unknown = stage.get("/changes?type=tasks").await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert!(unknown.json()["detail"].to_string().contains("dead-letter"));
}
