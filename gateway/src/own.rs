//! What the gateway itself offers beside the functions: the way back to answers that were lost,
//! and what happened ([`events`]).
//!
//! `tasks://recent` lists the caller's newest tasks, for clients that were cut off and have no
//! idempotency key to come back with; the tool `get_result`, where it is switched on, lets a model
//! fetch one. Both stand in the catalogue as if a pool had declared them last, so that names that
//! collide give way to those of real pools.

pub(crate) mod events;
pub(crate) mod types;

use std::collections::BTreeMap;
use std::sync::Arc;

use dormouse_broker::{Ending, Standing, State, TaskId, TaskRecord};
use dormouse_contract::Manifest;
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::Registration;
use serde_json::{Value, json};

use crate::answer::Reply;
use crate::core::Core;
use crate::ending::answer;
use crate::era::Era;
use crate::error::Fault;
use crate::feature::Feature;
use crate::jsonrpc::RequestId;
use crate::tasks::Status;
use types::Types;

/// The name under which it is offered: none that a pool can have.
pub const POOL: &str = ".dormouse";

/// The resource that lists the caller's tasks.
const RECENT: &str = "tasks://recent";

/// How many tasks it lists.
const LISTED: usize = 50;

/// What the gateway offers, as a pool would.
pub(crate) fn registration(with_result_tool: bool, types: &Types) -> Arc<Registration> {
    let tool = json!({
        "name": "get_result",
        "title": "Get a lost result",
        "description": "Get the result of an earlier tool call whose answer did not arrive, for \
                        instance because the connection was cut. Without a task it lists the \
                        recent ones.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "task": {"type": "string", "description": "The task's id, as the list has it."},
            },
            "additionalProperties": false,
        },
        "annotations": {"readOnlyHint": true, "openWorldHint": false},
    });
    let resource = json!({
        "uri": RECENT,
        "name": "recent-tasks",
        "title": "Recent tasks",
        "description": "Your newest calls, where each stands, and how it ended.",
        "mimeType": "application/json",
    });
    let mut manifest = Manifest::of_nothing(POOL);
    let resources = std::iter::once(resource).chain(types.iter().map(events::resource));
    manifest
        .resources
        .extend(resources.flat_map(|resource| serde_json::value::to_raw_value(&resource)));
    manifest
        .resource_templates
        .extend(serde_json::value::to_raw_value(&events::template()));
    if with_result_tool {
        manifest
            .tools
            .extend(serde_json::value::to_raw_value(&tool));
    }
    Arc::new(Registration {
        pool: POOL.into(),
        agent_type: String::new(),
        revision: String::new(),
        manifest: Arc::new(manifest),
        delivery: Delivery::default(),
        tools: BTreeMap::new(),
        triggers: None,
        slots: 0,
        queue_limit: 0,
    })
}

/// What is asked of the gateway itself.
#[derive(Debug)]
enum Verb {
    /// `tasks://recent`
    Recent,
    /// `events://TYPE`
    Events {
        /// As the client wrote it.
        uri: String,
        ty: String,
    },
    /// The types that begin so.
    Types(String),
    /// `get_result` without a task.
    List,
    /// `get_result`
    Result(String),
}

/// A request that the gateway serves itself.
#[derive(Debug)]
pub(crate) struct Request {
    /// Its id.
    pub id: RequestId,
    era: Era,
    verb: Verb,
}

impl Request {
    /// A request for what [`registration`] offers: the capability that was asked for, a tool's
    /// arguments, checked, and what was typed of a template's variable.
    pub fn new(
        id: RequestId,
        era: Era,
        feature: Feature,
        capability: &str,
        arguments: Option<&Value>,
        typed: Option<String>,
    ) -> Self {
        let task = arguments.and_then(|arguments| arguments["task"].as_str());
        let verb = match (feature, task) {
            (Feature::Tool, Some(task)) => Verb::Result(task.to_owned()),
            (Feature::Tool, None) => Verb::List,
            (Feature::Completion, _) => Verb::Types(typed.unwrap_or_default()),
            (Feature::Resource | Feature::Prompt, _) => match events::type_of(capability) {
                Some(ty) => Verb::Events {
                    uri: capability.to_owned(),
                    ty,
                },
                None => Verb::Recent,
            },
        };
        Self { id, era, verb }
    }

    /// Serves it.
    pub async fn run(self, core: &Core) -> Reply {
        let Self { id, era, verb } = self;
        let served = match verb {
            Verb::Recent => recent(core)
                .await
                .map(|tasks| read(&id, RECENT, &pretty(&tasks), era)),
            Verb::Events { uri, ty } => events::newest(core, &ty)
                .await
                .map(|text| read(&id, &uri, &text, era)),
            Verb::Types(typed) => {
                let completed = events::completion(core.types.borrow().iter(), &typed);
                Ok(complete(&id, completed, era))
            }
            Verb::List => recent(core)
                .await
                .map(|tasks| said(&id, &pretty(&tasks), era)),
            Verb::Result(task) => return result(core, &id, &task, era).await,
        };
        served.unwrap_or_else(|fault| Reply::error(Some(&id), &fault, era))
    }
}

async fn recent(core: &Core) -> Result<Value, Fault> {
    let records = core.tasks(None, LISTED).await?;
    Ok(json!({ "tasks": records.iter().map(line).collect::<Vec<_>>() }))
}

fn line(record: &TaskRecord) -> Value {
    let mut line = json!({
        "task": record.id,
        "name": record.capability,
        "pool": record.pool,
        "state": record.state,
        "acceptedAt": record.accepted_at,
        "changedAt": record.changed_at,
    });
    if let Some(failure) = &record.failure {
        line["error"] = failure.error.message.as_str().into();
    }
    line
}

fn read(id: &RequestId, uri: &str, text: &str, era: Era) -> Reply {
    let mut result = json!({
        "contents": [{"uri": uri, "mimeType": "application/json", "text": text}],
    });
    if era == Era::Modern {
        result["ttlMs"] = 0.into();
        result["cacheScope"] = "private".into();
    }
    complete(id, result, era)
}

fn said(id: &RequestId, text: &str, era: Era) -> Reply {
    complete(
        id,
        json!({"content": [{"type": "text", "text": text}]}),
        era,
    )
}

fn complete(id: &RequestId, mut result: Value, era: Era) -> Reply {
    if era == Era::Modern {
        result["resultType"] = "complete".into();
    }
    Reply::result(id, &result.to_string())
}

fn pretty(tasks: &Value) -> String {
    serde_json::to_string_pretty(tasks).unwrap_or_default()
}

/// The answer to the letter, once there is one; till then where the task stands.
async fn result(core: &Core, id: &RequestId, task: &str, era: Era) -> Reply {
    let Ok(task) = task.parse::<TaskId>() else {
        let fault = Fault::UnknownTask(task.to_owned());
        return Reply::tool_error(id, &fault.to_string(), None, era);
    };
    let standing = match core.standing(task).await {
        Ok(standing) => standing,
        Err(fault) => return Reply::tool_error(id, &fault.to_string(), None, era),
    };
    match (&standing.ending, Feature::of_work(&standing.work)) {
        (Some(ending), Feature::Tool) => answer(id, era, Feature::Tool, task, ending.clone()).0,
        (Some(Ending::Completed(result)), _) => said(id, &String::from_utf8_lossy(result), era),
        (Some(Ending::Failed(failed)), _) => {
            Reply::tool_error(id, &failed.error.message, None, era)
        }
        (Some(Ending::Cancelled(reason)), _) => {
            let message = format!("The request was cancelled: {reason}.");
            Reply::tool_error(id, &message, None, era)
        }
        (None, _) => said(id, &waits(task, &standing), era),
    }
}

fn waits(task: TaskId, standing: &Standing) -> String {
    match (Status::of(standing), standing.state) {
        (Status::InputRequired, _) => format!(
            "Task {task} waits for answers: the call that is repeated with its idempotency key or \
             requestState is asked again."
        ),
        (_, State::Suspended) => format!("Task {task} waits for an event: ask again later."),
        (_, state) => format!("Task {task} is {}: ask again later.", state.name()),
    }
}
