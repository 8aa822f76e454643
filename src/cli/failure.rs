//! Why a command did not do as asked: what happened, why, what to do next.

use std::process::ExitCode;
use std::time::Duration;

use dormouse_contract::duration;

/// Why a command failed. The text is for a person; the variant decides the exit code.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(
        "nothing answers at {url}: {reason}\nStart the platform with `dormouse dev`, or say where it is with {flag}."
    )]
    Unreachable {
        url: String,
        reason: String,
        flag: &'static str,
    },
    #[error("{flag} `{url}` is of no use: {reason}")]
    Url {
        flag: &'static str,
        url: String,
        reason: &'static str,
    },
    #[error(
        "the platform asks for its token: give it with --token, or set DORMOUSE_TOKEN to the value that the platform was started with"
    )]
    Token,
    #[error("the platform says no ({status}): {detail}")]
    Refused { status: u16, detail: String },
    #[error("the platform does not know how to answer ({code}): {message}")]
    Rpc { code: i64, message: String },
    #[error("{url} answers, but not as expected: {reason}\nIs it Dormouse? Check {flag}.")]
    Strange {
        url: String,
        reason: String,
        flag: &'static str,
    },
    #[error(
        "the connection to {url} ended before the answer came: {reason}\nThe call may go on: `dormouse tasks` shows where it stands."
    )]
    Lost { url: String, reason: String },
    #[error("no answer came from {url} within {}", duration::format(*within))]
    Slow { url: String, within: Duration },
    #[error(
        "no answer came within {}; the call was cancelled\nGive it more time with --timeout.",
        duration::format(*.0)
    )]
    TimedOut(Duration),
    #[error("{0}")]
    Usage(String),
    #[error("cannot write the result: {0}")]
    Output(std::io::Error),
    #[error("{refused} of {of} events are refused; each is told above by its line")]
    SomeRefused { refused: u64, of: u64 },
    /// The tool answered with `isError`; its words are printed already.
    #[error("the tool failed")]
    Tool,
    #[error("interrupted; the call was cancelled")]
    Interrupted,
    /// Whoever read our output has seen enough.
    #[error("the reader of the output is gone")]
    PipeClosed,
}

impl Failure {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::PipeClosed => 0,
            Self::Usage(_) | Self::Url { .. } => 2,
            Self::Interrupted => 130,
            Self::Unreachable { .. }
            | Self::Token
            | Self::Refused { .. }
            | Self::Rpc { .. }
            | Self::Strange { .. }
            | Self::Lost { .. }
            | Self::Slow { .. }
            | Self::TimedOut(_)
            | Self::Output(_)
            | Self::SomeRefused { .. }
            | Self::Tool => 1,
        }
    }

    /// Says it on stderr, unless it has been said or nobody needs to hear it.
    pub(super) fn report(self) -> ExitCode {
        if !matches!(self, Self::Tool | Self::PipeClosed) {
            super::print::note(&format!("dormouse: {self}"));
        }
        ExitCode::from(self.exit_code())
    }
}
