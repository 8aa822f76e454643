//! The resources and resource templates of the catalogue.
//!
//! A URI means one thing: who registered it first keeps it, and the other is left out. A URI that
//! is no resource's belongs to the template that matches it with the most literal characters, and
//! among equals to the older one.

use std::collections::HashMap;
use std::sync::Arc;

use dormouse_contract::registration::Registration;
use serde::Deserialize;

use super::list::{Kind, List};
use super::remark::{About, Remark};
use super::target::{Intake, Target};
use super::uri_template::UriTemplate;
use crate::feature::Feature;

/// A resource, or all the resources of a template.
#[derive(Debug)]
pub struct Resource {
    /// Where reads go.
    pub target: Arc<Target>,
    /// Where completions of a template's variables come from.
    pub completion: Arc<Target>,
}

/// All resources and templates.
#[derive(Debug)]
pub struct Resources {
    /// In the order of registration.
    pub(super) all: Vec<Resource>,
    by_uri: HashMap<Arc<str>, usize>,
    pub(super) list: List,
    /// In the order of registration.
    pub(super) templates: Vec<Template>,
    by_template: HashMap<Arc<str>, usize>,
    pub(super) template_list: List,
}

/// A template and its resources.
#[derive(Debug)]
pub(super) struct Template {
    pattern: UriTemplate,
    pub(super) resource: Resource,
}

/// The members of an MCP `Resource` that are read here.
#[derive(Deserialize)]
struct ResourceView {
    uri: String,
}

/// The members of an MCP `ResourceTemplate` that are read here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateView {
    uri_template: String,
}

impl Resources {
    pub(super) fn build(
        registrations: &[Arc<Registration>],
        page_size: usize,
        remarks: &mut Vec<Remark>,
    ) -> Self {
        let (mut objects, mut template_objects) = (Vec::new(), Vec::new());
        let mut this = Self {
            all: Vec::new(),
            by_uri: HashMap::new(),
            list: List::new(Kind::Resources, &[], page_size),
            templates: Vec::new(),
            by_template: HashMap::new(),
            template_list: List::new(Kind::Templates, &[], page_size),
        };
        for registration in registrations {
            this.take_resources(registration, &mut objects, remarks);
            this.take_templates(registration, &mut template_objects, remarks);
        }
        this.list = List::new(Kind::Resources, &objects, page_size);
        this.template_list = List::new(Kind::Templates, &template_objects, page_size);
        this
    }

    fn take_resources(
        &mut self,
        registration: &Registration,
        objects: &mut Vec<String>,
        remarks: &mut Vec<Remark>,
    ) {
        let mut intake = Intake::new(registration, About::Resource, remarks);
        for (index, raw) in registration.manifest.resources.iter().enumerate() {
            let uri = match serde_json::from_str::<ResourceView>(raw.get()) {
                Ok(view) => view.uri,
                Err(error) => {
                    let why = format!("it is no MCP resource: {error}");
                    intake.leave_out(&format!("#{index}"), &why);
                    continue;
                }
            };
            if !intake.takes(index, &uri) {
                continue;
            }
            if let Some(owner) = self.by_uri.get(&*uri) {
                let why = taken(&self.all[*owner]);
                intake.leave_out(&uri, &why);
                continue;
            }
            let resource = Resource::new(registration, &uri);
            self.by_uri.insert(resource.name().clone(), self.all.len());
            self.all.push(resource);
            objects.push(raw.get().to_owned());
        }
    }

    fn take_templates(
        &mut self,
        registration: &Registration,
        objects: &mut Vec<String>,
        remarks: &mut Vec<Remark>,
    ) {
        let mut intake = Intake::new(registration, About::ResourceTemplate, remarks);
        for (index, raw) in registration.manifest.resource_templates.iter().enumerate() {
            let template = match serde_json::from_str::<TemplateView>(raw.get()) {
                Ok(view) => view.uri_template,
                Err(error) => {
                    let why = format!("it is no MCP resource template: {error}");
                    intake.leave_out(&format!("#{index}"), &why);
                    continue;
                }
            };
            if !intake.takes(index, &template) {
                continue;
            }
            if let Some(owner) = self.by_template.get(&*template) {
                let why = taken(&self.templates[*owner].resource);
                intake.leave_out(&template, &why);
                continue;
            }
            let pattern = match UriTemplate::parse(&template) {
                Ok(pattern) => pattern,
                Err(why) => {
                    intake.leave_out(&template, &format!("it is no URI template: {why}"));
                    continue;
                }
            };
            let resource = Resource::new(registration, &template);
            self.by_template
                .insert(resource.name().clone(), self.templates.len());
            self.templates.push(Template { pattern, resource });
            objects.push(raw.get().to_owned());
        }
    }

    /// What is read at this URI.
    pub(super) fn at(&self, uri: &str) -> Option<&Resource> {
        match self.by_uri.get(uri) {
            Some(place) => self.all.get(*place),
            None => self.template_of(uri),
        }
    }

    fn template_of(&self, uri: &str) -> Option<&Resource> {
        self.templates
            .iter()
            .filter(|template| template.pattern.matches(uri))
            .reduce(|best, other| {
                if other.pattern.literals() > best.pattern.literals() {
                    other
                } else {
                    best
                }
            })
            .map(|template| &template.resource)
    }

    /// What a completion's reference means: a template to the letter, or any URI that is offered.
    pub(super) fn referred(&self, uri: &str) -> Option<&Resource> {
        match self.by_template.get(uri) {
            Some(place) => Some(&self.templates[*place].resource),
            None => self.at(uri),
        }
    }
}

impl Resource {
    fn new(registration: &Registration, uri: &str) -> Self {
        let target = |feature| Target::repeatable(feature, registration, uri, uri);
        Self {
            target: target(Feature::Resource),
            completion: target(Feature::Completion),
        }
    }

    fn name(&self) -> &Arc<str> {
        &self.target.name
    }
}

fn taken(owner: &Resource) -> String {
    format!("pool `{}` registered it before", owner.target.pool)
}
