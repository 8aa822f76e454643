//! `/tasks` and `/dead-letters`: what was asked, where it stands, how it ended.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use dormouse_broker::{Ending, TaskFilter, TaskId, TaskRecord};
use serde::{Deserialize, Serialize};

use super::Api;
use super::payload::Payload;
use super::problem::Problem;
use super::segment::Segment;

/// How many tasks a page holds when the query does not say, and at most.
const PAGE: usize = 100;

/// The answer of `GET /tasks` and `GET /dead-letters`: the newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskPage {
    /// The tasks, without their history.
    pub tasks: Vec<TaskRecord>,
    /// Where the next page starts: give it as `before`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<TaskId>,
}

/// The optional body of `POST /tasks/{id}/cancel`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Why, for the task's history.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The answer of `POST /tasks/{id}/cancel`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cancelled {
    /// The task.
    pub id: TaskId,
    /// Always `cancelled`.
    pub state: dormouse_broker::State,
}

/// The query of a list. A separate type, so that misspelt names are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListQuery {
    pool: Option<String>,
    state: Option<dormouse_broker::State>,
    principal: Option<String>,
    dead: bool,
    before: Option<TaskId>,
    limit: Option<usize>,
}

impl ListQuery {
    fn page_size(&self) -> usize {
        self.limit.unwrap_or(PAGE).clamp(1, PAGE)
    }
}

type Queried = Result<Query<ListQuery>, QueryRejection>;

pub(super) async fn list(
    State(api): State<Api>,
    query: Queried,
) -> Result<Json<TaskPage>, Problem> {
    page(&api, read_query(query)?).await
}

pub(super) async fn dead_letters(
    State(api): State<Api>,
    query: Queried,
) -> Result<Json<TaskPage>, Problem> {
    let query = read_query(query)?;
    page(
        &api,
        ListQuery {
            dead: true,
            ..query
        },
    )
    .await
}

fn read_query(query: Queried) -> Result<ListQuery, Problem> {
    query
        .map(|Query(query)| query)
        .map_err(|rejection| Problem::Query(rejection.body_text()))
}

async fn page(api: &Api, query: ListQuery) -> Result<Json<TaskPage>, Problem> {
    let size = query.page_size();
    let filter = TaskFilter {
        pool: query.pool,
        state: query.state,
        dead: query.dead,
        principal: query.principal,
        before: query.before,
        limit: Some(size),
    };
    let tasks = api.coordinator.broker().tasks(filter).await?;
    let next = tasks
        .last()
        .filter(|_| tasks.len() >= size)
        .map(|task| task.id);
    Ok(Json(TaskPage { tasks, next }))
}

pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
) -> Result<Json<TaskRecord>, Problem> {
    Ok(Json(find(&api, parse_id(&id)?).await?))
}

/// The result to the letter, for whoever lost the answer.
pub(super) async fn result(
    State(api): State<Api>,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let task = parse_id(&id)?;
    match api.coordinator.broker().ending(task).await? {
        Some(Ending::Completed(result)) if result.is_empty() => {
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Some(Ending::Completed(result)) => {
            Ok(([(CONTENT_TYPE, "application/json")], result).into_response())
        }
        Some(Ending::Failed(failure)) => Err(Problem::Failed { task, failure }),
        Some(Ending::Cancelled(reason)) => Err(Problem::Cancelled { task, reason }),
        None => {
            let state = find(&api, task).await?.state;
            Err(Problem::NotEnded { task, state })
        }
    }
}

pub(super) async fn cancel(
    State(api): State<Api>,
    Segment(id): Segment,
    Payload(body): Payload,
) -> Result<Json<Cancelled>, Problem> {
    use dormouse_broker::State as TaskState;
    let id = parse_id(&id)?;
    let request = read_cancel(&body)?;
    let reason = request
        .reason
        .unwrap_or_else(|| "cancelled by an operator".to_owned());
    match api.coordinator.broker().cancel(id, None, &reason).await? {
        None => Err(Problem::UnknownTask(id)),
        Some(state @ TaskState::Cancelled) => Ok(Json(Cancelled { id, state })),
        Some(
            state @ (TaskState::Accepted
            | TaskState::Running
            | TaskState::Suspended
            | TaskState::Completed
            | TaskState::Failed),
        ) => Err(Problem::NotCancelled { task: id, state }),
    }
}

fn read_cancel(body: &[u8]) -> Result<CancelRequest, Problem> {
    if body.is_empty() {
        return Ok(CancelRequest::default());
    }
    // By way of a map: serde would also read a struct from an array.
    serde_json::from_slice(body)
        .and_then(|members: serde_json::Map<String, serde_json::Value>| {
            serde_json::from_value(members.into())
        })
        .map_err(|error| Problem::Body(format!("{error}; send nothing, or {{\"reason\": \"…\"}}")))
}

async fn find(api: &Api, id: TaskId) -> Result<TaskRecord, Problem> {
    let task = api.coordinator.broker().task(id).await?;
    task.ok_or(Problem::UnknownTask(id))
}

fn parse_id(text: &str) -> Result<TaskId, Problem> {
    text.parse().map_err(|_| Problem::TaskId(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_request_may_be_empty_or_give_a_reason_and_nothing_else() {
        assert_eq!(read_cancel(b"").unwrap().reason, None);
        let given = read_cancel(br#"{"reason":"wrong text"}"#).unwrap();
        assert_eq!(given.reason.as_deref(), Some("wrong text"));
        for body in ["[]", "{", r#"{"because":"x"}"#] {
            assert!(read_cancel(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn pages_hold_between_one_and_a_hundred_tasks() {
        for (asked, given) in [(None, 100), (Some(0), 1), (Some(7), 7), (Some(5_000), 100)] {
            let query = ListQuery {
                limit: asked,
                ..ListQuery::default()
            };
            assert_eq!(query.page_size(), given, "{asked:?}");
        }
    }
}
