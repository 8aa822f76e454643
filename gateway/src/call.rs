//! `tools/call`: admitted, stored as a task, waited for, answered.
//!
//! [`admit`] does everything that can be refused before anything is stored; [`Call::run`] is the
//! rest. Arguments are never logged: some are secret.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dormouse_broker::{Accepted, Idempotency, NewTask, TaskId, Work};
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
use crate::follow::Follow;
use crate::headers;
use crate::jsonrpc::{RequestId, replace};
use crate::meters::CallOutcome;
use crate::outbox::Outbox;
use crate::schema;

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
    /// Its legacy session's id.
    pub session: Option<&'a Arc<str>>,
    /// Who calls.
    pub principal: &'a Arc<str>,
}

/// What admission comes to.
#[derive(Debug)]
pub enum Admission {
    /// To be stored and run.
    Call(Box<Call>),
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
    began: Instant,
}

/// Checks a call: the tool is there, the headers agree, the arguments fit.
///
/// # Errors
/// [`Fault`]; nothing has been stored.
pub fn admit(catalogue: &Catalogue, request: Request<'_>) -> Result<Admission, Fault> {
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
        began,
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
    // Session ids are base64url: nothing to escape.
    format!(r#"{{"session":"{session}","id":{id}}}"#).into()
}

impl Call {
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
            began,
        } = *self;
        let mut waiter = core.broker.wait(new_task.id);
        let mut abandoned = Abandoned::watch(&core, &new_task, era);
        match core.broker.accept(new_task).await {
            Ok(Accepted::New) => {}
            // It is somebody else's too: who goes away only stops waiting.
            Ok(Accepted::Joined(_) | Accepted::Repeated(_)) => abandoned.settle(),
            Err(refusal) => {
                abandoned.settle();
                tracing::debug!(%refusal, "call refused");
                tool.meters.count(CallOutcome::Refused, began);
                return Some(Reply::error(Some(&id), &Fault::Refused(refusal), era));
            }
        }
        let follow = Follow {
            id,
            era,
            hears,
            outbox,
            flight,
        };
        let (reply, outcome) = follow.run(&mut waiter, abandoned).await;
        tool.meters.count(outcome, began);
        tracing::debug!(outcome = outcome.as_str(), "call answered");
        reply
    }
}

#[cfg(test)]
mod tests;
