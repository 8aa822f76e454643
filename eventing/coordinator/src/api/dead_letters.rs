//! `/dead-letters`: tasks whose attempts are used up; looked at, run again, let go.

mod described;

use axum::extract::State;
use axum::response::Json;
use dormouse_broker::{DeadLetter, Selection, Seq, TaskFilter, TaskId, TaskRecord, Work};
use dormouse_contract::http_binding::read_structured;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::problem::Problem;
use super::read::{Asked, Given};
use super::segment::Segment;
use super::tasks::{ListQuery, TaskPage, find, page, parse_id};
use super::{Api, PAGE, log, secrets};
pub(super) use described::operations;

/// A dead letter with what it was about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterView {
    /// The task, with every attempt and its error.
    pub task: TaskRecord,
    /// The event that could not be delivered, in the JSON event format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub event: Option<Box<RawValue>>,
    /// The call that could not be made, as it is delivered: `method`, `params`, `client`. What its
    /// schema marks as `writeOnly` is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub request: Option<Box<RawValue>>,
}

/// Which dead letters to redrive or discard: those that fit every member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetterFilter {
    /// Only of this pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Only of this capability: a tool's name, or an event's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// Only of this caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Only of events from this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Only those that this event became: its place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Seq>,
    /// All that there are: needed when no other member narrows the choice.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// At most so many in this request: 1 to 100, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Why, for the tasks' histories; a redrive needs no reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The optional body of `POST /dead-letters/{id}/discard`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscardRequest {
    /// Why, for the task's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A dead letter that runs again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Redriven {
    /// The dead letter.
    pub id: TaskId,
    /// The new task with the same work.
    pub task: TaskId,
}

/// The answer of `POST /dead-letters/redrive`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RedrivenPage {
    /// Those that run again, the oldest first.
    pub redriven: Vec<Redriven>,
    /// How many others that fit are left: ask again for them.
    pub left: u64,
}

/// A dead letter that was discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Discarded {
    /// The dead letter.
    pub id: TaskId,
}

/// The answer of `POST /dead-letters/discard`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiscardedPage {
    /// Those that were discarded, the oldest first.
    pub discarded: Vec<Discarded>,
    /// How many others that fit are left: ask again for them.
    pub left: u64,
}

async fn list(
    State(api): State<Api>,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<TaskPage>, Problem> {
    page(&api, query, true).await
}

async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
) -> Result<Json<DeadLetterView>, Problem> {
    let id = parse_id(&id)?;
    let task = find(&api, id).await?;
    if task.dead_letter.is_none() {
        return Err(Problem::NotDead(id));
    }
    let standing = api.coordinator.broker().standing(id).await?;
    let (mut event, mut request) = (None, None);
    match standing.ok_or(Problem::UnknownTask(id))?.work {
        Work::Call(data) => request = Some(secrets::without(&api, &task, &data)?),
        Work::Event {
            attributes, data, ..
        } => {
            let mut whole = read_structured(&attributes)?;
            whole.data = (!data.is_empty()).then_some(data);
            event = Some(log::to_json(&whole)?);
        }
    }
    Ok(Json(DeadLetterView {
        task,
        event,
        request,
    }))
}

async fn redrive(State(api): State<Api>, Segment(id): Segment) -> Result<Json<Redriven>, Problem> {
    let id = parse_id(&id)?;
    let broker = api.coordinator.broker();
    match broker.redrive(Selection::One(id)).await?.first() {
        Some((id, task)) => Ok(Json(Redriven {
            id: *id,
            task: *task,
        })),
        None => Err(not_open(&api, id).await?),
    }
}

async fn discard(
    State(api): State<Api>,
    Segment(id): Segment,
    Given(request): Given<DiscardRequest>,
) -> Result<Json<Discarded>, Problem> {
    let id = parse_id(&id)?;
    let broker = api.coordinator.broker();
    let reason = reason(request.reason.as_deref());
    match broker.discard(Selection::One(id), reason).await?.first() {
        Some(id) => Ok(Json(Discarded { id: *id })),
        None => Err(not_open(&api, id).await?),
    }
}

fn reason(given: Option<&str>) -> &str {
    given.unwrap_or("by an operator")
}

/// Why nothing can be done to a task of this id.
async fn not_open(api: &Api, id: TaskId) -> Result<Problem, Problem> {
    Ok(match find(api, id).await?.dead_letter {
        None | Some(DeadLetter::Open) => Problem::NotDead(id),
        Some(DeadLetter::Redriven) => Problem::Disposed(id, "redriven"),
        Some(DeadLetter::Discarded) => Problem::Disposed(id, "discarded"),
        Some(DeadLetter::Forwarded) => Problem::Disposed(id, "sent on to its dead letter sink"),
    })
}

async fn redrive_matching(
    State(api): State<Api>,
    Given(filter): Given<DeadLetterFilter>,
) -> Result<Json<RedrivenPage>, Problem> {
    let filter = selected(filter)?;
    let selection = Selection::Matching(filter.clone());
    let redriven = api.coordinator.broker().redrive(selection).await?;
    let redriven = redriven.into_iter();
    Ok(Json(RedrivenPage {
        redriven: redriven.map(|(id, task)| Redriven { id, task }).collect(),
        left: api.coordinator.broker().count_tasks(filter).await?,
    }))
}

async fn discard_matching(
    State(api): State<Api>,
    Given(filter): Given<DeadLetterFilter>,
) -> Result<Json<DiscardedPage>, Problem> {
    let given = filter.reason.clone();
    let filter = selected(filter)?;
    let selection = Selection::Matching(filter.clone());
    let broker = api.coordinator.broker();
    let discarded = broker.discard(selection, reason(given.as_deref())).await?;
    let discarded = discarded.into_iter();
    Ok(Json(DiscardedPage {
        discarded: discarded.map(|id| Discarded { id }).collect(),
        left: api.coordinator.broker().count_tasks(filter).await?,
    }))
}

/// What is selected by a filter that does not select everything by accident.
fn selected(filter: DeadLetterFilter) -> Result<TaskFilter, Problem> {
    let DeadLetterFilter {
        pool,
        capability,
        principal,
        source,
        event,
        all,
        limit,
        reason: _,
    } = filter;
    let narrows = [&pool, &capability, &principal, &source];
    if !all && event.is_none() && narrows.iter().all(|member| member.is_none()) {
        return Err(Problem::EmptyFilter);
    }
    Ok(TaskFilter {
        pool,
        capability,
        principal,
        source,
        event,
        dead: true,
        limit: Some(limit.unwrap_or(PAGE).clamp(1, PAGE)),
        ..TaskFilter::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_redrives_everything_by_accident() {
        assert!(selected(DeadLetterFilter::default()).is_err());
        let all = DeadLetterFilter {
            all: true,
            limit: Some(5_000),
            ..DeadLetterFilter::default()
        };
        assert_eq!(selected(all).unwrap().limit, Some(PAGE));
        let pool = DeadLetterFilter {
            pool: Some("p".to_owned()),
            ..DeadLetterFilter::default()
        };
        assert_eq!(selected(pool).unwrap().pool.as_deref(), Some("p"));
    }
}
