//! `tools/call`: admitted, stored as a task, waited for, answered.
//!
//! [`admit`] does everything that can be refused before anything is stored; [`Call::run`] is the
//! rest. Arguments are never logged: some are secret.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dormouse_broker::{Accepted, Idempotency, NewTask, TaskId, Work};
use dormouse_contract::manifest::TaskSupport;
use dormouse_contract::trace::TraceParent;
use http::HeaderMap;
use serde_json::Value;
use serde_json::value::RawValue;
use tracing::Instrument as _;

use crate::abandoned::Abandoned;
use crate::answer::{Hears, Reply};
use crate::catalogue::{Catalogue, Tool};
use crate::core::Core;
use crate::era::{Era, Params};
use crate::error::Fault;
use crate::flights::Flight;
use crate::follow::{Asking, Follow, now};
use crate::headers;
use crate::jsonrpc::{RequestId, replace};
use crate::meters::{CallOutcome, Meters};
use crate::outbox::Outbox;
use crate::schema;
use crate::suspension::state::{Keys, Owner, Round};
use crate::suspension::{asks, responses};
use crate::tasks::{self, View};

/// The longest idempotency key, in bytes.
const LONGEST_KEY: usize = 256;

/// A `tools/call` request with all that decides about it.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its id.
    pub id: RequestId,
    /// In which era it is answered.
    pub era: Era,
    /// Its params, raw.
    pub raw: Option<&'a RawValue>,
    /// Its params, read.
    pub params: &'a Params<'a>,
    /// The HTTP request's headers.
    pub headers: Option<&'a HeaderMap>,
    /// The beginning of the task's `client`, see [`crate::session::client_json`].
    pub client: &'a str,
    /// What the client hears of the call.
    pub hears: Hears,
    /// Its legacy session's handle.
    pub session: Option<&'a Arc<str>>,
    /// Who calls.
    pub principal: &'a Arc<str>,
}

/// What admission comes to.
#[derive(Debug)]
pub enum Admission {
    /// To be stored and run.
    Call(Box<Call>),
    /// A call that was asked something goes on.
    Retry(Box<Retry>),
    /// Answered at once, with nothing stored.
    Answered(Reply),
}

/// A call that was admitted.
#[derive(Debug)]
pub struct Call {
    id: RequestId,
    era: Era,
    tool: Arc<Tool>,
    task: NewTask,
    hears: Hears,
    flight: Option<Flight>,
    asking: Asking,
    /// The client follows it as a task: it is answered as soon as it is stored.
    detached: bool,
    began: Instant,
}

/// Checks a call: the tool is there, the headers agree, the arguments fit.
///
/// # Errors
/// [`Fault`]; nothing has been stored.
pub fn admit(catalogue: &Catalogue, keys: &Keys, request: Request<'_>) -> Result<Admission, Fault> {
    let began = Instant::now();
    let name = request
        .params
        .name
        .as_deref()
        .ok_or_else(|| Fault::InvalidParams("params.name is missing".to_owned()))?;
    let tool = catalogue
        .get(name)
        .ok_or_else(|| Fault::UnknownTool(name.to_owned()))?;
    let arguments = schema::read_arguments(request.params.arguments)?;
    if let (Era::Modern, Some(headers)) = (request.era, request.headers) {
        headers::check_params(headers, &tool.mirrored, &arguments)?;
    }
    let problems = tool.schema.problems(&arguments);
    if !problems.is_empty() {
        tool.meters.count(CallOutcome::Invalid, began);
        let message = format!("Invalid arguments for tool {name}: {}", problems.join("; "));
        return if request.era.tells_models_of_bad_arguments() {
            let reply = Reply::tool_error(&request.id, &message, None, request.era);
            Ok(Admission::Answered(reply))
        } else {
            Err(Fault::InvalidParams(message))
        };
    }
    let detached = is_detached(&request, tool)?;
    let asking = asking(&request, tool)?;
    if let Some(state) = request.params.request_state.as_deref() {
        return retry(keys, request, tool, state, asking);
    }
    let idempotency = idempotency(&request, &arguments)?;
    let trace = request
        .params
        .meta
        .traceparent
        .as_deref()
        .and_then(|text| text.parse::<TraceParent>().ok())
        .map_or_else(TraceParent::random, TraceParent::child);
    let task = NewTask {
        id: TaskId::new(),
        pool: tool.pool.clone(),
        capability: tool.declared.clone(),
        work: Work::Call(compose(&request, tool)),
        principal: request.principal.clone(),
        reply_to: request
            .session
            .map(|session| reply_to(session, &request.id)),
        affinity: request.session.cloned(),
        trace,
        idempotency,
        delivery: tool.delivery.clone(),
    };
    Ok(Admission::Call(Box::new(Call {
        id: request.id,
        era: request.era,
        tool: tool.clone(),
        task,
        hears: request.hears,
        flight: None,
        asking,
        detached,
        began,
    })))
}

/// Whether a legacy client follows the call as a task.
///
/// # Errors
/// -32601 where the tool demands it, or does not offer it ("Tool-Level Negotiation").
fn is_detached(request: &Request<'_>, tool: &Tool) -> Result<bool, Fault> {
    let wanted = match request.era {
        Era::Legacy(revision) if revision.has_tasks() => request.params.task.is_some(),
        // A member that the revision does not know.
        Era::Legacy(_) | Era::Modern => return Ok(false),
    };
    match (tool.task_support, wanted) {
        (TaskSupport::Optional, wanted) => Ok(wanted),
        (TaskSupport::Required, true) => Ok(true),
        (TaskSupport::Forbidden, false) => Ok(false),
        (TaskSupport::Required, false) => Err(Fault::TaskRequired(tool.name.to_string())),
        (TaskSupport::Forbidden, true) => Err(Fault::TaskForbidden(tool.name.to_string())),
    }
}

/// How the client is asked what the call asks.
///
/// # Errors
/// When the tool's calls are tasks and a modern client cannot follow those.
fn asking(request: &Request<'_>, tool: &Tool) -> Result<Asking, Fault> {
    if let Era::Legacy(_) = request.era {
        return Ok(Asking::Requests { as_task: false });
    }
    let declared = || tasks::modern::is_declared(request.params.meta.capabilities);
    let may_defer = match tool.task_support {
        TaskSupport::Forbidden => false,
        TaskSupport::Optional => declared(),
        TaskSupport::Required if declared() => true,
        TaskSupport::Required => return Err(tasks::modern::missing()),
    };
    let offered = request.params.input_responses;
    if let Some(offered) = offered {
        responses::read(offered)?;
    }
    Ok(Asking::Result {
        offered: offered.map(ToOwned::to_owned),
        may_defer,
    })
}

/// A call that comes back with what it was asked.
fn retry(
    keys: &Keys,
    request: Request<'_>,
    tool: &Arc<Tool>,
    state: &str,
    asking: Asking,
) -> Result<Admission, Fault> {
    let owner = Owner {
        principal: request.principal,
        method: "tools/call",
        capability: &tool.declared,
        digest: &asks::digest(request.raw),
    };
    let Round { task, .. } = keys.open(state, owner).ok_or(Fault::ForeignState)?;
    Ok(Admission::Retry(Box::new(Retry {
        id: request.id,
        era: request.era,
        task,
        has_key: request.params.meta.idempotency_key.is_some(),
        hears: request.hears,
        flight: None,
        asking,
        meters: tool.meters.clone(),
    })))
}

fn idempotency(request: &Request<'_>, arguments: &Value) -> Result<Option<Idempotency>, Fault> {
    let header = match request.headers {
        Some(headers) => headers::single(headers, headers::IDEMPOTENCY_KEY)
            .map_err(|fault| Fault::InvalidParams(fault.to_string()))?,
        None => None,
    };
    let Some(key) = header.or(request.params.meta.idempotency_key.as_deref()) else {
        return Ok(None);
    };
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(Fault::InvalidParams(format!(
            "an idempotency key has 1 to {LONGEST_KEY} bytes, this one has {}",
            key.len()
        )));
    }
    Ok(Some(Idempotency {
        key: key.to_owned(),
        arguments: schema::hash(arguments),
    }))
}

/// The data of the task: `{"method":"tools/call","params":…,"client":…}` with the params to the
/// letter, but for the name of a tool that is offered under another one than its function knows.
fn compose(request: &Request<'_>, tool: &Tool) -> Bytes {
    let renamed;
    let params = match (request.raw, request.params.raw_name) {
        (Some(raw), Some(name)) if tool.is_renamed() => {
            renamed = replace(raw, name, &Value::from(&*tool.declared).to_string());
            renamed.as_str()
        }
        (Some(raw), _) => raw.get(),
        (None, _) => "{}",
    };
    let mut data = String::with_capacity(params.len() + request.client.len() + 112);
    data.push_str(r#"{"method":"tools/call","params":"#);
    data.push_str(params);
    data.push_str(r#","client":"#);
    data.push_str(request.client);
    if let Some(level) = request.hears.log_level {
        data.push_str(r#","logLevel":""#);
        data.push_str(level.as_str());
        data.push('"');
    }
    if request.hears.progress_token.is_some() {
        data.push_str(r#","progress":true"#);
    }
    data.push_str("}}");
    data.into()
}

fn reply_to(session: &str, id: &RequestId) -> Bytes {
    // Handles are base64url: nothing to escape.
    format!(r#"{{"session":"{session}","id":{id}}}"#).into()
}

impl Call {
    /// The task that it becomes, for calls of the legacy era.
    pub(crate) fn legacy_task(&self) -> Option<TaskId> {
        match self.era {
            Era::Legacy(_) => Some(self.task.id),
            Era::Modern => None,
        }
    }

    /// Lets the client cancel the call by its id.
    #[must_use]
    pub fn cancelled_by(mut self: Box<Self>, flight: Flight) -> Box<Self> {
        self.flight = Some(flight);
        self
    }

    /// Stores the task, leaves what it tells meanwhile in the outbox, and returns the answer; `None`
    /// when the client cancelled the call and wants none. A modern call that is dropped before
    /// it ends, and has no idempotency key, is cancelled after a grace.
    pub async fn run(self: Box<Self>, core: Arc<Core>, outbox: Arc<Outbox>) -> Option<Reply> {
        let span = tracing::debug_span!(
            "call",
            trace = %self.task.trace.trace_id(),
            era = self.era.as_str(),
            tool = &*self.tool.name,
            task = %self.task.id,
            principal = &*self.task.principal,
        );
        self.serve(core, outbox).instrument(span).await
    }

    async fn serve(self: Box<Self>, core: Arc<Core>, outbox: Arc<Outbox>) -> Option<Reply> {
        let Self {
            id,
            era,
            tool,
            task: new_task,
            hears,
            flight,
            asking,
            detached,
            began,
        } = *self;
        let task = new_task.id;
        let mut waiter = core.broker.wait(new_task.id);
        let mut abandoned = Abandoned::watch(&core, &new_task, era);
        let task = match core.broker.accept(new_task).await {
            Ok(Accepted::New) => task,
            // It is somebody else's too: who goes away only stops waiting.
            Ok(Accepted::Joined(other) | Accepted::Repeated(other)) => {
                abandoned.settle();
                other
            }
            Err(refusal) => {
                abandoned.settle();
                tracing::debug!(%refusal, "call refused");
                tool.meters.count(CallOutcome::Refused, began);
                return Some(Reply::error(Some(&id), &Fault::Refused(refusal), era));
            }
        };
        if detached {
            abandoned.settle();
            tool.meters.count(CallOutcome::Deferred, began);
            let created = tasks::legacy::created(&View::begun(task, now()), core.task_ttl());
            return Some(Reply::result(&id, &created));
        }
        let follow = Follow {
            id,
            era,
            hears,
            outbox,
            flight,
            asking,
        };
        let (reply, outcome) = follow.run(&core, task, &mut waiter, abandoned).await;
        tool.meters.count(outcome, began);
        tracing::debug!(outcome = outcome.as_str(), "call answered");
        reply
    }
}

/// A call that was asked something and comes back with the responses.
#[derive(Debug)]
pub struct Retry {
    id: RequestId,
    era: Era,
    task: TaskId,
    has_key: bool,
    hears: Hears,
    flight: Option<Flight>,
    asking: Asking,
    meters: Meters,
}

impl Retry {
    /// Lets the client cancel the call by its id.
    #[must_use]
    pub fn cancelled_by(mut self: Box<Self>, flight: Flight) -> Box<Self> {
        self.flight = Some(flight);
        self
    }

    /// Goes on with the task; like [`Call::run`].
    pub async fn run(self: Box<Self>, core: Arc<Core>, outbox: Arc<Outbox>) -> Option<Reply> {
        let began = Instant::now();
        let abandoned = Abandoned::resumed(&core, self.task, !self.has_key);
        let follow = Follow {
            id: self.id,
            era: self.era,
            hears: self.hears,
            outbox,
            flight: self.flight,
            asking: self.asking,
        };
        let (reply, outcome) = follow.resume(&core, self.task, abandoned).await;
        self.meters.count(outcome, began);
        reply
    }
}

#[cfg(test)]
mod tests;
