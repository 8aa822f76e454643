//! `/tasks`: what was asked, where it stands, how it ended.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use dormouse_broker::{Ending, Seq, TaskFilter, TaskId, TaskRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::{Content, Operation, Tag, get, post};
use super::problem::{Kind, Problem};
use super::read::{Asked, Given};
use super::segment::Segment;
use super::{Api, PAGE, examples};

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

/// The query of a list of tasks. A separate type, so that misspelt names are refused.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only of this pool.
    pool: Option<String>,
    /// Only in this state.
    state: Option<dormouse_broker::State>,
    /// Only of this capability: a tool's name, or an event's type.
    capability: Option<String>,
    /// Only of this caller.
    principal: Option<String>,
    /// Only those that this event became: its place in the log.
    event: Option<Seq>,
    /// Only of events from this source.
    source: Option<String>,
    /// Only dead letters of which nobody has disposed yet.
    dead: bool,
    /// Only those accepted at this time or later, RFC 3339.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    since: Option<jiff::Timestamp>,
    /// Only those accepted before this time, RFC 3339.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    until: Option<jiff::Timestamp>,
    /// Only older ones: `next` of the page before.
    before: Option<TaskId>,
    /// At most so many: 1 to 100, which is the default.
    limit: Option<usize>,
}

impl ListQuery {
    fn page_size(&self) -> usize {
        self.limit.unwrap_or(PAGE).clamp(1, PAGE)
    }

    /// Ids sort by the time of acceptance.
    fn filter(self, is_dead: bool) -> TaskFilter {
        let limit = Some(self.page_size());
        let until = self
            .until
            .map(|time| TaskId::first_of(time.as_millisecond()));
        TaskFilter {
            pool: self.pool,
            state: self.state,
            capability: self.capability,
            event: self.event,
            source: self.source,
            dead: self.dead || is_dead,
            principal: self.principal,
            before: self.before.into_iter().chain(until).min(),
            since: self
                .since
                .map(|time| TaskId::first_of(time.as_millisecond())),
            limit,
        }
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/tasks", list)
            .named(
                Tag::Tasks,
                "listTasks",
                "List tasks",
                "The newest first, a page at a time. Each condition narrows the list.",
            )
            .query::<ListQuery>()
            .answers(
                StatusCode::OK,
                "The tasks.",
                Content::json(examples::task_page()),
            ),
        get("/tasks/{id}", show)
            .named(
                Tag::Tasks,
                "getTask",
                "Show a task",
                "One task with its whole history: each transition with its time, who made it and \
                 why, and each attempt with its start, its end and what went wrong.",
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
    ]
}

async fn list(
    State(api): State<Api>,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<TaskPage>, Problem> {
    page(&api, query, false).await
}

pub(super) async fn page(
    api: &Api,
    query: ListQuery,
    is_dead: bool,
) -> Result<Json<TaskPage>, Problem> {
    let size = query.page_size();
    let tasks = api
        .coordinator
        .broker()
        .tasks(query.filter(is_dead))
        .await?;
    let next = tasks.last().filter(|_| tasks.len() >= size);
    Ok(Json(TaskPage {
        next: next.map(|task| task.id),
        tasks,
    }))
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
    Given(request): Given<CancelRequest>,
) -> Result<Json<Cancelled>, Problem> {
    use dormouse_broker::State as TaskState;
    let id = parse_id(&id)?;
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

pub(super) async fn find(api: &Api, id: TaskId) -> Result<TaskRecord, Problem> {
    let task = api.coordinator.broker().task(id).await?;
    task.ok_or(Problem::UnknownTask(id))
}

pub(super) fn parse_id(text: &str) -> Result<TaskId, Problem> {
    text.parse().map_err(|_| Problem::TaskId(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn times_become_bounds_of_ids() {
        let query = |since: &str, until: &str| ListQuery {
            since: since.parse().ok(),
            until: until.parse().ok(),
            ..ListQuery::default()
        };
        let (early, late) = ("2026-11-23T06:00:00Z", "2026-11-23T07:00:00Z");
        let filter = query(early, late).filter(false);
        let bounds = (filter.since.unwrap(), filter.before.unwrap());
        assert!(bounds.0 < bounds.1);
        let before = ListQuery {
            before: Some(bounds.0),
            ..query("", late)
        };
        assert_eq!(before.filter(false).before, Some(bounds.0));
    }
}
