//! `GET /changes`: what changes, as server-sent events (WHATWG HTML, section 9.2).
//!
//! A listener costs its connection and a place in a broadcast; one that reads too slowly is told
//! that it missed something, and fills no memory. Events have places in the log, so a listener that
//! comes back with `Last-Event-ID` gets the events that it missed; tasks, pools and dead letters
//! are told as they change and never again.

mod replay;
mod watching;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dormouse_broker::{Fact, Seq, State as TaskState, TaskId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::operation::{Content, Header, Operation, Tag, get};
use super::problem::{Kind, Problem};
use super::read::Asked;
use super::{Api, examples};
use watching::Watching;

/// So many may listen at the same time.
const LISTENERS: usize = 64;

/// A connection that is silent for so long gets a comment, so that nobody cuts it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A task entered a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskChange {
    /// The task.
    pub id: TaskId,
    /// Its pool.
    pub pool: String,
    /// Its capability.
    pub capability: String,
    /// The state that it entered.
    pub state: TaskState,
}

/// An event was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventChange {
    /// Its place in the log.
    pub seq: Seq,
    /// Its `id`.
    pub id: String,
    /// Its `source`.
    pub source: String,
    /// Its `type`.
    #[serde(rename = "type")]
    pub ty: String,
    /// Its `subject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// A pool came, went, or is otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolChange {
    /// The pool.
    pub pool: String,
    /// Its revision; absent when the pool is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// `asleep`, `waking`, `awake`, `failing`, or `gone`.
    pub state: String,
}

/// The listener was too slow, or was away too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Missed {
    /// How many changes it was not told, before its filter.
    pub missed: u64,
}

/// What is told; the name of the server-sent event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Topic {
    /// Tasks.
    Task,
    /// Events.
    Event,
    /// Pools.
    Pool,
    /// Tasks that become dead letters.
    DeadLetter,
}

/// The query of `GET /changes`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ChangesQuery {
    /// Only these kinds, with commas between them: `task`, `event`, `pool`, `dead-letter`. Default:
    /// all.
    #[serde(rename = "type")]
    ty: Option<String>,
    /// Only of this pool. Events belong to no pool, so none of them are told then.
    pool: Option<String>,
}

/// What one listener wants to hear.
#[derive(Debug, Clone)]
struct Wanted {
    topics: Vec<Topic>,
    pool: Option<String>,
}

/// The places of listeners.
#[derive(Debug, Clone)]
pub(super) struct Listeners(Arc<Semaphore>);

impl Default for Listeners {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LISTENERS)))
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/changes", listen)
            .named(
                Tag::Platform,
                "listenToChanges",
                "Listen to changes",
                DESCRIPTION,
            )
            .query::<ChangesQuery>()
            .header(Header {
                name: "last-event-id",
                description: "The `id` heard last: events after it are told first, at most the \
                              last 10,000. Only events have an `id`; other changes are not told \
                              again.",
                is_required: false,
                example: "4711",
            })
            .answers(
                StatusCode::OK,
                "The changes, until either side closes.",
                Content::opaque("text/event-stream", Some(examples::CHANGES)),
            )
            .problems(&[Kind::TooManyListeners, Kind::Stopping]),
    ]
}

const DESCRIPTION: &str = "Server-sent events, named `task`, `event`, `pool` and `dead-letter`, \
with JSON as data: `TaskChange`, `EventChange`, `PoolChange`, and for dead letters `TaskChange` \
again. Each is told after it is committed. A listener that is too slow gets `missed` with a count, \
and should look at the lists again. A comment comes every 15 s when nothing else does. At most 64 \
listen at the same time.";

impl Wanted {
    fn read(query: ChangesQuery) -> Result<Self, Problem> {
        let all = [Topic::Task, Topic::Event, Topic::Pool, Topic::DeadLetter];
        let topics = match &query.ty {
            None => all.to_vec(),
            Some(words) => words
                .split(',')
                .map(|word| {
                    let known = all.into_iter().find(|topic| topic.name() == word.trim());
                    known.ok_or_else(|| Problem::Query(format!(
                        "`{word}` is no kind of change: `type` takes `task`, `event`, `pool` and `dead-letter`"
                    )))
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(Self {
            topics,
            pool: query.pool,
        })
    }

    fn wants(&self, topic: Topic) -> bool {
        let is_excluded = topic == Topic::Event && self.pool.is_some();
        self.topics.contains(&topic) && !is_excluded
    }

    /// Anything of tasks.
    fn wants_tasks(&self) -> bool {
        self.wants(Topic::Task) || self.wants(Topic::DeadLetter)
    }

    fn wants_pool(&self, pool: &str) -> bool {
        self.pool.as_deref().is_none_or(|wanted| wanted == pool)
    }

    /// What a listener is told of a fact; nothing when it does not want it.
    fn told(&self, fact: &Fact) -> String {
        match fact {
            Fact::Task {
                id,
                pool,
                capability,
                state,
                is_dead,
            } => {
                if !self.wants_pool(pool) {
                    return String::new();
                }
                let change = TaskChange {
                    id: *id,
                    pool: pool.to_string(),
                    capability: capability.to_string(),
                    state: *state,
                };
                let mut text = String::new();
                if self.wants(Topic::Task) {
                    text.push_str(&frame(Topic::Task.name(), None, &change));
                }
                if *is_dead && self.wants(Topic::DeadLetter) {
                    text.push_str(&frame(Topic::DeadLetter.name(), None, &change));
                }
                text
            }
            Fact::Event {
                seq,
                ty,
                source,
                subject,
                id,
            } if self.wants(Topic::Event) => EventChange {
                seq: *seq,
                id: id.to_string(),
                source: source.to_string(),
                ty: ty.to_string(),
                subject: subject.as_deref().map(str::to_owned),
            }
            .frame(),
            Fact::Event { .. } => String::new(),
        }
    }
}

impl Topic {
    fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Event => "event",
            Self::Pool => "pool",
            Self::DeadLetter => "dead-letter",
        }
    }
}

impl EventChange {
    fn frame(&self) -> String {
        frame(Topic::Event.name(), Some(self.seq), self)
    }
}

/// One server-sent event. JSON has no line breaks of its own, so its data is one line.
fn frame(name: &str, id: Option<Seq>, data: &impl Serialize) -> String {
    // A change is plain data: writing it down does not fail.
    let data = serde_json::to_string(data).unwrap_or_default();
    match id {
        Some(id) => format!("event: {name}\nid: {id}\ndata: {data}\n\n"),
        None => format!("event: {name}\ndata: {data}\n\n"),
    }
}

fn missed(count: u64) -> String {
    frame("missed", None, &Missed { missed: count })
}

async fn listen(
    State(api): State<Api>,
    Asked(query): Asked<ChangesQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = Wanted::read(query)?;
    let place = Arc::clone(&api.listeners.0).try_acquire_owned();
    let place = place.map_err(|_| Problem::TooManyListeners(LISTENERS))?;
    let heard = headers.get(LAST_EVENT_ID);
    let heard: Option<Seq> = heard.and_then(|id| id.to_str().ok()?.parse().ok());
    let watching = Watching::new(&api, wanted, heard).await?;
    let body = Body::from_stream(stream(watching, place));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
}

/// The body: it asks for the next change only when the connection has taken the one before.
fn stream(
    watching: Watching,
    place: OwnedSemaphorePermit,
) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::unfold((watching, place), |(mut watching, place)| async {
        let text = match tokio::time::timeout(KEEP_ALIVE, watching.next()).await {
            Ok(text) => text?,
            Err(_) => ": still here\n\n".to_owned(),
        };
        Some((Ok(text.into()), (watching, place)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(ty: &str, pool: Option<&str>) -> Wanted {
        Wanted::read(ChangesQuery {
            ty: (!ty.is_empty()).then(|| ty.to_owned()),
            pool: pool.map(str::to_owned),
        })
        .unwrap()
    }

    #[test]
    fn a_listener_hears_what_it_wants() {
        let id: TaskId = examples::TASK.parse().unwrap();
        let task = Fact::Task {
            id,
            pool: "p".into(),
            capability: "c".into(),
            state: TaskState::Failed,
            is_dead: true,
        };
        let event = Fact::Event {
            seq: Seq(7),
            ty: "t".into(),
            source: "/s".into(),
            subject: None,
            id: "1".into(),
        };
        for (ty, pool, of_task, of_event) in [
            ("", None, 2, 1),
            ("task, event", None, 1, 1),
            ("dead-letter", Some("p"), 1, 0),
            ("", Some("other"), 0, 0),
            ("pool", None, 0, 0),
        ] {
            let wanted = wanted(ty, pool);
            let count = |fact| wanted.told(fact).matches("event: ").count();
            assert_eq!((count(&task), count(&event)), (of_task, of_event), "{ty}");
        }
        let told = wanted("", None).told(&event);
        assert!(told.starts_with("event: event\nid: 7\ndata: {"), "{told}");
        assert!(told.ends_with("}\n\n"), "{told}");
        assert!(
            Wanted::read(ChangesQuery {
                ty: Some("x".into()),
                pool: None
            })
            .is_err()
        );
    }
}
