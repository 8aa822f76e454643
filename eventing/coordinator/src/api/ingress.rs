//! The CloudEvents ingress: `POST /events` for any producer; functions have a [sink](super::sink) of
//! their own, and so have [Brokers](super::brokers).
//!
//! An event is stored with one task for each trigger that takes it, all in one commit, before it is
//! answered with 202; so is a batch, as a whole or not at all. Nobody outside speaks as the
//! platform: `dev.dormouse.*` is refused at `/events`, and at a pool's sink whoever sends proves
//! itself by a token in the event. The tokens go no further than this.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use dormouse_broker::{Seq, TaskId};
use dormouse_contract::event::Event;
use dormouse_contract::http_binding::{self, Received};
use dormouse_contract::task::TRACEPARENT;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::payload::Payload;
use super::problem::Problem;
use crate::publish::{Sender, Taken};

/// The answer to an event that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The event's `id`.
    pub id: String,
    /// Its place in the log; that of the first one when it is a duplicate.
    pub seq: Seq,
    /// An event of this source and id was taken before: this one was dropped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// One entry for each trigger that takes it; empty when none does.
    pub takers: Vec<Taker>,
    /// The same in words.
    pub detail: String,
}

/// A pool that will react to an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taker {
    /// The pool.
    pub pool: String,
    /// The trigger.
    pub trigger: String,
    /// The task in which it reacts.
    pub task: TaskId,
}

/// The answer to what was taken: a receipt, or for a batch a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Receipts {
    /// Of one event.
    One(Receipt),
    /// Of each event of a batch, in its order.
    Batch(Vec<Receipt>),
}

pub(super) async fn accept(
    State(api): State<Api>,
    headers: HeaderMap,
    Payload(body): Payload,
) -> Result<Response, Problem> {
    take_any(&api, &headers, body).await
}

/// Takes in whatever a producer outside may send.
pub(super) async fn take_any(
    api: &Api,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let received = http_binding::read_many(headers, body)?;
    if let Some(event) = received.events().iter().find(|it| it.is_platform()) {
        return Err(Problem::PlatformEvent(event.ty.clone()));
    }
    let sender = sender(headers);
    let arrived = match received {
        Received::One(event) => Arrived::One(event, sender),
        Received::Batch(events) => {
            let events = events.into_iter().map(|event| (event, sender.clone()));
            Arrived::Batch(events.collect())
        }
    };
    store(api, arrived).await
}

/// Events, each with who sends it.
pub(super) enum Arrived {
    One(Box<Event>, Sender),
    Batch(Vec<(Event, Sender)>),
}

/// Takes events in: stored, with a task for each trigger that takes them, when they are answered.
pub(super) async fn store(api: &Api, arrived: Arrived) -> Result<Response, Problem> {
    let receipts = match arrived {
        Arrived::One(event, sender) => {
            let mut receipts = take(api, vec![(*event, sender)]).await?;
            // One event in, one receipt out.
            receipts.pop().map(Receipts::One)
        }
        Arrived::Batch(events) => Some(Receipts::Batch(take(api, events).await?)),
    };
    Ok((StatusCode::ACCEPTED, Json(receipts)).into_response())
}

async fn take(api: &Api, events: Vec<(Event, Sender)>) -> Result<Vec<Receipt>, Problem> {
    let about: Vec<_> = events.iter().map(|(event, _)| About::of(event)).collect();
    let taken = api.coordinator.publish(events, None).await?;
    let receipts = about.iter().zip(&taken);
    Ok(receipts
        .map(|(about, taken)| receipt(about, taken))
        .collect())
}

/// Who sends a request from outside.
pub(super) fn sender(headers: &HeaderMap) -> Sender {
    Sender {
        trace: headers
            .get(TRACEPARENT)
            .and_then(|text| text.to_str().ok()?.parse().ok()),
        ..Sender::default()
    }
}

/// What a receipt says of an event.
struct About {
    id: String,
    source: String,
    ty: String,
}

impl About {
    fn of(event: &Event) -> Self {
        Self {
            id: event.id.clone(),
            source: event.source.clone(),
            ty: event.ty.clone(),
        }
    }
}

fn receipt(event: &About, taken: &Taken) -> Receipt {
    let published = &taken.published;
    let detail = match (published.is_duplicate, published.tasks.len()) {
        (true, _) => "it was taken before: an event of this source and id is in the log".to_owned(),
        (false, 0) => format!(
            "0 pools take it: no trigger matches an event of type `{}` from `{}`",
            event.ty, event.source
        ),
        (false, 1) => "1 task is stored".to_owned(),
        (false, many) => format!("{many} tasks are stored"),
    };
    let takers = taken.routes.iter().zip(&published.tasks);
    Receipt {
        id: event.id.clone(),
        seq: published.seq,
        duplicate: published.is_duplicate,
        takers: takers
            .map(|(route, task)| Taker {
                pool: route.pool.to_string(),
                trigger: route.trigger.to_string(),
                task: *task,
            })
            .collect(),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use dormouse_broker::{Published, Seq};

    use super::*;

    #[test]
    fn a_receipt_says_in_words_that_nobody_takes_the_event() {
        let about = About::of(&Event::new("1", "/repo", "nobody.cares"));
        let mut taken = Taken {
            published: Published {
                seq: Seq(7),
                tasks: Vec::new(),
                is_duplicate: false,
            },
            routes: Vec::new(),
        };
        let said = receipt(&about, &taken);
        assert!(said.takers.is_empty());
        assert!(said.detail.contains("0 pools") && said.detail.contains("nobody.cares"));
        taken.published.is_duplicate = true;
        assert!(receipt(&about, &taken).detail.contains("before"));
    }
}
