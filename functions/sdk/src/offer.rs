//! What a function offers at the moment, and how it tells the platform that this changed.

use std::collections::BTreeSet;

use bytes::Bytes;
use dormouse_contract::announcement::{CAPABILITIES_CHANGED, RESOURCE_UPDATED, ResourceUpdated};

use crate::context::Context;
use crate::error::ToolError;
use crate::function::Function;

/// One capability of a function. A text alone names a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offer<'a> {
    /// A tool, by its name.
    Tool(&'a str),
    /// A prompt, by its name.
    Prompt(&'a str),
    /// A resource, by its URI.
    Resource(&'a str),
    /// A resource template, by its URI template.
    Template(&'a str),
}

impl<'a> From<&'a str> for Offer<'a> {
    fn from(name: &'a str) -> Self {
        Self::Tool(name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Tool,
    Prompt,
    Resource,
    Template,
}

impl<'a> Offer<'a> {
    fn key(self) -> (Kind, &'a str) {
        match self {
            Self::Tool(name) => (Kind::Tool, name),
            Self::Prompt(name) => (Kind::Prompt, name),
            Self::Resource(uri) => (Kind::Resource, uri),
            Self::Template(uri) => (Kind::Template, uri),
        }
    }
}

/// What is not offered at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hidden(BTreeSet<(Kind, String)>);

impl Hidden {
    /// What a function declares as hidden.
    pub(crate) fn of(function: &Function) -> Self {
        let tools = function.tools.iter().filter(|tool| tool.hidden);
        let prompts = function.prompts.iter().filter(|prompt| prompt.hidden);
        let resources = function.resources.iter().filter(|resource| resource.hidden);
        let templates = function.templates.iter().filter(|template| template.hidden);
        let offers = tools
            .map(|tool| Offer::Tool(tool.name()))
            .chain(prompts.map(|prompt| Offer::Prompt(prompt.name())))
            .chain(resources.map(|resource| Offer::Resource(resource.uri())))
            .chain(templates.map(|template| Offer::Template(template.uri())));
        let mut hidden = Self::default();
        offers.for_each(|offer| hidden.set(offer, true));
        hidden
    }

    pub(crate) fn has(&self, offer: Offer<'_>) -> bool {
        let (kind, name) = offer.key();
        self.0.contains(&(kind, name.to_owned()))
    }

    pub(crate) fn set(&mut self, offer: Offer<'_>, hidden: bool) {
        let (kind, name) = offer.key();
        match hidden {
            true => self.0.insert((kind, name.to_owned())),
            false => self.0.remove(&(kind, name.to_owned())),
        };
    }
}

impl Context {
    /// Tells the platform that a resource changed, so that those who subscribed to it read it
    /// again. Returns when the platform has taken it; where there is no platform, at once.
    ///
    /// # Errors
    /// [`ToolError::Retryable`], when the platform did not take it.
    pub async fn resource_updated(&self, uri: impl Into<String>) -> Result<(), ToolError> {
        let data = serde_json::to_vec(&ResourceUpdated { uri: uri.into() })?;
        self.announce(RESOURCE_UPDATED, data.into()).await
    }

    /// Shows a capability, or hides it, and tells the platform all that is offered now; nothing
    /// happens when it is so already. Returns when the platform has taken it.
    ///
    /// What is shown lasts as long as this process: declare with [`Tool::hidden`](crate::Tool::hidden)
    /// and its siblings what is not offered from the start. Hidden means not listed: a call that
    /// comes all the same is answered, because another instance may have shown it.
    ///
    /// ```
    /// use dormouse_function::{Context, Function, NoArguments, Offer, Tool, ToolError};
    ///
    /// async fn unlock(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    ///     cx.offer("secret", true).await?;
    ///     cx.offer(Offer::Prompt("riddle"), false).await?;
    ///     Ok("There is a new tool.")
    /// }
    ///
    /// async fn secret(_: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    ///     Ok("psst")
    /// }
    ///
    /// let function = Function::new("riddles")
    ///     .tool("unlock", "Solve the riddle.", unlock)
    ///     .with_tool(Tool::new("secret", "Hear the secret.", secret).hidden());
    /// # assert_eq!(function.manifest().unwrap().tools.len(), 1);
    /// ```
    ///
    /// # Errors
    /// [`ToolError::Retryable`], when the platform did not take it; [`ToolError::Internal`], when
    /// the function has no such capability.
    pub async fn offer<'a>(
        &self,
        offer: impl Into<Offer<'a>>,
        shown: bool,
    ) -> Result<(), ToolError> {
        let Some(service) = self.service() else {
            return Ok(());
        };
        match service.offer(offer.into(), shown)? {
            Some(manifest) => self.announce(CAPABILITIES_CHANGED, manifest).await,
            None => Ok(()),
        }
    }

    async fn announce(&self, ty: &'static str, data: Bytes) -> Result<(), ToolError> {
        let Some(outlet) = self.outlet() else {
            return Ok(());
        };
        let sent = outlet.announce(ty, data).await;
        sent.map_err(|error| ToolError::retryable(format!("a change was not announced: {error}")))
    }
}
