//! The catalogue: every tool, prompt, resource and resource template of every pool, under unique
//! names, in pages ready to be sent.
//!
//! Built when the registrations change, never on the way of a call. What is wrong with one
//! capability is told and leaves that one out, not the others.

mod list;
mod prompts;
mod remark;
mod resources;
mod target;
mod tools;
mod uri_template;

use std::sync::Arc;

use dormouse_contract::registration::Registration;

use crate::error::Fault;
use crate::search::Search;

pub use list::Kind;
pub use prompts::Prompt;
use prompts::Prompts;
pub use remark::{About, CatalogueView, Entry, Place, Remark};
pub use resources::Resource;
use resources::Resources;
pub use target::Target;
pub use tools::Tool;
use tools::Tools;

/// Everything that is offered at one moment.
#[derive(Debug)]
pub struct Catalogue {
    tools: Tools,
    prompts: Prompts,
    resources: Resources,
    search: Search,
    remarks: Vec<Remark>,
}

/// What the lists of a catalogue say, in short: equal ones list the same in the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprints {
    /// `tools/list`
    pub tools: u64,
    /// `prompts/list`
    pub prompts: u64,
    /// `resources/list` and `resources/templates/list`
    pub resources: (u64, u64),
}

impl Fingerprints {
    /// Those of lists that are none of these.
    #[must_use]
    pub fn others(self) -> Self {
        Self {
            tools: !self.tools,
            prompts: !self.prompts,
            resources: (!self.resources.0, !self.resources.1),
        }
    }
}

impl Catalogue {
    /// The catalogue of these registrations, with at most `page_size` objects a page; schemas
    /// that `before` has compiled are taken over.
    #[must_use]
    pub fn build(
        registrations: &[Arc<Registration>],
        page_size: usize,
        before: Option<&Self>,
    ) -> Self {
        let mut remarks = Vec::new();
        let tools_before = before.map(|before| &before.tools);
        let tools = Tools::build(registrations, page_size, tools_before, &mut remarks);
        Self {
            search: search_beside(&tools, &mut remarks),
            tools,
            prompts: Prompts::build(registrations, page_size, &mut remarks),
            resources: Resources::build(registrations, page_size, &mut remarks),
            remarks,
        }
    }

    /// The tool that is offered under this name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.get(name)
    }

    /// The two tools that stand for all others where contexts are to stay small.
    #[must_use]
    pub fn search(&self) -> &Search {
        &self.search
    }

    /// Every tool's MCP object, in the order of registration.
    #[must_use]
    pub fn tool_objects(&self) -> Vec<&str> {
        self.tools.all.iter().map(|tool| &*tool.object).collect()
    }

    /// The prompt that is offered under this name.
    #[must_use]
    pub fn prompt(&self, name: &str) -> Option<&Arc<Prompt>> {
        self.prompts.get(name)
    }

    /// The resource at this URI, or the template that it belongs to.
    #[must_use]
    pub fn resource(&self, uri: &str) -> Option<&Resource> {
        self.resources.at(uri)
    }

    /// The template with exactly this text, or what [`Self::resource`] finds.
    #[must_use]
    pub fn resource_reference(&self, uri: &str) -> Option<&Resource> {
        self.resources.referred(uri)
    }

    /// The members of a list's result: the objects, and `"nextCursor"` when more follow.
    ///
    /// # Errors
    /// When the cursor is none of this list's.
    pub fn page(&self, kind: Kind, cursor: Option<&str>) -> Result<&str, Fault> {
        let list = match kind {
            Kind::Tools => &self.tools.list,
            Kind::Prompts => &self.prompts.list,
            Kind::Resources => &self.resources.list,
            Kind::Templates => &self.resources.template_list,
        };
        list.page(cursor)
    }

    /// What the lists say, in short.
    #[must_use]
    pub fn fingerprints(&self) -> Fingerprints {
        Fingerprints {
            tools: self.tools.list.fingerprint(),
            prompts: self.prompts.list.fingerprint(),
            resources: (
                self.resources.list.fingerprint(),
                self.resources.template_list.fingerprint(),
            ),
        }
    }

    /// Every tool, in the order of registration.
    #[must_use]
    pub fn tools(&self) -> Vec<Entry> {
        self.tools
            .all
            .iter()
            .map(|tool| entry(&tool.target))
            .collect()
    }

    /// Every prompt, in the order of registration.
    #[must_use]
    pub fn prompts(&self) -> Vec<Entry> {
        self.prompts
            .all
            .iter()
            .map(|prompt| entry(&prompt.target))
            .collect()
    }

    /// Every resource, in the order of registration.
    #[must_use]
    pub fn resources(&self) -> Vec<Place> {
        self.resources.all.iter().map(place).collect()
    }

    /// Every resource template, in the order of registration.
    #[must_use]
    pub fn templates(&self) -> Vec<Place> {
        self.resources
            .templates
            .iter()
            .map(|template| place(&template.resource))
            .collect()
    }

    /// All of it, as people see it.
    #[must_use]
    pub fn view(&self) -> CatalogueView {
        CatalogueView {
            tools: self.tools(),
            prompts: self.prompts(),
            resources: self.resources(),
            resource_templates: self.templates(),
            remarks: self.remarks.clone(),
        }
    }

    /// What people should know: names that collided, capabilities that were left out.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }
}

fn search_beside(tools: &Tools, remarks: &mut Vec<Remark>) -> Search {
    let names: Vec<(&str, &str)> = tools
        .all
        .iter()
        .map(|tool| (&*tool.target.pool, &*tool.target.name))
        .collect();
    let (search, renamed) = Search::beside(&names);
    remarks.extend(renamed.into_iter().map(|(name, offered)| Remark {
        pool: "dormouse".to_owned(),
        about: About::Tool(name.to_owned()),
        remark: format!("in search mode offered as `{offered}`: a pool declares `{name}`"),
    }));
    search
}

fn entry(target: &Target) -> Entry {
    Entry {
        name: target.name.to_string(),
        declared: target.declared.to_string(),
        pool: target.pool.to_string(),
    }
}

fn place(resource: &Resource) -> Place {
    Place {
        uri: resource.target.name.to_string(),
        pool: resource.target.pool.to_string(),
    }
}

#[cfg(test)]
mod tests;
