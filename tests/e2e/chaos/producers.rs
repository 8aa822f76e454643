//! Producers: each sends its events one batch after the other, and again until they are taken.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{EVENTS, PRODUCERS, UNDER_WAY};
use crate::http::try_send;
use crate::platform::eventually;

/// An event that was taken.
#[derive(Debug, Clone)]
pub struct Sent {
    pub id: String,
    pub producer: usize,
    pub subject: String,
    pub ty: &'static str,
    /// Its place in the log.
    pub seq: u64,
}

impl Sent {
    fn new(seed: u64, producer: usize, number: usize) -> Self {
        let mut hasher = DefaultHasher::new();
        (seed, producer, number).hash(&mut hasher);
        let draw = hasher.finish();
        let topic = draw / 2 % 10;
        Self {
            id: format!("{producer}-{number:05}"),
            producer,
            subject: match draw / 20 % 2 {
                0 => format!("turn-{topic}"),
                _ => format!("topic-{topic}"),
            },
            ty: match draw % 2 {
                0 => "org.example.red",
                _ => "org.example.blue",
            },
            seq: 0,
        }
    }

    pub fn is_red(&self) -> bool {
        self.ty == "org.example.red"
    }

    /// Whether those of its subject come one at a time.
    pub fn has_turn(&self) -> bool {
        self.subject.starts_with("turn-")
    }

    fn json(&self) -> Value {
        json!({
            "specversion": "1.0",
            "id": self.id,
            "source": format!("/producers/{}", self.producer),
            "type": self.ty,
            "subject": self.subject,
            "data": {"id": self.id},
        })
    }
}

/// Sends a producer's share of the events.
pub async fn produce(
    door: &str,
    seed: u64,
    producer: usize,
    written: &impl Fn() -> usize,
) -> Vec<Sent> {
    let share = EVENTS / PRODUCERS;
    let mut taken = Vec::new();
    while taken.len() < share {
        while taken.len() * PRODUCERS > written() / 2 + UNDER_WAY {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let next = taken.len();
        // One by one or a few together.
        let count = (1 + next % 5).min(share - next);
        let events = (next..next + count).map(|number| Sent::new(seed, producer, number));
        taken.extend(send(door, events.collect()).await);
    }
    taken
}

/// Sends a batch until it is taken, and notes where in the log its events are.
async fn send(door: &str, mut events: Vec<Sent>) -> Vec<Sent> {
    let batch: Value = events.iter().map(Sent::json).collect();
    let batch = bytes::Bytes::from(batch.to_string());
    let media = [("content-type", "application/cloudevents-batch+json")];
    let receipts = eventually("the events to be taken", async || {
        let answer = try_send(Method::POST, door, "/events", &media, batch.clone());
        // Nobody is there, or it died before it could answer.
        let answer = answer.await.ok()?;
        match answer.status {
            StatusCode::ACCEPTED => Some(answer.json()),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => None,
            _ => panic!("events are refused: {answer:?}"),
        }
    })
    .await;
    for (event, place) in events.iter_mut().zip(0..) {
        let receipt = &receipts[place as usize];
        assert_eq!(receipt["id"], *event.id, "{receipts}");
        event.seq = receipt["seq"].as_u64().expect("its place in the log");
    }
    events
}
