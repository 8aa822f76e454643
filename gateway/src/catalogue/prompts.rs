//! The prompts of the catalogue.

use std::collections::HashMap;
use std::sync::Arc;

use dormouse_contract::registration::Registration;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::list::{Kind, List};
use super::remark::{About, Remark};
use super::target::{Intake, Target, offered_object};
use crate::feature::Feature;
use crate::names;

/// A prompt that can be got.
#[derive(Debug)]
pub struct Prompt {
    /// Where requests for it go.
    pub target: Arc<Target>,
    /// Where completions of its arguments come from.
    pub completion: Arc<Target>,
    /// The arguments that it cannot do without.
    pub required: Vec<String>,
}

/// All prompts.
#[derive(Debug)]
pub struct Prompts {
    pub(super) all: Vec<Arc<Prompt>>,
    by_name: HashMap<Arc<str>, Arc<Prompt>>,
    pub(super) list: List,
}

/// The members of an MCP `Prompt` that are read here.
#[derive(Deserialize)]
struct View {
    name: String,
    #[serde(default)]
    arguments: Option<Vec<Argument>>,
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    #[serde(default)]
    required: Option<bool>,
}

struct Candidate<'a> {
    registration: &'a Registration,
    raw: &'a RawValue,
    view: View,
}

impl Prompts {
    pub(super) fn build(
        registrations: &[Arc<Registration>],
        page_size: usize,
        remarks: &mut Vec<Remark>,
    ) -> Self {
        let mut candidates = Vec::new();
        for registration in registrations {
            collect(registration, &mut candidates, remarks);
        }
        let pairs: Vec<_> = candidates
            .iter()
            .map(|one| (&*one.registration.pool, one.view.name.as_str()))
            .collect();
        let names = names::offer(&pairs);
        let mut all = Vec::with_capacity(candidates.len());
        let mut objects = Vec::with_capacity(candidates.len());
        for (candidate, name) in candidates.into_iter().zip(names) {
            objects.push(offered_object(candidate.raw, &candidate.view.name, &name));
            all.push(Arc::new(candidate.into_prompt(&name, remarks)));
        }
        Self {
            by_name: all
                .iter()
                .map(|prompt| (prompt.target.name.clone(), prompt.clone()))
                .collect(),
            list: List::new(Kind::Prompts, &objects, page_size),
            all,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Prompt>> {
        self.by_name.get(name)
    }
}

fn collect<'a>(
    registration: &'a Registration,
    candidates: &mut Vec<Candidate<'a>>,
    remarks: &mut Vec<Remark>,
) {
    let mut intake = Intake::new(registration, About::Prompt, remarks);
    for (index, raw) in registration.manifest.prompts.iter().enumerate() {
        match serde_json::from_str::<View>(raw.get()) {
            Ok(view) if intake.takes(index, &view.name) => candidates.push(Candidate {
                registration,
                raw,
                view,
            }),
            Ok(_) => {}
            Err(error) => {
                let why = format!("it is no MCP prompt: {error}");
                intake.leave_out(&format!("#{index}"), &why);
            }
        }
    }
}

impl Candidate<'_> {
    fn into_prompt(self, name: &str, remarks: &mut Vec<Remark>) -> Prompt {
        let Self {
            registration, view, ..
        } = self;
        if name != view.name {
            Intake::new(registration, About::Prompt, remarks).renamed(&view.name, name);
        }
        let target = |feature| Target::repeatable(feature, registration, name, &view.name);
        Prompt {
            target: target(Feature::Prompt),
            completion: target(Feature::Completion),
            required: view
                .arguments
                .unwrap_or_default()
                .into_iter()
                .filter(|argument| argument.required == Some(true))
                .map(|argument| argument.name)
                .collect(),
        }
    }
}
