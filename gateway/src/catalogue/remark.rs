//! What people see of the catalogue: what is offered, and what is the matter with the rest.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that people should know about the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// The pool.
    pub pool: String,
    /// What it is about.
    #[serde(flatten)]
    pub about: About,
    /// What is the matter and what came of it.
    pub remark: String,
}

/// What a remark is about, by its declared name or URI, or by its place in the manifest (`#0`)
/// where it has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum About {
    /// A tool.
    Tool(String),
    /// A prompt.
    Prompt(String),
    /// A resource.
    Resource(String),
    /// A resource template.
    ResourceTemplate(String),
}

impl fmt::Display for About {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::Tool(name) => ("tool", name),
            Self::Prompt(name) => ("prompt", name),
            Self::Resource(uri) => ("resource", uri),
            Self::ResourceTemplate(template) => ("resource template", template),
        };
        write!(out, "{kind} {name}")
    }
}

/// One line of the catalogue as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The name it is offered under.
    pub name: String,
    /// The name its function knows it by.
    pub declared: String,
    /// Its pool.
    pub pool: String,
}

/// One resource or resource template as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The URI, or the template of URIs.
    pub uri: String,
    /// Its pool.
    pub pool: String,
}

/// Everything that is offered, as `GET /catalogue` of the admin door tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueView {
    /// Every tool, in the order of registration, as all others.
    pub tools: Vec<Entry>,
    /// Every prompt.
    pub prompts: Vec<Entry>,
    /// Every resource.
    pub resources: Vec<Place>,
    /// Every resource template.
    pub resource_templates: Vec<Place>,
    /// What collided or was left out.
    pub remarks: Vec<Remark>,
}
