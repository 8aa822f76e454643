//! How a client is asked what its request asks, and whether it follows the request as a task.

use dormouse_contract::manifest::TaskSupport;

use super::{Found, Request, key};
use crate::call::Retry;
use crate::era::Era;
use crate::error::Fault;
use crate::feature::Feature;
use crate::follow::Asking;
use crate::suspension::state::{Keys, Owner, Round};
use crate::suspension::{asks, responses};
use crate::tasks;

/// Whether a legacy client follows a call as a task.
///
/// # Errors
/// -32601 where the tool demands it, or does not offer it ("Tool-Level Negotiation").
pub(super) fn is_detached(request: &Request<'_>, found: &Found<'_>) -> Result<bool, Fault> {
    let wanted = match (request.era, request.feature) {
        (Era::Legacy(revision), Feature::Tool) if revision.has_tasks() => {
            request.params.task.is_some()
        }
        // A member that the revision or the method does not know.
        (
            Era::Legacy(_) | Era::Modern,
            Feature::Tool | Feature::Prompt | Feature::Resource | Feature::Completion,
        ) => return Ok(false),
    };
    let name = &found.target.name;
    match (found.task_support, wanted) {
        (TaskSupport::Optional, wanted) => Ok(wanted),
        (TaskSupport::Required, true) => Ok(true),
        (TaskSupport::Forbidden, false) => Ok(false),
        (TaskSupport::Required, false) => Err(Fault::TaskRequired(name.to_string())),
        (TaskSupport::Forbidden, true) => Err(Fault::TaskForbidden(name.to_string())),
    }
}

/// How the client is asked.
///
/// # Errors
/// When the tool's calls are tasks and a modern client cannot follow those.
pub(super) fn way(request: &Request<'_>, found: &Found<'_>) -> Result<Asking, Fault> {
    if let Era::Legacy(_) = request.era {
        return Ok(Asking::Requests { as_task: false });
    }
    let declared = || tasks::modern::is_declared(request.params.meta.capabilities);
    let may_defer = match found.task_support {
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

/// A request that comes back with what it was asked.
///
/// # Errors
/// When the state was not made for it, or there are several keys.
pub(super) fn retry(
    keys: &Keys,
    request: &Request<'_>,
    found: &Found<'_>,
    state: &str,
    asking: Asking,
) -> Result<Retry, Fault> {
    let owner = Owner {
        principal: request.principal,
        method: request.feature.method(),
        capability: &found.capability,
        digest: &asks::digest(request.raw),
    };
    let Round { task, .. } = keys.open(state, owner).ok_or(Fault::ForeignState)?;
    Ok(Retry {
        id: request.id.clone(),
        era: request.era,
        target: found.target.clone(),
        task,
        has_key: key(request)?.is_some(),
        hears: request.hears.clone(),
        flight: None,
        asking,
    })
}
