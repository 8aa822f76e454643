//! The questions that a handler can put to its client, each an [`Ask`].

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::ask::{Ask, AskError, Question, written};
use crate::context::Context;
use crate::form;
use crate::replay::Kind;
use crate::sampling::{SampleRequest, Sampled};
use crate::schema::Arguments;

/// What a person did with a form or a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer<T> {
    /// Filled in and sent, or opened.
    Accepted(T),
    /// Said no.
    Declined,
    /// Closed it without choosing.
    Cancelled,
}

impl<T> Answer<T> {
    /// What was filled in, if anything.
    pub fn accepted(self) -> Option<T> {
        match self {
            Self::Accepted(value) => Some(value),
            Self::Declined | Self::Cancelled => None,
        }
    }
}

/// A folder or file that the client works on (MCP `Root`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Root {
    /// Where it is; begins with `file://`.
    pub uri: String,
    /// What a person calls it.
    #[serde(default)]
    pub name: Option<String>,
}

/// MCP `ElicitResult`.
#[derive(Deserialize)]
struct ElicitResult<'a> {
    action: Action,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Accept,
    Decline,
    Cancel,
}

fn read_elicited<T>(
    result: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Answer<T>, String> {
    let result: ElicitResult<'_> =
        serde_json::from_str(result).map_err(|error| error.to_string())?;
    match result.action {
        Action::Accept => read(result.content.map_or("{}", RawValue::get)).map(Answer::Accepted),
        Action::Decline => Ok(Answer::Declined),
        Action::Cancel => Ok(Answer::Cancelled),
    }
}

fn needs_form(cx: &Context) -> Option<(&'static str, Value)> {
    let missing = ("forms (elicitation)", json!({"elicitation": {"form": {}}}));
    (!cx.client().can_elicit()).then_some(missing)
}

impl Context {
    /// Asks a person to fill in a form. `T` is a flat struct of texts, numbers, truth values,
    /// choices (enums without data) and lists of choices; the form's schema is made from it.
    /// What comes back has been checked against it.
    ///
    /// ```
    /// use dormouse_function::{Answer, Context, NoArguments, ToolError};
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Class {
    ///     /// Which grade.
    ///     #[schemars(range(min = 1, max = 12))]
    ///     grade: u8,
    /// }
    ///
    /// async fn lesson(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    ///     match cx.elicit::<Class>("class", "Who is it for?").await? {
    ///         Answer::Accepted(class) => Ok(format!("A lesson for grade {}", class.grade)),
    ///         Answer::Declined | Answer::Cancelled => Ok("A lesson for everybody".to_owned()),
    ///     }
    /// }
    /// # let _ = lesson;
    /// ```
    pub fn elicit<T>(&self, name: impl Into<String>, message: impl Into<String>) -> Ask<Answer<T>>
    where
        T: DeserializeOwned + JsonSchema + 'static,
    {
        let message = message.into();
        let question = |cx: &Context, _: &str| Question {
            kind: Kind::Elicit,
            missing: needs_form(cx),
            params: form::of::<T>()
                .map_err(AskError::Misused)
                .and_then(|schema| {
                    written(&json!({"mode": "form", "message": message, "requestedSchema": schema}))
                }),
        };
        let read =
            |result: &str| read_elicited(result, |content| Arguments::of::<T>().read(content));
        Ask::new(self, name.into(), question, Box::new(read))
    }

    /// Asks a person to fill in a form whose params (`message`, `requestedSchema`) are sent to the
    /// letter. `T` is only what the content is read as; nothing else is checked here.
    pub fn elicit_with<T>(&self, name: impl Into<String>, params: &impl Serialize) -> Ask<Answer<T>>
    where
        T: DeserializeOwned + 'static,
    {
        let question = |cx: &Context, _: &str| Question {
            kind: Kind::Elicit,
            missing: needs_form(cx),
            params: written(params),
        };
        let read = |result: &str| {
            read_elicited(result, |content| {
                serde_json::from_str(content).map_err(|error| error.to_string())
            })
        };
        Ask::new(self, name.into(), question, Box::new(read))
    }

    /// Asks a person to open a page, for what must not pass through the client: a payment, a
    /// password, a consent. `Accepted` means that they agreed to open it, not that they are done
    /// there.
    pub fn elicit_url(
        &self,
        name: impl Into<String>,
        message: impl Into<String>,
        url: impl Into<String>,
    ) -> Ask<Answer<()>> {
        let (message, url) = (message.into(), url.into());
        let question = |cx: &Context, name: &str| {
            let mut params = json!({"mode": "url", "message": message, "url": url});
            // Only revisions up to 2025-11-25 know it; dates compare as texts.
            if cx.client().protocol_version.as_str() <= "2025-11-25" {
                params["elicitationId"] = format!("{}/{name}", cx.task_id()).into();
            }
            let missing = (
                "opening pages (URL elicitation)",
                json!({"elicitation": {"url": {}}}),
            );
            Question {
                kind: Kind::Elicit,
                missing: (!cx.client().can_elicit_url()).then_some(missing),
                params: written(&params),
            }
        };
        let read = |result: &str| read_elicited(result, |_| Ok(()));
        Ask::new(self, name.into(), question, Box::new(read))
    }

    /// Asks the client's model.
    ///
    /// ```
    /// use dormouse_function::{Context, NoArguments, SampleRequest, ToolError};
    ///
    /// async fn haiku(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    ///     let request = SampleRequest::new(100).system("You are a poet.").user("A haiku on sleep.");
    ///     Ok(cx.sample("haiku", request).await?.text())
    /// }
    /// # let _ = haiku;
    /// ```
    pub fn sample(&self, name: impl Into<String>, request: SampleRequest) -> Ask<Sampled> {
        let question = |cx: &Context, _: &str| {
            let (client, tools) = (cx.client(), request.has_tools());
            let missing = match (client.can_sample(), client.can_sample_with_tools()) {
                (true, true) => None,
                (true, false) if !tools => None,
                (true | false, true | false) if tools => Some((
                    "lending its model with tools (sampling.tools)",
                    json!({"sampling": {"tools": {}}}),
                )),
                (true | false, true | false) => {
                    Some(("lending its model (sampling)", json!({"sampling": {}})))
                }
            };
            Question {
                kind: Kind::Sample,
                missing,
                params: request.written(),
            }
        };
        Ask::new(self, name.into(), question, Box::new(Sampled::read))
    }

    /// Asks which folders and files the client works on.
    pub fn roots(&self, name: impl Into<String>) -> Ask<Vec<Root>> {
        #[derive(Deserialize)]
        struct ListRootsResult {
            roots: Vec<Root>,
        }
        let question = |cx: &Context, _: &str| Question {
            kind: Kind::Roots,
            missing: (!cx.client().has_roots())
                .then(|| ("telling its folders (roots)", json!({"roots": {}}))),
            params: Ok(None),
        };
        let read = |result: &str| {
            let read: Result<ListRootsResult, _> = serde_json::from_str(result);
            read.map(|result| result.roots)
                .map_err(|error| error.to_string())
        };
        Ask::new(self, name.into(), question, Box::new(read))
    }
}
