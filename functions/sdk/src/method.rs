//! The MCP methods that a function serves: what each looks at, and which handler it runs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use dormouse_contract::task::TaskError;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::ToolError;
use crate::call::Delivered;
use crate::completion::{CompleteResult, Completions, Typed};
use crate::contents::ReadResult;
use crate::context::Context;
use crate::reply::{self, INVALID_PARAMS, Reply};
use crate::resource::Reading;

/// The params of `tools/call`.
#[derive(Deserialize)]
struct CallParams<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

/// The params of `prompts/get`.
#[derive(Deserialize)]
struct GetParams<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(default)]
    arguments: Option<BTreeMap<String, String>>,
}

/// The params of `resources/read`.
#[derive(Deserialize)]
struct ReadParams {
    uri: String,
}

/// The params of `completion/complete`.
#[derive(Deserialize)]
struct CompleteParams {
    #[serde(rename = "ref")]
    reference: Reference,
    argument: Argument,
    #[serde(default)]
    context: Option<Known>,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Reference {
    #[serde(rename = "ref/prompt")]
    Prompt { name: String },
    #[serde(rename = "ref/resource")]
    Resource { uri: String },
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Known {
    #[serde(default)]
    arguments: BTreeMap<String, String>,
}

impl Delivered<'_> {
    pub(crate) async fn call_tool(&self) -> Result<Reply, TaskError> {
        let params: CallParams<'_> = self.params()?;
        let name = self.declared(&params.name);
        let Some(tool) = self.service.tool(name) else {
            return Err(unknown(format!("this function has no tool `{name}`")));
        };
        let cx = self.context(tool.name());
        let arguments = params.arguments.map_or("", RawValue::get);
        let handler = async {
            let answer = tool
                .call(cx.clone(), arguments)
                .map_err(ToolError::Caller)?;
            let result = answer.await?;
            tool.check_output(&result)?;
            Ok(result)
        };
        Ok(self.run(&cx, handler, |error| error).await)
    }

    pub(crate) async fn get_prompt(&self) -> Result<Reply, TaskError> {
        let params: GetParams<'_> = self.params()?;
        let name = self.declared(&params.name);
        let Some(prompt) = self.service.prompt(name) else {
            return Err(unknown(format!("this function has no prompt `{name}`")));
        };
        let cx = self.context(name);
        let arguments = params.arguments.unwrap_or_default();
        let handler = async {
            let getting = prompt.get(cx.clone(), &arguments);
            getting.map_err(ToolError::Caller)?.await
        };
        Ok(self.run(&cx, handler, invalid_params).await)
    }

    pub(crate) async fn read_resource(&self) -> Result<Reply, TaskError> {
        let ReadParams { uri } = self.params()?;
        let cx = self.context(&uri);
        let (reading, media) = match self.service.resource(&uri) {
            Some(resource) => {
                let media = resource.about.mime_type.as_deref();
                (Reader::Resource(resource), media)
            }
            None => match self.service.template_of(&uri) {
                Some((template, variables)) => {
                    (Reader::Template(template, variables), template.media())
                }
                None => {
                    let mut error = unknown(format!("this function has no resource at `{uri}`"));
                    error.data = Some(json!({"uri": uri}));
                    return Err(error);
                }
            },
        };
        let handler = async {
            let contents = reading.read(&cx).map_err(ToolError::Caller)?.await?;
            Ok(ReadResult::of(contents, &uri, media))
        };
        let refuse = |error: ToolError| match invalid_params(error) {
            ToolError::Protocol {
                code,
                message,
                data: None,
            } => ToolError::Protocol {
                code,
                message,
                data: Some(json!({"uri": uri})),
            },
            other => other,
        };
        Ok(self.run(&cx, handler, refuse).await)
    }

    pub(crate) async fn complete(&self) -> Result<Reply, TaskError> {
        let params: CompleteParams = self.params()?;
        let (name, completions) = match &params.reference {
            Reference::Prompt { name } => {
                let name = self.declared(name);
                let Some(prompt) = self.service.prompt(name) else {
                    return Err(unknown(format!("this function has no prompt `{name}`")));
                };
                (name, Some(&prompt.completions))
            }
            Reference::Resource { uri } => match self.service.template(uri) {
                Some(template) => (uri.as_str(), Some(&template.completions)),
                None if self.service.resource(uri).is_some() => (uri.as_str(), None),
                None => {
                    let words = format!("this function has no resource template `{uri}`");
                    return Err(unknown(words));
                }
            },
        };
        let cx = self.context(name);
        let typed = Typed {
            value: params.argument.value,
            arguments: params
                .context
                .map(|known| known.arguments)
                .unwrap_or_default(),
        };
        let handler = complete(&cx, completions, &params.argument.name, typed);
        Ok(self.run(&cx, handler, invalid_params).await)
    }

    /// The name that the function itself uses: the event's subject, since clients may know the
    /// capability by another.
    fn declared<'n>(&'n self, name: &'n str) -> &'n str {
        self.attempt.subject.as_deref().unwrap_or(name)
    }
}

/// What reads a URI.
enum Reader<'a> {
    Resource(&'a crate::Resource),
    Template(&'a crate::ResourceTemplate, BTreeMap<String, String>),
}

impl Reader<'_> {
    fn read(&self, cx: &Context) -> Result<Reading, String> {
        match self {
            Self::Resource(resource) => Ok(resource.read(cx.clone())),
            Self::Template(template, variables) => template.read(cx.clone(), variables),
        }
    }
}

async fn complete(
    cx: &Context,
    completions: Option<&Completions>,
    argument: &str,
    typed: Typed,
) -> Result<CompleteResult, ToolError> {
    match completions {
        Some(completions) => completions.complete(cx.clone(), argument, typed).await,
        None => Ok(CompleteResult::default()),
    }
}

fn unknown(words: String) -> TaskError {
    reply::error(INVALID_PARAMS, words)
}

/// The caller's mistake, where there is no result that could tell of it.
fn invalid_params(error: ToolError) -> ToolError {
    match error {
        ToolError::Caller(message) => ToolError::Protocol {
            code: INVALID_PARAMS,
            message,
            data: None,
        },
        other @ (ToolError::Retryable { .. }
        | ToolError::Internal(_)
        | ToolError::Protocol { .. }) => other,
    }
}
