//! `/events` and `/event-types`: what came in, and what became of it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use dormouse_broker::{EventFilter, EventRecord, EventType, Seq, TaskRecord};
use dormouse_contract::Event;
use dormouse_contract::http_binding::write_structured;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::examples;
use super::operation::{Content, Operation, Tag, get};
use super::problem::{Kind, Problem};
use super::read::Asked;
use super::segment::Segment;
use super::{Api, PAGE};

/// The answer of `GET /events`: the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// The events, without their data.
    pub events: Vec<EventRecord>,
    /// Where the next page starts: give it as `before`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Seq>,
}

/// An event with all that is known of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EventView {
    /// What the log says of it.
    #[serde(flatten)]
    pub record: EventRecord,
    /// The event in the JSON event format of CloudEvents, its data to the letter.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub event: Box<RawValue>,
    /// The tasks that it became, with their attempts: one for each trigger that took it, in their
    /// order; those of redrives follow.
    pub deliveries: Vec<TaskRecord>,
}

/// The answer of `GET /event-types`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EventTypePage {
    /// The types, the one with the newest event first; at most 1,000.
    pub types: Vec<EventType>,
}

/// The query of `GET /events`. A separate type, so that misspelt names are refused.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LogQuery {
    /// Only of this type.
    #[serde(rename = "type")]
    ty: Option<String>,
    /// Only from this source.
    source: Option<String>,
    /// Only with this subject.
    subject: Option<String>,
    /// Only with this id; more than one where sources differ.
    id: Option<String>,
    /// Only later ones than this place in the log.
    after: Option<Seq>,
    /// Only earlier ones than this place in the log: `next` of the page before.
    before: Option<Seq>,
    /// At most so many: 1 to 100, which is the default.
    limit: Option<usize>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/events", list)
            .named(
                Tag::Events,
                "listEvents",
                "List events",
                "The newest first, a page at a time. Each condition narrows the list. Events are \
                 kept for a day, and as long as a task refers to them.",
            )
            .query::<LogQuery>()
            .answers(
                StatusCode::OK,
                "The events.",
                Content::json(EventPage {
                    events: vec![examples::event_record()],
                    next: Some(examples::SEQ),
                }),
            ),
        get("/events/{seq}", show)
            .named(
                Tag::Events,
                "getEvent",
                "Show an event",
                "One event with its data and its deliveries: each task that it became, with every \
                 attempt.",
            )
            .answers(
                StatusCode::OK,
                "The event.",
                Content::json(examples::event_view()),
            )
            .problems(&[Kind::InvalidSeq, Kind::UnknownEvent]),
        get("/event-types", types)
            .named(
                Tag::Events,
                "listEventTypes",
                "List the types of events",
                "The types of which there are events, the one with the newest first.",
            )
            .answers(
                StatusCode::OK,
                "The types.",
                Content::json(EventTypePage {
                    types: vec![examples::event_type()],
                }),
            ),
    ]
}

async fn list(
    State(api): State<Api>,
    Asked(query): Asked<LogQuery>,
) -> Result<Json<EventPage>, Problem> {
    let size = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let filter = EventFilter {
        ty: query.ty,
        source: query.source,
        subject: query.subject,
        id: query.id,
        after: query.after,
        before: query.before,
        limit: Some(size),
    };
    let events = api.coordinator.broker().events(filter).await?;
    let next = events.last().filter(|_| events.len() >= size);
    Ok(Json(EventPage {
        next: next.map(|event| event.seq),
        events,
    }))
}

async fn show(State(api): State<Api>, Segment(seq): Segment) -> Result<Json<EventView>, Problem> {
    let seq: Seq = seq.parse().map_err(|_| Problem::Seq(seq))?;
    let stored = api.coordinator.broker().event(seq).await?;
    let stored = stored.ok_or(Problem::UnknownEvent(seq))?;
    Ok(Json(EventView {
        record: stored.record,
        event: to_json(&stored.event)?,
        deliveries: stored.tasks,
    }))
}

/// The event in the JSON event format.
pub(super) fn to_json(event: &Event) -> Result<Box<RawValue>, Problem> {
    let (_, body) = write_structured(event);
    serde_json::from_slice(&body).map_err(|error| Problem::Unshowable(error.to_string()))
}

async fn types(State(api): State<Api>) -> Result<Json<EventTypePage>, Problem> {
    let types = api.coordinator.broker().event_types().await?;
    Ok(Json(EventTypePage { types }))
}
