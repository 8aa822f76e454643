//! Resource templates: resources whose URIs have variables.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::completion::{Completions, IntoCompletion, Typed};
use crate::contents::IntoContents;
use crate::context::Context;
use crate::error::{StartError, ToolError};
use crate::resource::{About, Reading};
use crate::sampling::Role;
use crate::shown::Icon;
use crate::strings::Strings;
use crate::uri_template::UriTemplate;

/// A resource template with everything that can be said about it.
///
/// Its URI may have `{variables}`, which take everything but `/`, `?` and `#`; one `{+path}`,
/// which takes these too; and, at its end, `{?optional,ones}`. They are the handler's arguments.
///
/// ```
/// use dormouse_function::{Context, Function, ResourceTemplate, ToolError, Typed};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Lesson {
///     grade: u8,
///     topic: String,
/// }
///
/// async fn lesson(_: Context, lesson: Lesson) -> Result<String, ToolError> {
///     Ok(format!("{} for grade {}", lesson.topic, lesson.grade))
/// }
///
/// let template = ResourceTemplate::new("school://{grade}/{topic}", "lesson", lesson)
///     .mime_type("text/plain")
///     .complete("topic", async |_cx: Context, typed: Typed| Ok(typed.pick(["mice", "rain"])));
/// let function = Function::new("school").with_template(template);
/// # assert!(function.manifest().is_ok());
/// ```
pub struct ResourceTemplate {
    uri: String,
    parsed: Result<UriTemplate, String>,
    about: About,
    pub(crate) hidden: bool,
    pub(crate) completions: Completions,
    read: Box<dyn Read>,
}

impl ResourceTemplate {
    /// A template: its URI template (RFC 6570), its name, and its handler, an async function of a
    /// [`Context`] and the variables. Numbers and truth values are read from them where the type
    /// asks for such.
    pub fn new<T, R, F, Fut>(uri: impl Into<String>, name: impl Into<String>, handler: F) -> Self
    where
        T: DeserializeOwned + JsonSchema + 'static,
        R: IntoContents + 'static,
        F: Fn(Context, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        let uri = uri.into();
        Self {
            parsed: UriTemplate::parse(&uri),
            uri,
            about: About::named(name),
            hidden: false,
            completions: Completions::default(),
            read: Box::new(Handler {
                handler,
                strings: OnceLock::new(),
                types: PhantomData::<fn(T) -> R>,
            }),
        }
    }

    /// What a person reads in place of the name.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.about.title = Some(title.into());
        self
    }

    /// What its resources are, in words for a model.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.about.description = Some(description.into());
        self
    }

    /// The media type of all its resources.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.about.mime_type = Some(mime_type.into());
        self
    }

    /// A picture; may be said more than once.
    #[must_use]
    pub fn icon(mut self, icon: Icon) -> Self {
        self.about.icons.push(icon);
        self
    }

    /// Whom its resources are for.
    #[must_use]
    pub fn audience(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        self.about.audience.roles = roles.into_iter().collect();
        self
    }

    /// How much they matter, from 0 to 1; see [`Resource::priority`](crate::Resource::priority).
    #[must_use]
    pub fn priority(mut self, priority: f64) -> Self {
        self.about.audience.priority = Some(priority);
        self
    }

    /// When they last changed, RFC 3339.
    #[must_use]
    pub fn last_modified(mut self, time: impl Into<String>) -> Self {
        self.about.audience.last_modified = Some(time.into());
        self
    }

    /// Not offered until a handler says so, by [`Context::offer`].
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Completes a variable that a person has begun to type.
    #[must_use]
    pub fn complete<R, F, Fut>(mut self, variable: impl Into<String>, handler: F) -> Self
    where
        R: IntoCompletion,
        F: Fn(Context, Typed) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        self.completions.add(variable.into(), handler);
        self
    }

    /// The template as it was declared.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    pub(crate) fn media(&self) -> Option<&str> {
        self.about.mime_type.as_deref()
    }

    pub(crate) fn literals(&self) -> usize {
        self.parsed.as_ref().map_or(0, UriTemplate::literals)
    }

    /// The variables of a URI that the template stands for.
    pub(crate) fn variables_of(&self, uri: &str) -> Option<BTreeMap<String, String>> {
        self.parsed.as_ref().ok()?.variables_of(uri)
    }

    /// Runs the handler, or says in words what is wrong with the variables.
    pub(crate) fn read(
        &self,
        cx: Context,
        variables: &BTreeMap<String, String>,
    ) -> Result<Reading, String> {
        self.read.read(cx, variables)
    }

    /// Whether URIs could be made of it and read back.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        match &self.parsed {
            Ok(_) => Ok(()),
            Err(why) => Err(self.unfit(why)),
        }
    }

    /// The MCP `ResourceTemplate` object.
    pub(crate) fn describe(&self) -> Result<Box<RawValue>, StartError> {
        let parsed = self.parsed.as_ref().map_err(|why| self.unfit(why))?;
        let variables: Vec<&str> = parsed.variables().collect();
        let strings = self.read.strings();
        if let Some(missing) = strings.required().find(|name| !variables.contains(name)) {
            return Err(self.unfit(&format!(
                "its handler needs `{missing}`, which is no variable"
            )));
        }
        let mut completed = self.completions.arguments();
        if let Some(unknown) = completed.find(|name| !variables.contains(name)) {
            return Err(self.unfit(&format!("it completes `{unknown}`, which is no variable")));
        }
        let described = self.about.describe(None, Some(&self.uri));
        described.map_err(|error| self.unfit(&error.to_string()))
    }

    fn unfit(&self, reason: &str) -> StartError {
        StartError::Capability {
            what: "resource template",
            name: self.uri.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// A handler whose types are forgotten.
trait Read: Send + Sync {
    fn read(&self, cx: Context, variables: &BTreeMap<String, String>) -> Result<Reading, String>;
    fn strings(&self) -> &Strings;
}

struct Handler<T, R, F> {
    handler: F,
    strings: OnceLock<Strings>,
    types: PhantomData<fn(T) -> R>,
}

impl<T, R, F, Fut> Read for Handler<T, R, F>
where
    T: DeserializeOwned + JsonSchema + 'static,
    R: IntoContents + 'static,
    F: Fn(Context, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
{
    fn read(&self, cx: Context, variables: &BTreeMap<String, String>) -> Result<Reading, String> {
        let variables = self.strings().read(variables)?;
        let reading = (self.handler)(cx, variables);
        Ok(Box::pin(async move { Ok(reading.await?.into_contents()) }))
    }

    fn strings(&self) -> &Strings {
        self.strings.get_or_init(Strings::of::<T>)
    }
}
