//! One tool: its description for models and people, its policy for the platform, its handler.

use std::marker::PhantomData;
use std::sync::OnceLock;
use std::time::Duration;

use dormouse_contract::policy::{DeliverySpec, Retry, RetryRule, Stored};
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::context::Context;
use crate::error::{StartError, ToolError};
use crate::result::{IntoToolResult, ToolResult};
use crate::schema::{self, Arguments};

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
    call: Box<dyn Call>,
}

/// MCP `ToolAnnotations`; absent means that the author did not say.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Annotations {
    #[serde(skip_serializing_if = "Option::is_none")]
    read_only_hint: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destructive_hint: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotent_hint: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_world_hint: Option<bool>,
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
            call: Box::new(Typed {
                handler,
                arguments: OnceLock::new(),
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
        self.call.call(cx, arguments).map_err(|problems| {
            format!(
                "The arguments of `{}` are not valid: {problems}. Correct them and call again.",
                self.name
            )
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
        let input = self.call.input_schema();
        if !schema::is_object(&input) {
            return Err(self.unfit("its arguments are not an object: take a struct"));
        }
        let output = self.call.output_schema();
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
            input_schema: input,
            output_schema: output,
            annotations: (self.annotations != Annotations::default()).then_some(&self.annotations),
            meta: (self.policy != DeliverySpec::default()).then_some(Meta {
                policy: &self.policy,
            }),
        };
        to_raw_value(&described).map_err(|error| self.unfit(&error.to_string()))
    }

    fn unfit(&self, reason: &str) -> StartError {
        StartError::Tool {
            tool: self.name.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// MCP `Tool`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    description: &'a str,
    input_schema: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a Annotations>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Meta<'a>>,
}

#[derive(Serialize)]
struct Meta<'a> {
    #[serde(rename = "dev.dormouse/policy")]
    policy: &'a DeliverySpec,
}

/// The handler at work.
pub(crate) type Answer = BoxFuture<'static, Result<ToolResult, ToolError>>;

/// A handler whose types are forgotten.
trait Call: Send + Sync {
    fn call(&self, cx: Context, arguments: &str) -> Result<Answer, String>;
    fn input_schema(&self) -> Value;
    fn output_schema(&self) -> Option<Value>;
}

struct Typed<T, R, F> {
    handler: F,
    arguments: OnceLock<Arguments>,
    types: PhantomData<fn(T) -> R>,
}

impl<T: JsonSchema, R, F> Typed<T, R, F> {
    /// Made when first needed: a cold start must not wait for the schemas of other tools.
    fn arguments(&self) -> &Arguments {
        self.arguments.get_or_init(Arguments::of::<T>)
    }
}

impl<T, R, F, Fut> Call for Typed<T, R, F>
where
    T: DeserializeOwned + JsonSchema + 'static,
    R: IntoToolResult + 'static,
    F: Fn(Context, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
{
    fn call(&self, cx: Context, arguments: &str) -> Result<Answer, String> {
        let arguments = self.arguments().read(arguments)?;
        let answer = (self.handler)(cx, arguments);
        Ok(Box::pin(async move { answer.await?.into_tool_result() }))
    }

    fn input_schema(&self) -> Value {
        self.arguments().schema().clone()
    }

    fn output_schema(&self) -> Option<Value> {
        R::output_schema()
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
