//! Admission: everything about a request to a function that can be refused before it is stored.
//!
//! `tools/call`, `prompts/get`, `resources/read` and `completion/complete` go the same way: who
//! offers it, does what is given fit, what becomes the task. Arguments are never logged: some are
//! secret.

mod asking;
mod completion;
mod prompt;
mod resource;
mod tool;

pub(crate) use resource::LONGEST_URI;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dormouse_broker::{Idempotency, NewTask, TaskId, Work};
use dormouse_contract::manifest::TaskSupport;
use dormouse_contract::trace::TraceParent;
use http::HeaderMap;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::answer::Reply;
use crate::call::{Call, Retry};
use crate::catalogue::{Catalogue, Target};
use crate::era::{Era, Params};
use crate::error::Fault;
use crate::feature::Feature;
use crate::headers;
use crate::hears::Hears;
use crate::jsonrpc::{RequestId, replace};
use crate::own;
use crate::schema;
use crate::suspension::state::Keys;

/// The longest idempotency key, in bytes.
const LONGEST_KEY: usize = 256;

/// A request to a function with all that decides about it.
#[derive(Debug)]
pub struct Request<'a> {
    /// What is asked for.
    pub feature: Feature,
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
    /// Whether headers mirror the arguments that a tool's schema marks.
    pub mirrors: bool,
    /// The beginning of the task's `client`, see [`crate::session::client_json`].
    pub client: &'a str,
    /// What the client hears of the call.
    pub hears: Hears,
    /// Its legacy session's handle.
    pub session: Option<&'a Arc<str>>,
    /// Who calls.
    pub principal: &'a Arc<str>,
}

impl<'a> Request<'a> {
    /// The same request, but for its params; no header mirrors those.
    pub(crate) fn with<'b>(self, raw: &'b RawValue, params: &'b Params<'b>) -> Request<'b>
    where
        'a: 'b,
    {
        Request {
            raw: Some(raw),
            params,
            mirrors: false,
            ..self
        }
    }
}

/// What admission comes to.
#[derive(Debug)]
pub enum Admission {
    /// To be stored and run.
    Call(Box<Call>),
    /// A request that was asked something goes on.
    Retry(Box<Retry>),
    /// The gateway serves it itself.
    Own(Box<own::Request>),
    /// Answered at once, with nothing stored.
    Answered(Reply),
}

/// Where a request goes, once it is found to be good.
struct Found<'a> {
    target: Arc<Target>,
    /// The task's capability: a declared name, or a resource's URI.
    capability: Arc<str>,
    /// The name in the params, where the function knows its capability by another.
    renamed: Option<&'a RawValue>,
    /// What the idempotency key goes with; `None`: the params as a whole.
    arguments: Option<Value>,
    /// Whether the client may follow it as a task.
    task_support: TaskSupport,
}

impl<'a> Found<'a> {
    /// A capability by the name that stands there in the params.
    fn named(target: &Arc<Target>, name: Option<&'a RawValue>) -> Self {
        Self {
            capability: target.declared.clone(),
            renamed: name.filter(|_| target.is_renamed()),
            target: target.clone(),
            arguments: None,
            task_support: TaskSupport::Forbidden,
        }
    }
}

/// What the checks of one feature come to.
enum Checked<'a> {
    Good(Found<'a>),
    Answered(Reply),
}

/// Checks a request: what it asks for is offered, the headers agree, what it gives fits.
///
/// # Errors
/// [`Fault`]; nothing has been stored.
pub fn admit(catalogue: &Catalogue, keys: &Keys, request: Request<'_>) -> Result<Admission, Fault> {
    let began = Instant::now();
    let checked = match request.feature {
        Feature::Tool => tool::check(catalogue, &request, began)?,
        Feature::Prompt => Checked::Good(prompt::check(catalogue, &request)?),
        Feature::Resource => Checked::Good(resource::check(catalogue, &request)?),
        Feature::Completion => Checked::Good(completion::check(catalogue, &request)?),
    };
    let found = match checked {
        Checked::Good(found) => found,
        Checked::Answered(reply) => return Ok(Admission::Answered(reply)),
    };
    if &*found.target.pool == own::POOL {
        let (arguments, capability) = (found.arguments.as_ref(), &*found.capability);
        let typed = completion::typed(&request);
        let (id, era, feature) = (request.id, request.era, request.feature);
        let own = own::Request::new(id, era, feature, capability, arguments, typed);
        return Ok(Admission::Own(Box::new(own)));
    }
    let detached = asking::is_detached(&request, &found)?;
    let asking = asking::way(&request, &found)?;
    if let Some(state) = request.params.request_state.as_deref() {
        let retry = asking::retry(keys, &request, &found, state, asking)?;
        return Ok(Admission::Retry(Box::new(retry)));
    }
    let task = NewTask {
        id: TaskId::new(),
        pool: found.target.pool.clone(),
        work: Work::Call(compose(&request, &found)),
        principal: request.principal.clone(),
        reply_to: request
            .session
            .map(|session| reply_to(session, &request.id)),
        affinity: request.session.cloned(),
        trace: trace(request.params),
        idempotency: idempotency(&request, found.arguments)?,
        delivery: found.target.delivery.clone(),
        capability: found.capability,
    };
    Ok(Admission::Call(Box::new(Call {
        id: request.id,
        era: request.era,
        target: found.target,
        task,
        hears: request.hears,
        flight: None,
        asking,
        detached,
        accepted: None,
        ear: None,
        began,
    })))
}

fn trace(params: &Params<'_>) -> TraceParent {
    params
        .meta
        .traceparent
        .as_deref()
        .and_then(|text| text.parse::<TraceParent>().ok())
        .map_or_else(TraceParent::random, TraceParent::child)
}

/// The idempotency key, of the header or of `_meta`.
fn key<'a>(request: &'a Request<'_>) -> Result<Option<&'a str>, Fault> {
    let header = match request.headers {
        Some(headers) => headers::single(headers, headers::IDEMPOTENCY_KEY)
            .map_err(|fault| Fault::InvalidParams(fault.to_string()))?,
        None => None,
    };
    Ok(header.or(request.params.meta.idempotency_key.as_deref()))
}

fn idempotency(
    request: &Request<'_>,
    arguments: Option<Value>,
) -> Result<Option<Idempotency>, Fault> {
    let Some(key) = key(request)? else {
        return Ok(None);
    };
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(Fault::InvalidParams(format!(
            "an idempotency key has 1 to {LONGEST_KEY} bytes, this one has {}",
            key.len()
        )));
    }
    let arguments = match arguments {
        Some(arguments) => arguments,
        None => whole(request)?,
    };
    Ok(Some(Idempotency {
        key: key.to_owned(),
        arguments: schema::hash(&arguments),
    }))
}

/// Method and params without `_meta`: a key that was used for one method means nothing to another.
fn whole(request: &Request<'_>) -> Result<Value, Fault> {
    let text = request.raw.map_or("{}", RawValue::get);
    let mut params: Value = serde_json::from_str(text)
        .map_err(|error| Fault::InvalidParams(format!("params cannot be read: {error}")))?;
    if let Value::Object(members) = &mut params {
        members.remove("_meta");
    }
    Ok(Value::from(vec![request.feature.method().into(), params]))
}

/// The data of the task: `{"method":…,"params":…,"client":…}` with the params to the letter, but
/// for the name of a capability that is offered under another one than its function knows.
fn compose(request: &Request<'_>, found: &Found<'_>) -> Bytes {
    let renamed;
    let params = match (request.raw, found.renamed) {
        (Some(raw), Some(name)) => {
            renamed = replace(raw, name, &Value::from(&*found.target.declared).to_string());
            renamed.as_str()
        }
        (Some(raw), None) => raw.get(),
        (None, _) => "{}",
    };
    let mut data = String::with_capacity(params.len() + request.client.len() + 112);
    data.push_str(r#"{"method":""#);
    data.push_str(request.feature.method());
    data.push_str(r#"","params":"#);
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

#[cfg(test)]
mod tests;
