//! Asks: futures that stay pending until the answer is there, which may be a day and another
//! process later.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use dormouse_contract::suspension::{MISSING_CAPABILITY, is_name};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::ToolError;
use crate::replay::{Audience, Given, Kind, Look};
use crate::step;

/// Why an ask has no answer. `?` turns it into the [`ToolError`] that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskError {
    /// The client cannot be asked this. The task fails with MCP's
    /// `MissingRequiredClientCapability` (-32021).
    Missing {
        /// In words.
        message: String,
        /// `ClientCapabilities` that would be needed.
        required: Value,
    },
    /// The client answered with an error instead; the caller's model reads its words.
    Refused {
        /// The ask's name.
        ask: String,
        /// The JSON-RPC error's code.
        code: i32,
        /// The JSON-RPC error's message.
        message: String,
    },
    /// The client's answer is not what was asked for; the caller's model reads why.
    Unusable(String),
    /// The handler asks in a way that cannot work; the task fails.
    Misused(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { message, .. } | Self::Unusable(message) | Self::Misused(message) => {
                out.write_str(message)
            }
            Self::Refused { ask, code, message } => write!(
                out,
                "The client was asked for `{ask}` and refused: {message} (code {code}). The call \
                 ends here; call again to be asked again."
            ),
        }
    }
}

impl From<AskError> for ToolError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Missing { message, required } => Self::Protocol {
                code: MISSING_CAPABILITY,
                message,
                data: Some(json!({"requiredCapabilities": required})),
            },
            AskError::Refused { .. } | AskError::Unusable(_) => Self::Caller(error.to_string()),
            AskError::Misused(message) => Self::Internal(message),
        }
    }
}

/// Reads the client's result, or says in words why it is none.
pub(crate) type Read<T> = Box<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

/// A question to the client, or a wait for an event: await it, alone or with others in a `join!`.
///
/// While there is no answer it stays pending. When nothing but asks is left to wait for, the
/// function gives the call back to the platform with all open asks and may sleep; the handler runs
/// again from the top when they are answered, and finds the answers. So do what must not be
/// repeated in a [`Context::step`], and await asks in the handler itself: in spawned tasks, and in
/// combinators that poll with wakers of their own (`FuturesUnordered`), they fail in words.
///
/// Beside a timer, in a `select!`, an ask is not put before the timer has fired: something else is
/// left to wait for until then. How long an ask may stay open is the pool's `suspensionExpiry`.
#[must_use = "nothing is asked until the ask is awaited"]
pub struct Ask<T> {
    cx: Context,
    name: String,
    ticket: u64,
    kind: Kind,
    prepared: Result<Option<Box<RawValue>>, AskError>,
    read: Read<T>,
}

/// What an ask needs of the client, and its params.
pub(crate) struct Question {
    pub kind: Kind,
    /// `None` when the client has what it takes.
    pub missing: Option<(&'static str, Value)>,
    pub params: Result<Option<Box<RawValue>>, AskError>,
}

impl<T> Ask<T> {
    pub(crate) fn new(
        cx: &Context,
        name: String,
        question: impl FnOnce(&Context, &str) -> Question,
        read: Read<T>,
    ) -> Self {
        let (ticket, answered) = cx.replay().meet(&name);
        let Question {
            kind,
            missing,
            params,
        } = question(cx, &name);
        let prepared = check_name(&name)
            .and_then(|()| step::check_outside("ask", &name))
            .map_err(AskError::Misused)
            .and_then(|()| match (cx.replay().audience(), missing) {
                (Audience::Nobody, _) if !answered => Err(nobody(kind, &name)),
                (Audience::Client, Some((what, required))) if !answered => {
                    Err(lacking(&name, what, required))
                }
                (Audience::Client | Audience::Nobody, Some(_) | None) => params,
            });
        Self {
            cx: cx.clone(),
            name,
            ticket,
            kind,
            prepared,
            read,
        }
    }

    fn read(&self, given: Given) -> Result<T, AskError> {
        match given {
            Given::Result(result) => (self.read)(result.get()).map_err(|why| {
                AskError::Unusable(format!(
                    "The answer to `{}` cannot be used: {why}. Call again to be asked again.",
                    self.name
                ))
            }),
            Given::Error(error) => Err(AskError::Refused {
                ask: self.name.clone(),
                code: error.code,
                message: error.message,
            }),
        }
    }
}

impl<T> Future for Ask<T> {
    type Output = Result<T, AskError>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let replay = self.cx.replay();
        let params = match &self.prepared {
            Ok(params) => params.as_deref(),
            Err(error) => return Poll::Ready(Err(error.clone())),
        };
        match replay.look(&self.name, self.ticket, self.kind, params) {
            Look::Answered(given) => Poll::Ready(self.read(given)),
            Look::Misused(words) => Poll::Ready(Err(AskError::Misused(words))),
            Look::Open if replay.is_handlers(task.waker()) => Poll::Pending,
            Look::Open => {
                replay.forget(&self.name, self.ticket);
                Poll::Ready(Err(AskError::Misused(format!(
                    "`{}` is asked in a spawned task, or in a combinator that polls with a waker \
                     of its own: await asks in the handler itself, several at once with `join!`",
                    self.name
                ))))
            }
        }
    }
}

impl<T> Drop for Ask<T> {
    fn drop(&mut self) {
        self.cx.replay().forget(&self.name, self.ticket);
    }
}

fn nobody(kind: Kind, name: &str) -> AskError {
    let message = match kind {
        Kind::Elicit | Kind::Sample | Kind::Roots => format!(
            "`{name}` cannot be asked: no client called (this is a task of an event, or a test), \
             so there is nobody to ask"
        ),
        Kind::Event => format!(
            "`{name}` cannot be waited for: no client called (this is a task of an event, which is \
             delivered as it was sent, or a test), so it cannot sleep. React to the other event by \
             a handler of its own"
        ),
    };
    AskError::Missing {
        message,
        required: json!({}),
    }
}

fn lacking(name: &str, what: &str, required: Value) -> AskError {
    AskError::Missing {
        message: format!(
            "`{name}` cannot be asked: the client does not support {what}. Use a client that \
             does, or call in a way that needs no question"
        ),
        required,
    }
}

/// The params of an ask, from what serializes to an object.
pub(crate) fn written(params: &impl Serialize) -> Result<Option<Box<RawValue>>, AskError> {
    to_raw_value(params).map(Some).map_err(|error| {
        AskError::Misused(format!("the params of an ask cannot be written: {error}"))
    })
}

/// Whether something can be stored under this name.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    match is_name(name) {
        true => Ok(()),
        false => Err(format!(
            "`{name}` cannot be the name of an ask or a step: take 1 to 128 visible ASCII \
             characters without spaces"
        )),
    }
}
