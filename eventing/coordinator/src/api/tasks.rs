//! `/tasks` and `/dead-letters`: what was asked, where it stands, how it ended.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use dormouse_broker::{Ending, Seq, TaskFilter, TaskId, TaskRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::examples;
use super::operation::{Content, Operation, Tag, get, post};
use super::payload::Payload;
use super::problem::{Kind, Problem};
use super::segment::Segment;

/// How many tasks a page holds when the query does not say, and at most.
const PAGE: usize = 100;

/// The answer of `GET /tasks` and `GET /dead-letters`: the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TaskPage {
    /// The tasks, without their history.
    pub tasks: Vec<TaskRecord>,
    /// Where the next page starts: give it as `before`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<TaskId>,
}

/// The optional body of `POST /tasks/{id}/cancel`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Why, for the task's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer of `POST /tasks/{id}/cancel`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// The task.
    pub id: TaskId,
    /// Always `cancelled`.
    pub state: dormouse_broker::State,
}

/// The query of a list. A separate type, so that misspelt names are refused.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only of this pool.
    pool: Option<String>,
    /// Only in this state.
    state: Option<dormouse_broker::State>,
    /// Only of this caller.
    principal: Option<String>,
    /// Only of this capability: a tool's name, or an event's type.
    capability: Option<String>,
    /// Only those that this event became.
    event: Option<Seq>,
    /// Only of events from this source.
    source: Option<String>,
    /// Only dead letters.
    dead: bool,
    /// Only older ones: `next` of the page before.
    before: Option<TaskId>,
    /// At most so many: 1 to 100, which is the default.
    limit: Option<usize>,
}

impl ListQuery {
    fn page_size(&self) -> usize {
        self.limit.unwrap_or(PAGE).clamp(1, PAGE)
    }
}

type Queried = Result<Query<ListQuery>, QueryRejection>;

pub(super) fn operations() -> Vec<Operation> {
    let mut operations = Vec::from(lists());
    operations.extend([
        get("/tasks/{id}", show)
            .named(
                Tag::Tasks,
                "getTask",
                "Show a task",
                "One task with its whole history: each transition with its time, who made it and \
                 why.",
            )
            .answers(StatusCode::OK, "The task.", Content::json(examples::task()))
            .problems(&[Kind::InvalidTaskId, Kind::UnknownTask]),
        get("/tasks/{id}/result", result)
            .named(
                Tag::Tasks,
                "getResult",
                "Get a task's result",
                "The result to the letter, for whoever lost the answer: of a call the MCP result, \
                 of an event the reply event.",
            )
            .answers(
                StatusCode::OK,
                "The result.",
                Content::json(examples::result()),
            )
            .answers_empty(StatusCode::NO_CONTENT, "It completed without a result.")
            .problems(&[
                Kind::InvalidTaskId,
                Kind::UnknownTask,
                Kind::NotEnded,
                Kind::TaskFailed,
                Kind::TaskCancelled,
            ]),
        post("/tasks/{id}/cancel", cancel)
            .named(
                Tag::Tasks,
                "cancelTask",
                "Cancel a task",
                "Ends a task that has not ended. If an attempt is running it is aborted; it may \
                 have done its work all the same.",
            )
            .may_take(
                "Why, for the task's history.",
                Content::json(CancelRequest {
                    reason: Some("wrong branch".to_owned()),
                }),
            )
            .answers(
                StatusCode::OK,
                "The task is cancelled.",
                Content::json(Cancelled {
                    id: examples::task_id(),
                    state: dormouse_broker::State::Cancelled,
                }),
            )
            .problems(&[
                Kind::InvalidTaskId,
                Kind::UnknownTask,
                Kind::InvalidBody,
                Kind::TaskEnded,
            ]),
    ]);
    operations
}

fn lists() -> [Operation; 2] {
    let page = || Content::json(examples::task_page());
    [
        get("/tasks", list)
            .named(
                Tag::Tasks,
                "listTasks",
                "List tasks",
                "The newest first, a page at a time. Each condition narrows the list.",
            )
            .query::<ListQuery>()
            .answers(StatusCode::OK, "The tasks.", page()),
        get("/dead-letters", dead_letters)
            .named(
                Tag::Tasks,
                "listDeadLetters",
                "List dead letters",
                "Tasks whose attempts are used up, the newest first.",
            )
            .query::<ListQuery>()
            .answers(StatusCode::OK, "The dead letters.", page()),
    ]
}

async fn list(State(api): State<Api>, query: Queried) -> Result<Json<TaskPage>, Problem> {
    page(&api, read_query(query)?).await
}

async fn dead_letters(State(api): State<Api>, query: Queried) -> Result<Json<TaskPage>, Problem> {
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
        capability: query.capability,
        event: query.event,
        source: query.source,
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

async fn show(State(api): State<Api>, Segment(id): Segment) -> Result<Json<TaskRecord>, Problem> {
    Ok(Json(find(&api, parse_id(&id)?).await?))
}

/// The result to the letter, for whoever lost the answer.
async fn result(State(api): State<Api>, Segment(id): Segment) -> Result<Response, Problem> {
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

async fn cancel(
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
