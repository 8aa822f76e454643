//! How a function describes itself.

use dormouse_contract::Manifest;
use dormouse_contract::manifest::CONTRACT;
use serde_json::value::to_raw_value;

use crate::error::StartError;
use crate::function::Function;
use crate::tool::Tool;

pub(crate) fn describe(function: &Function) -> Result<Manifest, StartError> {
    let tools: Result<Vec<_>, _> = function.tools.iter().map(Tool::describe).collect();
    let triggers = function
        .reactions
        .iter()
        .map(|reaction| to_raw_value(reaction.trigger()).map_err(std::io::Error::from));
    Ok(Manifest {
        contract: CONTRACT,
        pool: function.name.clone(),
        agent_type: function.agent_type.clone(),
        version: function.version.clone(),
        tools: tools?,
        prompts: Vec::new(),
        resources: Vec::new(),
        resource_templates: Vec::new(),
        completions: Vec::new(),
        triggers: triggers.collect::<Result<_, _>>()?,
    })
}
