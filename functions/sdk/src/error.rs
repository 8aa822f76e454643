//! What can go wrong: in a handler ([`ToolError`]), and before the function can serve
//! ([`StartError`]).

use std::fmt;
use std::time::Duration;

/// Why a handler has no result. Which one decides what the caller sees and whether the platform
/// tries again.
///
/// Any [`std::error::Error`] converts into [`ToolError::Internal`], so `?` works in handlers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolError {
    /// The caller's mistake. It is an answer, not a failure: the model reads it (a result with
    /// `isError: true`) and may call again in another way. Never retried by the platform.
    Caller(String),
    /// Something that may pass: a service that is down, a lock that is held. The platform tries
    /// again where the tool's policy and hints say that a second run is safe.
    Retryable {
        /// What happened.
        message: String,
        /// How long to wait before the next attempt; `None` leaves it to the policy.
        after: Option<Duration>,
    },
    /// A failure that a second try would not mend. Ends the task as failed.
    Internal(String),
    /// The same with a JSON-RPC error code of its own: for the client, where the protocol has a
    /// word for what happened.
    Protocol {
        /// The code, as MCP defines it.
        code: i32,
        /// What happened.
        message: String,
        /// What a program should know beyond the message.
        data: Option<serde_json::Value>,
    },
}

impl ToolError {
    /// The caller's mistake: say what was wrong and what to do instead.
    pub fn caller(message: impl Into<String>) -> Self {
        Self::Caller(message.into())
    }

    /// Something that may pass. See [`ToolError::after`] for when to try again.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::Retryable {
            message: message.into(),
            after: None,
        }
    }

    /// A failure that a second try would not mend.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    /// For [`ToolError::retryable`]: the time to wait before the next attempt, in whole seconds.
    /// Changes nothing on other errors.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        match self {
            Self::Retryable { message, .. } => Self::Retryable {
                message,
                after: Some(wait),
            },
            Self::Caller(_) | Self::Internal(_) | Self::Protocol { .. } => self,
        }
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller(message)
            | Self::Retryable { message, .. }
            | Self::Internal(message)
            | Self::Protocol { message, .. } => out.write_str(message),
        }
    }
}

impl<E: std::error::Error> From<E> for ToolError {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Self::Internal(message)
    }
}

/// Why the function could not start, or cannot describe itself.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The function's name could not be part of a URL.
    #[error(
        "the function's name `{0}` is not allowed: use at most 63 lower-case letters, digits and hyphens"
    )]
    Name(String),
    /// A tool that no client could call.
    #[error("tool `{tool}` cannot be offered: {reason}")]
    Tool {
        /// Its name.
        tool: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A prompt, resource or template that no client could use.
    #[error("{what} `{name}` cannot be offered: {reason}")]
    Capability {
        /// What it is, in words.
        what: &'static str,
        /// Its name, URI or URI template.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An environment variable has a value that cannot be used.
    #[error("environment variable {name} cannot be used: {reason}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The port is taken, or may not be opened.
    #[error("cannot listen on port {port}: {error}; set PORT to a free one")]
    Bind {
        /// The port.
        port: u16,
        /// What the system says.
        error: std::io::Error,
    },
    /// Standard input is a listening socket that cannot be served.
    #[error("cannot serve on the listener that came as standard input: {0}")]
    Inherited(std::io::Error),
    /// The process was started by a host that is gone.
    #[error("the host that started this function is gone")]
    Orphaned,
    /// The system refused a thread, a signal handler or an event queue.
    #[error("the system refused what a server needs: {0}")]
    System(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_becomes_internal_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read the lesson")]
        struct Outer(#[source] std::num::ParseIntError);
        let cause = "x".parse::<i32>().unwrap_err();
        let error: ToolError = Outer(cause).into();
        let ToolError::Internal(message) = error else {
            panic!("{error:?}");
        };
        assert!(message.starts_with("cannot read the lesson: invalid digit"));
    }

    #[test]
    fn only_what_may_be_retried_has_a_time_to_wait() {
        let wait = Duration::from_secs(3);
        assert_eq!(ToolError::caller("no").after(wait), ToolError::caller("no"));
        let ToolError::Retryable { after, .. } = ToolError::retryable("later").after(wait) else {
            panic!("still retryable");
        };
        assert_eq!(after, Some(wait));
    }
}
