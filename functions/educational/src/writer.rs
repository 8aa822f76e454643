//! Who writes: the operator's endpoint or, where none is configured, the model of the client that
//! called.

use dormouse_function::{AskError, Context, SampleRequest, Sampled};
use serde_json::Value;

use crate::model::{Completion, Error, Finish, Message, Model, OnText, Ready, Unconfigured};

/// How long an answer of a client's model may get when nobody says.
const MAX_TOKENS: u32 = 2_000;

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The endpoint could not be asked.
    #[error("{0}")]
    Endpoint(#[from] Error),
    /// The client's model could not be asked.
    #[error("{0}")]
    Client(AskError),
    /// The client's model said nothing.
    #[error("the client's model answered with no text; calling again is safe and may go better")]
    Wordless,
}

/// One of the two, ready to write.
pub enum Writer<'a> {
    /// The operator's endpoint.
    Endpoint(Ready<'a>),
    /// The client's model.
    Client(ClientModel),
}

/// The model of the client that called.
pub struct ClientModel {
    cx: Context,
    max_tokens: u32,
    asked: u32,
}

impl<'a> From<Ready<'a>> for Writer<'a> {
    fn from(ready: Ready<'a>) -> Self {
        Self::Endpoint(ready)
    }
}

impl<'a> Writer<'a> {
    /// The endpoint, if it is configured; else the client's model, if the client lends it. A
    /// setting that cannot be used is the operator's to mend, not ours to work around.
    ///
    /// # Errors
    /// What is missing or wrong in the configuration.
    pub fn of(model: &'a Model, cx: &Context) -> Result<Self, &'a Unconfigured> {
        match model.ready() {
            Ok(ready) => Ok(Self::Endpoint(ready)),
            Err(Unconfigured::Missing(_)) if cx.client().can_sample() => {
                Ok(Self::Client(ClientModel {
                    cx: cx.clone(),
                    max_tokens: MAX_TOKENS,
                    asked: 0,
                }))
            }
            Err(unconfigured) => Err(unconfigured),
        }
    }

    /// The same for answers of at most so many tokens, which a client has to be told; an endpoint
    /// has limits of its own.
    #[must_use]
    pub fn at_most(self, max_tokens: u32) -> Self {
        match self {
            Self::Endpoint(ready) => Self::Endpoint(ready),
            Self::Client(client) => Self::Client(ClientModel {
                max_tokens,
                ..client
            }),
        }
    }

    /// Asks for text.
    ///
    /// # Errors
    /// All of [`WriteError`].
    pub async fn write(
        &mut self,
        messages: &[Message],
        on_text: &mut OnText<'_>,
    ) -> Result<Completion, WriteError> {
        match self {
            Self::Endpoint(ready) => Ok(ready.write(messages, on_text).await?),
            Self::Client(client) => client.write(messages, on_text).await,
        }
    }

    /// Asks for JSON of `schema`; the answer may still be anything. A client's model knows the
    /// form only from the messages.
    ///
    /// # Errors
    /// All of [`WriteError`].
    pub async fn write_json(
        &mut self,
        messages: &[Message],
        schema: &Value,
        on_text: &mut OnText<'_>,
    ) -> Result<Completion, WriteError> {
        match self {
            Self::Endpoint(ready) => Ok(ready.write_json(messages, schema, on_text).await?),
            Self::Client(client) => client.write(messages, on_text).await,
        }
    }
}

impl ClientModel {
    async fn write(
        &mut self,
        messages: &[Message],
        on_text: &mut OnText<'_>,
    ) -> Result<Completion, WriteError> {
        self.asked += 1;
        let request = SampleRequest::new(self.max_tokens);
        let request = messages
            .iter()
            .fold(request, |request, message| message.add_to(request));
        let name = format!("draft-{}", self.asked);
        let said = self
            .cx
            .sample(name, request)
            .await
            .map_err(WriteError::Client)?;
        let text = said.text();
        if text.trim().is_empty() {
            return Err(WriteError::Wordless);
        }
        on_text(&text);
        Ok(Completion {
            text,
            finish: finish(&said),
        })
    }
}

fn finish(said: &Sampled) -> Finish {
    match said.stop_reason.as_deref() {
        Some("maxTokens") => Finish::Length,
        Some(_) | None => Finish::Done,
    }
}
