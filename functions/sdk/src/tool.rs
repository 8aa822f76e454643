//! One tool: its description for models and people, its policy for the platform, its handler.

use std::sync::OnceLock;
use std::time::Duration;

use dormouse_contract::policy::{DeliverySpec, Retry, RetryRule, Stored};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::checked::{Checked, Verbatim};
use crate::context::Context;
use crate::error::{StartError, ToolError};
use crate::handler::{Answer, Call, Handler};
use crate::result::{IntoToolResult, ToolResult};
use crate::schema;
use crate::shown::Icon;
use crate::tool_object::{Annotations, Described, Execution, Meta, TaskSupport};

/// A tool with everything that can be said about it.
///
/// ```
/// use std::time::Duration;
/// use dormouse_function::{Context, Function, NoArguments, Tool, ToolError};
///
/// async fn now(_: Context, _: NoArguments) -> Result<String, ToolError> {
///     Ok(format!("{:?}", std::time::SystemTime::now()))
/// }
///
/// let clock = Tool::new("now", "Tell the time.", now)
///     .title("Clock")
///     .read_only()
///     .timeout(Duration::from_secs(2));
/// let function = Function::new("clock").with_tool(clock);
/// # assert!(function.manifest().is_ok());
/// ```
pub struct Tool {
    name: String,
    title: Option<String>,
    description: String,
    annotations: Annotations,
    policy: DeliverySpec,
    icons: Vec<Icon>,
    task_support: TaskSupport,
    pub(crate) hidden: bool,
    input: Option<Verbatim>,
    output: Option<Verbatim>,
    /// The schema that the type makes of results, made when first needed.
    checked_output: OnceLock<Option<Checked>>,
    call: Box<dyn Call>,
}

impl Tool {
    /// A tool: its name (1 to 128 letters, digits and `_ - . /`), what it does in words for a
    /// model, and its handler, an async function of a [`Context`] and the arguments.
    pub fn new<T, R, F, Fut>(
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
        Self {
            name: name.into(),
            title: None,
            description: description.into(),
            annotations: Annotations::default(),
            policy: DeliverySpec::default(),
            icons: Vec::new(),
            task_support: TaskSupport::Optional,
            hidden: false,
            input: None,
            output: None,
            checked_output: OnceLock::new(),
            call: Box::new(Handler::<T, R, F>::new(handler)),
        }
    }

    /// A picture; may be said more than once.
    #[must_use]
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icons.push(icon);
        self
    }

    /// `execution.taskSupport`: whether clients may or must run it as a task of theirs. Default:
    /// [`TaskSupport::Optional`].
    #[must_use]
    pub fn task_support(mut self, support: TaskSupport) -> Self {
        self.task_support = support;
        self
    }

    /// The JSON Schema of the arguments (2020-12 unless `$schema` says otherwise), offered to the
    /// letter in place of the one made from the type. Arguments are checked against it, then read
    /// as the type, for which `serde_json::Map<String, serde_json::Value>` always does.
    #[must_use]
    pub fn with_input_schema(mut self, schema: impl Into<String>) -> Self {
        self.input = Some(Verbatim::new(schema.into()));
        self
    }

    /// The JSON Schema of `structuredContent`, offered to the letter in place of the one made from
    /// the type. Results are checked against it.
    #[must_use]
    pub fn with_output_schema(mut self, schema: impl Into<String>) -> Self {
        self.output = Some(Verbatim::new(schema.into()));
        self
    }

    /// Not offered until a handler says so, by [`Context::offer`].
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// What a person reads in place of the name.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// `readOnlyHint`: it changes nothing, so the platform may safely run it again.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.annotations.read_only_hint = Some(true);
        self
    }

    /// `idempotentHint`: a second call with the same arguments has no further effect, so the
    /// platform may safely run it again.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.annotations.idempotent_hint = Some(true);
        self
    }

    /// `destructiveHint`: whether it may destroy something; clients assume so unless told.
    #[must_use]
    pub fn destructive(mut self, destructive: bool) -> Self {
        self.annotations.destructive_hint = Some(destructive);
        self
    }

    /// `openWorldHint`: whether it deals with things outside, such as the web; clients assume so
    /// unless told.
    #[must_use]
    pub fn open_world(mut self, open: bool) -> Self {
        self.annotations.open_world_hint = Some(open);
        self
    }

    /// How long one attempt may take. Default: the pool's, 300 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = Some(timeout);
        self
    }

    /// So many attempts may follow the first, where a second run is safe. Default: the pool's, 3.
    #[must_use]
    pub fn retries(mut self, times: u32) -> Self {
        self.policy.retry = Some(Retry::Times(times));
        self
    }

    /// The handler copes with being run twice, so try again even when nobody knows whether it ran.
    #[must_use]
    pub fn retry_always(mut self) -> Self {
        self.policy.retry = Some(Retry::Rule(RetryRule::Always));
        self
    }

    /// Never try again.
    #[must_use]
    pub fn retry_never(mut self) -> Self {
        self.policy.retry = Some(Retry::Rule(RetryRule::Never));
        self
    }

    /// The call is cheap to ask again: it need not survive the platform's death.
    #[must_use]
    pub fn stored_lazily(mut self) -> Self {
        self.policy.stored = Some(Stored::Lazily);
        self
    }

    /// The whole delivery policy at once; what is absent is inherited from the pool.
    #[must_use]
    pub fn policy(mut self, policy: DeliverySpec) -> Self {
        self.policy = policy;
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs the handler, or says in words what is wrong with the arguments.
    pub(crate) fn call(&self, cx: Context, arguments: &str) -> Result<Answer, String> {
        let checked = match &self.input {
            Some(verbatim) => schema::object(arguments)
                .and_then(|arguments| verbatim.check(arguments, "argument")),
            None => Ok(()),
        };
        checked
            .and_then(|()| self.call.call(cx, arguments))
            .map_err(|problems| {
                format!(
                    "The arguments of `{}` are not valid: {problems}. Correct them and call again.",
                    self.name
                )
            })
    }

    /// Whether a result is what the tool's output schema promises.
    pub(crate) fn check_output(&self, result: &ToolResult) -> Result<(), ToolError> {
        let typed = || self.call.output_schema().map(Checked::new);
        let promised = match &self.output {
            Some(_) => None,
            None => self.checked_output.get_or_init(typed).as_ref(),
        };
        if result.is_error || (self.output.is_none() && promised.is_none()) {
            return Ok(());
        }
        let problems = match (&result.structured_content, &self.output, promised) {
            (None, _, _) => Err("it has no structured content".to_owned()),
            (Some(content), Some(verbatim), _) => verbatim.check(content.get(), "member"),
            (Some(content), None, Some(promised)) => promised.check(content.get(), "member"),
            (Some(_), None, None) => Ok(()),
        };
        problems.map_err(|problems| {
            ToolError::Internal(format!(
                "the result of `{}` is not what its output schema promises: {problems}. This is a \
                 mistake in the function; calling again will hardly help",
                self.name
            ))
        })
    }

    /// Whether clients could call it by this name.
    pub(crate) fn check_name(&self) -> Result<(), StartError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
        if (1..=128).contains(&self.name.len()) && self.name.bytes().all(allowed) {
            return Ok(());
        }
        Err(self.unfit("a tool's name has 1 to 128 letters, digits and `_ - . /`"))
    }

    /// The MCP `Tool` object.
    pub(crate) fn describe(&self) -> Result<Box<RawValue>, StartError> {
        self.check_name()?;
        let input = self.schema(self.input.as_ref(), || Some(self.call.input_schema()))?;
        let Some(input) = input.filter(|schema| schema::is_object(schema)) else {
            return Err(self.unfit("its arguments are not an object: take a struct"));
        };
        let output = self.schema(self.output.as_ref(), || self.call.output_schema())?;
        if output
            .as_ref()
            .is_some_and(|schema| !schema::is_object(schema))
        {
            return Err(self.unfit("its structured result is not an object: return a struct"));
        }
        let described = Described {
            name: &self.name,
            title: self.title.as_deref(),
            description: &self.description,
            icons: &self.icons,
            input_schema: input,
            output_schema: output,
            annotations: (self.annotations != Annotations::default()).then_some(&self.annotations),
            execution: Execution {
                task_support: self.task_support,
            },
            meta: (self.policy != DeliverySpec::default()).then_some(Meta {
                policy: &self.policy,
            }),
        };
        to_raw_value(&described).map_err(|error| self.unfit(&error.to_string()))
    }

    /// A schema to the letter, or the one that the type makes.
    fn schema(
        &self,
        verbatim: Option<&Verbatim>,
        typed: impl FnOnce() -> Option<Value>,
    ) -> Result<Option<Box<RawValue>>, StartError> {
        let schema = match verbatim {
            Some(verbatim) => verbatim.raw().map(Some),
            None => match typed() {
                Some(schema) => to_raw_value(&schema)
                    .map(Some)
                    .map_err(|error| error.to_string()),
                None => Ok(None),
            },
        };
        schema.map_err(|why| self.unfit(&why))
    }

    fn unfit(&self, reason: &str) -> StartError {
        StartError::Tool {
            tool: self.name.clone(),
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::NoArguments;

    async fn nothing(_: Context, _: NoArguments) -> Result<(), ToolError> {
        Ok(())
    }

    #[test]
    fn what_is_said_of_a_tool_stands_in_its_object() {
        let tool = Tool::new("t", "Does nothing.", nothing)
            .title("T")
            .idempotent()
            .destructive(false)
            .retry_always()
            .timeout(Duration::from_secs(120));
        let expected = json!({
            "name": "t", "title": "T", "description": "Does nothing.",
            "inputSchema": {"type": "object"},
            "annotations": {"idempotentHint": true, "destructiveHint": false},
            "execution": {"taskSupport": "optional"},
            "_meta": {"dev.dormouse/policy": {"timeout": "2m", "retry": "always"}},
        });
        let described =
            |tool: Tool| -> Value { serde_json::from_str(tool.describe().unwrap().get()).unwrap() };
        assert_eq!(described(tool), expected);
        let bare = described(Tool::new("t", "", nothing));
        assert_eq!(bare.get("annotations").or(bare.get("_meta")), None);
    }

    #[test]
    fn tools_that_no_client_could_call_are_refused_by_name() {
        async fn list(_: Context, _: Vec<u8>) -> Result<(), ToolError> {
            Ok(())
        }
        for tool in [
            Tool::new("", "", nothing),
            Tool::new("two words", "", nothing),
            Tool::new("list", "", list),
        ] {
            let name = format!("`{}`", tool.name());
            let error = tool.describe().unwrap_err().to_string();
            assert!(error.contains(&name), "{error}");
        }
    }
}
