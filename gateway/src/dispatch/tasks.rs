//! Requests about tasks, as each era has them.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::Outcome;
use crate::era::{Era, Params};
use crate::error::Fault;
use crate::flights::Flights;
use crate::hears::Hears;
use crate::jsonrpc::{RequestId, for_each_member};
use crate::method::TaskMethod;
use crate::run::Run;
use crate::tasks::request::{Request, Verb};
use crate::tasks::{self, id_in};

/// A request as it came.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub era: Era,
    pub id: &'a RequestId,
    /// The method's name.
    pub name: &'a str,
    pub raw: Option<&'a RawValue>,
    pub params: &'a Params<'a>,
}

fn cursor(params: &Params<'_>) -> Result<Option<dormouse_broker::TaskId>, Fault> {
    let cursor = params.cursor.as_deref().map(str::parse).transpose();
    cursor.map_err(|_| Fault::InvalidParams("params.cursor is no cursor of this list".to_owned()))
}

/// The `taskId` of params, for the header that mirrors it.
pub(super) fn name_of(raw: Option<&RawValue>) -> Option<String> {
    let mut id = None;
    // What is no object was refused before.
    let _ = for_each_member(raw?, |name, value| {
        if name == "taskId" {
            id = serde_json::from_str(value.get()).ok();
        }
    });
    id
}

/// A request about tasks.
///
/// # Errors
/// -32601 when the era does not have the method, -32021 when a modern client did not declare the
/// extension, -32602 when the params are wrong.
pub(super) fn serve(
    asked: Asked<'_>,
    method: TaskMethod,
    hears: Hears,
    flights: Option<&Arc<Flights>>,
) -> Result<Outcome, Fault> {
    let Asked {
        era,
        id,
        name,
        raw,
        params,
    } = asked;
    let unknown = || Fault::UnknownMethod(name.to_owned());
    if let Era::Legacy(revision) = era
        && !revision.has_tasks()
    {
        return Err(unknown());
    }
    let declared = || match era {
        Era::Modern if !tasks::modern::is_declared(params.meta.capabilities) => {
            Err(tasks::modern::missing())
        }
        Era::Modern | Era::Legacy(_) => Ok(()),
    };
    let verb = match (method, era) {
        (TaskMethod::List, Era::Legacy(_)) => Verb::List(cursor(params)?),
        (TaskMethod::Result, Era::Legacy(_)) => Verb::Result(id_in(raw)?),
        (TaskMethod::List | TaskMethod::Result, Era::Modern)
        | (TaskMethod::Update, Era::Legacy(_)) => return Err(unknown()),
        (TaskMethod::Get, _) => {
            declared()?;
            Verb::Get(id_in(raw)?)
        }
        (TaskMethod::Cancel, _) => {
            declared()?;
            Verb::Cancel(id_in(raw)?)
        }
        (TaskMethod::Update, Era::Modern) => {
            declared()?;
            let responses = params.input_responses.ok_or_else(|| {
                Fault::InvalidParams("params.inputResponses is missing".to_owned())
            })?;
            Verb::Update(id_in(raw)?, responses.to_owned())
        }
    };
    let flight = flights.map(|flights| flights.begin(id)).transpose()?;
    Ok(Outcome::Run(Run::Task(Box::new(Request {
        id: id.clone(),
        era,
        verb,
        hears,
        flight,
    }))))
}
