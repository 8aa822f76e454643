//! Prompts: texts for a model that a person picks, and fills in.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::OnceLock;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use crate::completion::{Completions, IntoCompletion, Typed};
use crate::context::Context;
use crate::error::{StartError, ToolError};
use crate::result::Content;
use crate::sampling::Role;
use crate::shown::Icon;
use crate::strings::{Described, Strings};

/// One message of a prompt (MCP `PromptMessage`).
#[derive(Debug, Clone, Serialize)]
pub struct PromptMessage {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

impl PromptMessage {
    /// Any content.
    #[must_use]
    pub fn new(role: Role, content: Content) -> Self {
        Self { role, content }
    }

    /// A text of the person.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, Content::text(text))
    }

    /// A text of the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, Content::text(text))
    }
}

/// What a prompt becomes (MCP `GetPromptResult`).
#[derive(Debug, Clone, Default, Serialize)]
pub struct PromptResult {
    /// What it is, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The messages.
    pub messages: Vec<PromptMessage>,
    /// The result's `_meta`.
    #[serde(rename = "_meta", skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, serde_json::Value>,
}

/// What a prompt's handler may return: a text of the person, a [`PromptMessage`], a `Vec` of them,
/// or a [`PromptResult`].
pub trait IntoPromptResult {
    /// The MCP result.
    fn into_prompt_result(self) -> PromptResult;
}

impl IntoPromptResult for PromptResult {
    fn into_prompt_result(self) -> PromptResult {
        self
    }
}

impl IntoPromptResult for Vec<PromptMessage> {
    fn into_prompt_result(self) -> PromptResult {
        PromptResult {
            messages: self,
            ..PromptResult::default()
        }
    }
}

impl IntoPromptResult for PromptMessage {
    fn into_prompt_result(self) -> PromptResult {
        vec![self].into_prompt_result()
    }
}

impl IntoPromptResult for String {
    fn into_prompt_result(self) -> PromptResult {
        PromptMessage::user(self).into_prompt_result()
    }
}

impl IntoPromptResult for &'static str {
    fn into_prompt_result(self) -> PromptResult {
        PromptMessage::user(self).into_prompt_result()
    }
}

/// A prompt with everything that can be said about it.
///
/// ```
/// use dormouse_function::{Context, Function, Prompt, ToolError, Typed};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Review {
///     /// Which language the code is in.
///     language: String,
/// }
///
/// async fn review(_: Context, args: Review) -> Result<String, ToolError> {
///     Ok(format!("Review this {} code, the worst first.", args.language))
/// }
///
/// let prompt = Prompt::new("review", "Review code.", review).title("Code review").complete(
///     "language",
///     async |_cx: Context, typed: Typed| Ok(typed.pick(["C", "Python", "Rust"])),
/// );
/// let function = Function::new("reviews").with_prompt(prompt);
/// # assert!(function.manifest().is_ok());
/// ```
pub struct Prompt {
    name: String,
    title: Option<String>,
    description: String,
    icons: Vec<Icon>,
    pub(crate) hidden: bool,
    pub(crate) completions: Completions,
    get: Box<dyn Get>,
}

impl Prompt {
    /// A prompt: its name (1 to 128 visible characters), what it is for, and its handler, an async
    /// function of a [`Context`] and the arguments. Arguments come as strings; numbers and truth
    /// values are read from them where the type asks for such.
    pub fn new<T, R, F, Fut>(
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
        Self {
            name: name.into(),
            title: None,
            description: description.into(),
            icons: Vec::new(),
            hidden: false,
            completions: Completions::default(),
            get: Box::new(Handler {
                handler,
                strings: OnceLock::new(),
                types: PhantomData::<fn(T) -> R>,
            }),
        }
    }

    /// What a person reads in place of the name.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// A picture; may be said more than once.
    #[must_use]
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icons.push(icon);
        self
    }

    /// Not offered until a handler says so, by [`Context::offer`].
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Completes an argument that a person has begun to type.
    #[must_use]
    pub fn complete<R, F, Fut>(mut self, argument: impl Into<String>, handler: F) -> Self
    where
        R: IntoCompletion,
        F: Fn(Context, Typed) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        self.completions.add(argument.into(), handler);
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs the handler, or says in words what is wrong with the arguments.
    pub(crate) fn get(
        &self,
        cx: Context,
        arguments: &BTreeMap<String, String>,
    ) -> Result<Getting, String> {
        self.get.get(cx, arguments).map_err(|problems| {
            format!(
                "the arguments of prompt `{}` are not valid: {problems}",
                self.name
            )
        })
    }

    /// Whether clients could ask for it.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let visible = self.name.chars().all(|letter| !letter.is_control());
        if !(1..=128).contains(&self.name.len()) || !visible {
            return Err(self.unfit("a prompt's name has 1 to 128 visible characters"));
        }
        Ok(())
    }

    /// The MCP `Prompt` object.
    pub(crate) fn describe(&self) -> Result<Box<RawValue>, StartError> {
        let strings = self.get.strings();
        let mut arguments = self.completions.arguments();
        if let Some(unknown) = arguments.find(|argument| !strings.has(argument)) {
            return Err(self.unfit(&format!("it completes `{unknown}`, which is no argument")));
        }
        let described = PromptObject {
            name: &self.name,
            title: self.title.as_deref(),
            description: &self.description,
            arguments: strings.describe(),
            icons: &self.icons,
        };
        to_raw_value(&described).map_err(|error| self.unfit(&error.to_string()))
    }

    fn unfit(&self, reason: &str) -> StartError {
        StartError::Capability {
            what: "prompt",
            name: self.name.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// MCP `Prompt`.
#[derive(Serialize)]
struct PromptObject<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    description: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    arguments: Vec<Described<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    icons: &'a [Icon],
}

/// The handler at work.
type Getting = BoxFuture<'static, Result<PromptResult, ToolError>>;

/// A handler whose types are forgotten.
trait Get: Send + Sync {
    fn get(&self, cx: Context, arguments: &BTreeMap<String, String>) -> Result<Getting, String>;
    fn strings(&self) -> &Strings;
}

struct Handler<T, R, F> {
    handler: F,
    strings: OnceLock<Strings>,
    types: PhantomData<fn(T) -> R>,
}

impl<T, R, F, Fut> Get for Handler<T, R, F>
where
    T: DeserializeOwned + JsonSchema + 'static,
    R: IntoPromptResult + 'static,
    F: Fn(Context, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
{
    fn get(&self, cx: Context, arguments: &BTreeMap<String, String>) -> Result<Getting, String> {
        let arguments = self.strings().read(arguments)?;
        let getting = (self.handler)(cx, arguments);
        Ok(Box::pin(
            async move { Ok(getting.await?.into_prompt_result()) },
        ))
    }

    fn strings(&self) -> &Strings {
        self.strings.get_or_init(Strings::of::<T>)
    }
}
