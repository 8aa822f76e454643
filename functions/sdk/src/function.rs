//! The function: what it offers.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::contents::IntoContents;
use crate::context::Context;
use crate::error::{StartError, ToolError};
use crate::event::{FromEvent, IntoEvents};
use crate::prompt::{IntoPromptResult, Prompt};
use crate::reaction::{IntoTrigger, Reaction};
use crate::resource::Resource;
use crate::result::IntoToolResult;
use crate::template::ResourceTemplate;
use crate::tool::Tool;

/// One program that offers capabilities over HTTP and sleeps when idle.
pub struct Function {
    pub(crate) name: String,
    pub(crate) agent_type: String,
    pub(crate) version: String,
    pub(crate) tools: Vec<Tool>,
    pub(crate) reactions: Vec<Reaction>,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) templates: Vec<ResourceTemplate>,
    pub(crate) threads: usize,
}

impl Function {
    /// A function that offers nothing yet. Its name (at most 63 lower-case letters, digits and
    /// hyphens) is what it calls itself; the platform may deploy it under another.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            agent_type: name.clone(),
            name,
            version: String::new(),
            tools: Vec::new(),
            reactions: Vec::new(),
            prompts: Vec::new(),
            resources: Vec::new(),
            templates: Vec::new(),
            threads: 0,
        }
    }

    /// The agent type: `educational`, `github`, `database` or any other word. Default: the name.
    #[must_use]
    pub fn agent_type(mut self, agent_type: impl Into<String>) -> Self {
        self.agent_type = agent_type.into();
        self
    }

    /// The version, usually `env!("CARGO_PKG_VERSION")`. Default: none.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// How many threads run handlers when [`Function::main`] builds the runtime. Default: the
    /// main thread alone, which starts fastest; a handler that computes for long belongs on
    /// `tokio::task::spawn_blocking` all the same, so that others are not held up.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Offers a tool; see [`Tool::new`] for what the parts mean.
    #[must_use]
    pub fn tool<T, R, F, Fut>(
        self,
        name: impl Into<String>,
        description: impl Into<String>,
        handler: F,
    ) -> Self
    where
        T: DeserializeOwned + JsonSchema + 'static,
        R: IntoToolResult + 'static,
        F: Fn(Context, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        self.with_tool(Tool::new(name, description, handler))
    }

    /// Offers a tool with hints or a policy.
    #[must_use]
    pub fn with_tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Offers a prompt; see [`Prompt::new`] for what the parts mean.
    #[must_use]
    pub fn prompt<T, R, F, Fut>(
        self,
        name: impl Into<String>,
        description: impl Into<String>,
        handler: F,
    ) -> Self
    where
        T: DeserializeOwned + JsonSchema + 'static,
        R: IntoPromptResult + 'static,
        F: Fn(Context, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        self.with_prompt(Prompt::new(name, description, handler))
    }

    /// Offers a prompt with a title, icons or completions.
    #[must_use]
    pub fn with_prompt(mut self, prompt: Prompt) -> Self {
        self.prompts.push(prompt);
        self
    }

    /// Offers a resource; see [`Resource::new`] for what the parts mean.
    #[must_use]
    pub fn resource<R, F, Fut>(
        self,
        uri: impl Into<String>,
        name: impl Into<String>,
        handler: F,
    ) -> Self
    where
        R: IntoContents,
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        self.with_resource(Resource::new(uri, name, handler))
    }

    /// Offers a resource of which more is said than its name.
    #[must_use]
    pub fn with_resource(mut self, resource: Resource) -> Self {
        self.resources.push(resource);
        self
    }

    /// Offers all resources of a template. What is a resource of its own is not read through a
    /// template; of several templates that stand for a URI, the one with the most literal
    /// characters is asked.
    #[must_use]
    pub fn with_template(mut self, template: ResourceTemplate) -> Self {
        self.templates.push(template);
        self
    }

    /// Reacts to events of a type that starts with a text, that match a [`Filter`](crate::Filter), or
    /// that a [`Trigger`](crate::Trigger) takes. The first reaction that takes an event gets it.
    ///
    /// The handler takes a [`cloudevents::Event`], or the platform's own [`Event`](crate::Event),
    /// and returns the events that follow from it: `()`, one, an `Option` or a `Vec` of them
    /// ([`IntoEvents`]). The last one is the reply; those before it are sent to `K_SINK` first, so
    /// that each is stored before the event counts as taken.
    ///
    /// ```
    /// use dormouse_function::cloudevents::{self, AttributesReader, EventBuilder};
    /// use dormouse_function::{Context, Function, ToolError};
    /// use serde_json::{Value, json};
    ///
    /// async fn pushed(
    ///     cx: Context,
    ///     mut push: cloudevents::Event,
    /// ) -> Result<Option<cloudevents::Event>, ToolError> {
    ///     let (_, _, Some(data)) = push.take_data() else {
    ///         return Ok(None);
    ///     };
    ///     let data: Value = data.try_into()?;
    ///     let review = cx
    ///         .new_event("org.example.review.wanted")
    ///         .subject(push.source().as_str())
    ///         .data("application/json", json!({"commit": data["after"]}));
    ///     Ok(Some(review.build()?))
    /// }
    ///
    /// let function = Function::new("reviews").on("com.github.push", pushed);
    /// # assert!(function.manifest().is_ok());
    /// ```
    ///
    /// What the handler's error means is told by [`ToolError`]: events may come twice, so all that
    /// can pass is tried again, by the delivery policy of the trigger or pool.
    #[must_use]
    pub fn on<E, R, F, Fut>(mut self, trigger: impl IntoTrigger, handler: F) -> Self
    where
        E: FromEvent,
        R: IntoEvents,
        F: Fn(Context, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        self.reactions.push(Reaction::new(trigger, handler));
        self
    }
}

/// Whether the name can be part of a URL, and of a Kubernetes object's name.
pub(crate) fn check_name(name: &str) -> Result<(), StartError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match (1..=63).contains(&name.len()) && name.bytes().all(allowed) {
        true => Ok(()),
        false => Err(StartError::Name(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use dormouse_contract::filter::Filter;
    use dormouse_contract::{Event, Manifest};

    use super::*;
    use crate::NoArguments;

    async fn nothing(_: Context, _: NoArguments) -> Result<(), ToolError> {
        Ok(())
    }

    #[test]
    fn the_manifest_is_one_that_the_platform_reads() {
        let function = Function::new("hello")
            .agent_type("educational")
            .version("1.2.3")
            .tool("one", "One.", nothing)
            .on("com.github.", async |_cx: Context, _event: Event| Ok(()));
        let json = serde_json::to_vec(&function.manifest().unwrap()).unwrap();
        let manifest = Manifest::parse(&json).unwrap();
        assert_eq!(
            (manifest.agent_type.as_str(), manifest.version.as_str()),
            ("educational", "1.2.3")
        );
        assert_eq!(manifest.parsed_tools().unwrap()[0].name, "one");
        assert_eq!(
            manifest.triggers[0].get(),
            r#"{"filters":[{"prefix":{"type":"com.github."}}]}"#
        );
        assert_eq!(manifest.parsed_triggers().unwrap().len(), 1);
    }

    #[test]
    fn names_that_cannot_be_called_are_told() {
        let twice = Function::new("f")
            .tool("t", "", nothing)
            .tool("t", "", nothing);
        assert!(
            twice
                .manifest()
                .unwrap_err()
                .to_string()
                .contains("two of this name")
        );
        let vague =
            Function::new("f").on(Filter::Any(Vec::new()), async |_: Context, _: Event| Ok(()));
        let error = vague.manifest().unwrap_err().to_string();
        assert!(error.contains("reaction `0`"), "{error}");
        let shouted = Function::new("Hello World");
        assert!(
            shouted
                .manifest()
                .unwrap_err()
                .to_string()
                .contains("`Hello World`")
        );
    }
}
