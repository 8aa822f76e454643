//! `prompts/get`: the arguments are strings, and none that the prompt needs is missing.

use serde_json::Value;

use super::{Found, Request};
use crate::catalogue::Catalogue;
use crate::error::Fault;
use crate::schema;

pub(super) fn check<'a>(catalogue: &Catalogue, request: &Request<'a>) -> Result<Found<'a>, Fault> {
    let params = request.params;
    let name = params.needed_name()?;
    let prompt = catalogue
        .prompt(name)
        .ok_or_else(|| Fault::UnknownPrompt(name.to_owned()))?;
    let arguments = schema::read_arguments(params.arguments)?;
    let mut problems: Vec<String> = prompt
        .required
        .iter()
        .filter(|argument| arguments.get(argument.as_str()).is_none())
        .map(|argument| format!("`{argument}` is missing"))
        .collect();
    problems.extend(no_strings(&arguments));
    if problems.is_empty() {
        return Ok(Found::named(&prompt.target, params.raw_name));
    }
    Err(Fault::InvalidParams(format!(
        "Invalid arguments for prompt {name}: {}",
        problems.join("; ")
    )))
}

/// A problem for each member that is no string.
pub(super) fn no_strings(arguments: &Value) -> Vec<String> {
    let members = arguments.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| !value.is_string())
        .map(|(name, _)| format!("`{name}` must be a string"))
        .collect()
}
