//! How a function describes itself, and what of it could not be offered.

use std::collections::HashSet;

use dormouse_contract::Manifest;
use dormouse_contract::filter::Trigger;
use dormouse_contract::manifest::CONTRACT;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::StartError;
use crate::function::{Function, check_name};
use crate::offer::{Hidden, Offer};
use crate::reaction;
use crate::tool::Tool;

type Described = Result<Vec<Box<RawValue>>, StartError>;

impl Function {
    /// How the function describes itself.
    ///
    /// # Errors
    /// A capability that no client could use.
    pub fn manifest(&self) -> Result<Manifest, StartError> {
        self.manifest_without(&Hidden::of(self))
    }

    /// The same without what is hidden.
    pub(crate) fn manifest_without(&self, hidden: &Hidden) -> Result<Manifest, StartError> {
        self.check()?;
        let shows = |offer: Offer<'_>| !hidden.has(offer);
        let tools: Described = self
            .tools
            .iter()
            .filter(|tool| shows(Offer::Tool(tool.name())))
            .map(Tool::describe)
            .collect();
        let prompts = || {
            let prompts = self.prompts.iter();
            prompts.filter(|prompt| shows(Offer::Prompt(prompt.name())))
        };
        let resources = self.resources.iter();
        let resources: Described = resources
            .filter(|resource| shows(Offer::Resource(resource.uri())))
            .map(|resource| resource.describe())
            .collect();
        let templates = || {
            let templates = self.templates.iter();
            templates.filter(|template| shows(Offer::Template(template.uri())))
        };
        let of_prompts = prompts().flat_map(|prompt| {
            let reference = json!({"type": "ref/prompt", "name": prompt.name()});
            let arguments = prompt.completions.arguments();
            arguments.map(move |argument| json!({"ref": reference, "argument": argument}))
        });
        let of_templates = templates().flat_map(|template| {
            let reference = json!({"type": "ref/resource", "uri": template.uri()});
            let arguments = template.completions.arguments();
            arguments.map(move |argument| json!({"ref": reference, "argument": argument}))
        });
        let completions = of_prompts.chain(of_templates);
        let triggers = reaction::triggers(&self.reactions);
        Ok(Manifest {
            contract: CONTRACT,
            pool: self.name.clone(),
            agent_type: self.agent_type.clone(),
            version: self.version.clone(),
            marked: true,
            tools: tools?,
            prompts: prompts()
                .map(|prompt| prompt.describe())
                .collect::<Described>()?,
            resources: resources?,
            resource_templates: templates()
                .map(|template| template.describe())
                .collect::<Described>()?,
            completions: completions
                .map(|completion| to_raw_value(&completion).map_err(std::io::Error::from))
                .collect::<Result<_, _>>()?,
            triggers: triggers
                .iter()
                .enumerate()
                .map(describe)
                .collect::<Described>()?,
        })
    }

    /// What can be checked without making schemas.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        check_name(&self.name)?;
        self.tools.iter().try_for_each(Tool::check_name)?;
        self.prompts.iter().try_for_each(|prompt| prompt.check())?;
        self.resources
            .iter()
            .try_for_each(|resource| resource.check())?;
        self.templates
            .iter()
            .try_for_each(|template| template.check())?;
        let twice = "there are two of this name";
        if let Some(tool) = repeated(self.tools.iter().map(Tool::name)) {
            return Err(StartError::Tool {
                tool: tool.to_owned(),
                reason: twice.to_owned(),
            });
        }
        let prompts = repeated(self.prompts.iter().map(|prompt| prompt.name()));
        let resources = repeated(self.resources.iter().map(|resource| resource.uri()));
        let templates = repeated(self.templates.iter().map(|template| template.uri()));
        for (what, name) in [
            ("prompt", prompts),
            ("resource", resources),
            ("resource template", templates),
        ] {
            if let Some(name) = name {
                return Err(StartError::Capability {
                    what,
                    name: name.to_owned(),
                    reason: twice.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// A trigger that reads back as one: filters that are made by hand may break Knative's rules.
fn describe((index, trigger): (usize, &Trigger)) -> Result<Box<RawValue>, StartError> {
    let written = to_raw_value(trigger).map_err(std::io::Error::from)?;
    match serde_json::from_str::<Trigger>(written.get()) {
        Ok(_) => Ok(written),
        Err(error) => Err(StartError::Capability {
            what: "the trigger of reaction",
            name: index.to_string(),
            reason: error.to_string(),
        }),
    }
}

fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}
