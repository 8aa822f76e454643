//! `tasks/*`: what a client does with its tasks, in both eras.

use std::sync::Arc;

use dormouse_broker::{State, TaskId};
use serde_json::value::RawValue;

use super::{View, legacy, modern};
use crate::abandoned::Abandoned;
use crate::answer::Reply;
use crate::core::Core;
use crate::era::Era;
use crate::error::Fault;
use crate::feature::Feature;
use crate::flights::Flight;
use crate::follow::{Asking, Follow};
use crate::hears::Hears;
use crate::jsonrpc::RequestId;
use crate::outbox::Outbox;
use crate::suspension::state::Round;
use crate::suspension::{asks, responses};

/// How many tasks a page of `tasks/list` holds.
const PAGE: usize = 50;

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Verb {
    /// `tasks/get`
    Get(TaskId),
    /// `tasks/list` (legacy), the newest first, those before this one.
    List(Option<TaskId>),
    /// `tasks/result` (legacy): waits for the end.
    Result(TaskId),
    /// `tasks/cancel`
    Cancel(TaskId),
    /// `tasks/update` (modern): `inputResponses`.
    Update(TaskId, Box<RawValue>),
}

/// A request about tasks.
#[derive(Debug)]
pub(crate) struct Request {
    /// Its id.
    pub id: RequestId,
    /// In which era it is answered.
    pub era: Era,
    /// What is asked for.
    pub verb: Verb,
    /// What the client hears while it waits for a result.
    pub hears: Hears,
    /// By which the client cancels the request (not the task).
    pub flight: Option<Flight>,
}

impl Request {
    /// Does what is asked for.
    pub async fn run(self, core: Arc<Core>, outbox: Arc<Outbox>) -> Option<Reply> {
        let Self {
            id,
            era,
            verb,
            hears,
            flight,
        } = self;
        let done = match verb {
            Verb::Get(task) => get(&core, task, era).await,
            Verb::List(before) => list(&core, before).await,
            Verb::Cancel(task) => cancel(&core, task, era).await,
            Verb::Update(task, given) => update(&core, task, &given).await,
            Verb::Result(task) => {
                let follow = Follow {
                    id,
                    era,
                    feature: Feature::Tool,
                    hears,
                    outbox,
                    flight,
                    asking: Asking::Requests { as_task: true },
                    asked: Vec::new(),
                };
                return result(&core, task, follow).await;
            }
        };
        Some(match done {
            Ok(result) => Reply::result(&id, &result),
            Err(fault) => Reply::error(Some(&id), &fault, era),
        })
    }
}

async fn get(core: &Core, task: TaskId, era: Era) -> Result<String, Fault> {
    let standing = core.standing(task).await?;
    Ok(match era {
        Era::Legacy(_) => legacy::view(task, &standing).legacy(core.task_ttl()),
        Era::Modern => modern::detailed(&View::of(task, &standing), &standing, core.task_ttl()),
    })
}

async fn list(core: &Core, before: Option<TaskId>) -> Result<String, Fault> {
    let records = core.tasks(before, PAGE).await?;
    let next = records.last().map(|record| record.id);
    let mut views = Vec::with_capacity(records.len());
    for record in &records {
        // One that was forgotten in between is in no list.
        if let Ok(standing) = core.standing(record.id).await {
            views.push(legacy::view(record.id, &standing));
        }
    }
    let next = next.filter(|_| records.len() == PAGE);
    Ok(legacy::list(&views, next, core.task_ttl()))
}

async fn cancel(core: &Core, task: TaskId, era: Era) -> Result<String, Fault> {
    let before = core.standing(task).await?;
    let cancelled = match before.state {
        state if state.is_final() => false,
        _ => {
            let reason = "its client cancelled the task";
            let after = core
                .broker
                .cancel(task, Some(&core.principal), reason)
                .await
                .map_err(|error| {
                    tracing::warn!(%task, %error, "could not cancel a task");
                    Fault::Stopped
                })?;
            after == Some(State::Cancelled)
        }
    };
    match era {
        Era::Modern => Ok(ACKNOWLEDGED.to_owned()),
        Era::Legacy(_) if cancelled => get(core, task, era).await,
        Era::Legacy(_) => Err(Fault::InvalidParams(format!(
            "task {task} has ended: there is nothing to cancel"
        ))),
    }
}

const ACKNOWLEDGED: &str = r#"{"resultType":"complete"}"#;

/// Responses that come late or to nothing are overlooked ("Task Update Requests").
async fn update(core: &Core, task: TaskId, given: &RawValue) -> Result<String, Fault> {
    let given = responses::read(given)?;
    let standing = core.standing(task).await?;
    if let Some(open) = &standing.asks
        && let Some(answers) = responses::answers(&asks::read(open), &given)?
    {
        let round = Round {
            task,
            round: standing.round,
        };
        core.answer(round, answers).await?;
    }
    Ok(ACKNOWLEDGED.to_owned())
}

async fn result(core: &Arc<Core>, task: TaskId, follow: Follow) -> Option<Reply> {
    let (id, era) = (follow.id.clone(), follow.era);
    if let Err(fault) = core.standing(task).await {
        return Some(Reply::error(Some(&id), &fault, era));
    }
    // Who stops waiting for the result does not cancel the task.
    let mut abandoned = Abandoned::resumed(core, task, false);
    abandoned.settle();
    let (reply, _) = follow.resume(core, task, abandoned).await;
    reply.map(|reply| reply.related(task))
}
