//! The model behind `content-generation` and `assessment-design`: any endpoint that speaks
//! OpenAI's chat completions, streamed.
//!
//! `reqwest` and `sse-stream` rather than `async-openai`: that crate brings its own retries and a
//! builder for each type, and its strict types refuse answers of servers that are only compatible.
//! `sse-stream` rather than `eventsource-stream`: it is maintained, and parses without `nom`.
//!
//! Nothing here runs before the first call: no TLS, no certificates, no client.

mod error;
mod settings;
mod stream;

use std::time::Duration;

use dormouse_function::SampleRequest;
use futures_util::StreamExt as _;
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

pub use error::{After, Detail, Error};
pub use settings::{Settings, Unconfigured};
pub use stream::{Completion, Finish};

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of an error's body is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    role: Role,
    content: String,
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    System,
    User,
    Assistant,
}

impl Message {
    /// What the model is to be.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(Role::System, content)
    }

    /// What the model is to do.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Role::User, content)
    }

    /// What the model said before.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content)
    }

    fn new(role: Role, content: impl Into<String>) -> Self {
        let content = content.into();
        Self { role, content }
    }

    /// The same message for a client's model.
    pub fn add_to(&self, request: SampleRequest) -> SampleRequest {
        match self.role {
            Role::System => request.system(self.content.as_str()),
            Role::User => request.user(self.content.as_str()),
            Role::Assistant => request.assistant(self.content.as_str()),
        }
    }

    /// The text of the message.
    #[cfg(test)]
    pub fn content(&self) -> &str {
        &self.content
    }
}

/// The form that the answer shall have.
#[derive(Debug, Clone, Copy)]
enum Format<'a> {
    Text,
    /// Some JSON object.
    Object,
    /// JSON of this schema (`strict`, so within the subset that OpenAI documents).
    Schema(&'a Value),
}

impl Format<'_> {
    fn to_json(self) -> Option<Value> {
        match self {
            Self::Text => None,
            Self::Object => Some(json!({"type": "json_object"})),
            Self::Schema(schema) => Some(json!({
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": true, "schema": schema},
            })),
        }
    }
}

/// Called with all the text so far, whenever there is more.
pub type OnText<'a> = dyn FnMut(&str) + Send + 'a;

/// A configured endpoint and, after the first call, the client that talks to it.
pub struct Model {
    settings: Result<Settings, Unconfigured>,
    client: OnceCell<Client>,
}

/// A model that is ready to be asked.
#[derive(Clone, Copy)]
pub struct Ready<'a> {
    settings: &'a Settings,
    client: &'a OnceCell<Client>,
}

impl Model {
    /// A model of these settings. It costs nothing until it is asked.
    #[must_use]
    pub fn new(settings: Result<Settings, Unconfigured>) -> Self {
        let client = OnceCell::new();
        Self { settings, client }
    }

    /// The model, when it is configured.
    ///
    /// # Errors
    /// What is missing or wrong in the configuration.
    pub fn ready(&self) -> Result<Ready<'_>, &Unconfigured> {
        let client = &self.client;
        let settings = self.settings.as_ref()?;
        Ok(Ready { settings, client })
    }
}

impl Ready<'_> {
    /// Asks for text. Dropping the future drops the request and its connection.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn write(
        &self,
        messages: &[Message],
        on_text: &mut OnText<'_>,
    ) -> Result<Completion, Error> {
        self.complete(messages, Format::Text, on_text).await
    }

    /// Asks for JSON of `schema`. Endpoints that refuse schemas are asked for any JSON object,
    /// and those that refuse that too, in plain words; so the answer may still be anything.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn write_json(
        &self,
        messages: &[Message],
        schema: &Value,
        on_text: &mut OnText<'_>,
    ) -> Result<Completion, Error> {
        for format in [Format::Schema(schema), Format::Object] {
            match self.complete(messages, format, on_text).await {
                Err(Error::Refused {
                    status: 400 | 422, ..
                }) => tracing::info!(?format, "the endpoint refuses this response format"),
                other => return other,
            }
        }
        self.complete(messages, Format::Text, on_text).await
    }

    async fn complete(
        &self,
        messages: &[Message],
        format: Format<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Completion, Error> {
        let response = self.send(messages, format).await?;
        if !response.status().is_success() {
            return Err(self.explain(response).await);
        }
        let silence = self.settings.silence;
        let kind = header(&response, CONTENT_TYPE).unwrap_or_default();
        // Some servers do not stream, whatever they are asked.
        if kind.starts_with("application/json") {
            stream::read_whole(response.bytes_stream(), silence, self.key(), on_text).await
        } else {
            stream::read(response.bytes_stream(), silence, self.key(), on_text).await
        }
    }

    async fn send(&self, messages: &[Message], format: Format<'_>) -> Result<Response, Error> {
        let mut body = json!({"model": self.settings.model, "messages": messages, "stream": true});
        if let Some(format) = format.to_json() {
            body["response_format"] = format;
        }
        let client = self
            .client
            .get_or_try_init(|| connect(self.settings))
            .await?;
        let mut request = client.post(self.settings.url.clone()).json(&body);
        if let Some(key) = self.key() {
            request = request.bearer_auth(key);
        }
        match tokio::time::timeout(self.settings.silence, request.send()).await {
            Err(_) => Err(Error::Silent(self.settings.silence)),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => Err(Error::Unreachable {
                url: self.settings.shown_url(),
                reason: root_cause(&error),
            }),
            Ok(Err(error)) => Err(Error::Cut {
                received: 0,
                reason: root_cause(&error),
            }),
        }
    }

    /// Turns a response that is no success into an error.
    async fn explain(&self, response: Response) -> Error {
        let status = response.status();
        let after = After::read(header(&response, RETRY_AFTER).as_deref());
        if status.is_redirection() {
            return Error::Redirected {
                status: status.as_u16(),
                to: header(&response, LOCATION).unwrap_or_else(|| "an unnamed place".to_owned()),
            };
        }
        let body = read_some(response, self.settings.silence).await;
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        let detail = Detail::new(&stream::words_of(&json), self.key());
        let model = self.settings.model.clone();
        match status {
            // What a 401 says is known, and some servers quote half of the key in it.
            StatusCode::UNAUTHORIZED => Error::Unauthorized {
                status: status.as_u16(),
                model,
                detail: Detail::default(),
            },
            StatusCode::FORBIDDEN => Error::Unauthorized {
                status: status.as_u16(),
                model,
                detail,
            },
            StatusCode::NOT_FOUND => Error::NotFound {
                url: self.settings.shown_url(),
                model,
                detail,
            },
            StatusCode::PAYMENT_REQUIRED => Error::Quota(detail),
            StatusCode::TOO_MANY_REQUESTS if is_out_of_quota(&json) => Error::Quota(detail),
            StatusCode::TOO_MANY_REQUESTS => Error::Limited { after, detail },
            other if other.is_server_error() => Error::Broken {
                status: other.as_u16(),
                after,
                detail,
            },
            other => Error::Refused {
                status: other.as_u16(),
                detail,
            },
        }
    }

    fn key(&self) -> Option<&str> {
        self.settings.key.as_deref()
    }
}

async fn connect(settings: &Settings) -> Result<Client, Error> {
    // Another part of the process may have installed one: any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = Client::builder()
        .user_agent(concat!("dormouse-educational/", env!("CARGO_PKG_VERSION")))
        // A redirected POST would lose its body or send the key elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT);
    if settings.is_loopback() {
        client = client.no_proxy();
    }
    if !settings.is_encrypted() {
        // Without TLS no certificates are read: a local model also serves where there are none.
        client = client.tls_certs_only([]);
    }
    let setup = |error: reqwest::Error| Error::Setup(root_cause(&error));
    client.build().map_err(setup)
}

async fn read_some(response: Response, silence: Duration) -> Vec<u8> {
    let mut bytes = response.bytes_stream();
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_BYTES
        && let Ok(Some(Ok(part))) = tokio::time::timeout(silence, bytes.next()).await
    {
        body.extend_from_slice(&part);
    }
    body
}

/// OpenAI's code for an empty account, which comes as a 429 like a limit that passes.
fn is_out_of_quota(body: &Value) -> bool {
    let error = &body["error"];
    [&error["code"], &error["type"]]
        .iter()
        .any(|code| code.as_str() == Some("insufficient_quota"))
}

fn header(response: &Response, name: reqwest::header::HeaderName) -> Option<String> {
    let value = response.headers().get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

/// The innermost cause: the outer ones repeat the URL and say "error sending request".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
