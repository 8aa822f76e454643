//! `tools/call`: the arguments fit the tool's schema, and headers mirror those that are marked.

use std::time::Instant;

use super::{Checked, Found, Request};
use crate::answer::Reply;
use crate::catalogue::Catalogue;
use crate::era::Era;
use crate::error::Fault;
use crate::headers;
use crate::meters::CallOutcome;
use crate::schema;

pub(super) fn check<'a>(
    catalogue: &Catalogue,
    request: &Request<'a>,
    began: Instant,
) -> Result<Checked<'a>, Fault> {
    let params = request.params;
    let name = params.needed_name()?;
    let tool = catalogue
        .tool(name)
        .ok_or_else(|| Fault::UnknownTool(name.to_owned()))?;
    let arguments = schema::read_arguments(params.arguments)?;
    if let (Era::Modern, Some(headers)) = (request.era, request.headers)
        && request.mirrors
    {
        headers::check_params(headers, &tool.mirrored, &arguments)?;
    }
    let problems = tool.schema.problems(&arguments);
    if problems.is_empty() {
        return Ok(Checked::Good(Found {
            arguments: Some(arguments),
            task_support: tool.task_support,
            ..Found::named(&tool.target, params.raw_name)
        }));
    }
    tool.target.meters.count(CallOutcome::Invalid, began);
    let message = format!("Invalid arguments for tool {name}: {}", problems.join("; "));
    if request.era.tells_models_of_bad_arguments() {
        let reply = Reply::tool_error(&request.id, &message, None, request.era);
        Ok(Checked::Answered(reply))
    } else {
        Err(Fault::InvalidParams(message))
    }
}
