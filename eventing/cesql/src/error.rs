//! What can go wrong: an expression that is none, and errors that come with a value.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::string::String;
use core::fmt;

use crate::value::Type;

/// The kinds of error that the specification names (section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is no expression: a [`ParseError`].
    Parse,
    /// A mathematical operation went wrong.
    Math,
    /// A value could not be cast, implicitly or explicitly.
    Cast,
    /// The event does not have the attribute.
    MissingAttribute,
    /// No function of this name takes so many arguments.
    MissingFunction,
    /// A function could not be evaluated.
    FunctionEvaluation,
    /// Anything else.
    Generic,
}

impl ErrorKind {
    /// The kind as the specification writes it, e.g. `missingAttribute`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Math => "math",
            Self::Cast => "cast",
            Self::MissingAttribute => "missingAttribute",
            Self::MissingFunction => "missingFunction",
            Self::FunctionEvaluation => "functionEvaluation",
            Self::Generic => "generic",
        }
    }
}

/// What went wrong in an evaluation; it stands beside a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error<'a> {
    /// [`ErrorKind::Math`], in words.
    Math(&'static str),
    /// [`ErrorKind::Cast`].
    Cast {
        /// What could not be cast.
        value: Cow<'a, str>,
        /// The type that was wanted.
        to: Type,
    },
    /// [`ErrorKind::MissingAttribute`], with the attribute's name.
    MissingAttribute(Cow<'a, str>),
    /// [`ErrorKind::MissingFunction`].
    MissingFunction {
        /// The name, in upper case.
        name: Cow<'a, str>,
        /// The number of arguments that it was called with.
        arguments: usize,
    },
    /// [`ErrorKind::FunctionEvaluation`].
    FunctionEvaluation {
        /// The function, in upper case.
        function: Cow<'a, str>,
        /// What it says.
        reason: Cow<'a, str>,
    },
    /// [`ErrorKind::Generic`], in words.
    Generic(&'static str),
}

impl Error<'_> {
    /// Which of the specification's kinds it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Math(_) => ErrorKind::Math,
            Self::Cast { .. } => ErrorKind::Cast,
            Self::MissingAttribute(_) => ErrorKind::MissingAttribute,
            Self::MissingFunction { .. } => ErrorKind::MissingFunction,
            Self::FunctionEvaluation { .. } => ErrorKind::FunctionEvaluation,
            Self::Generic(_) => ErrorKind::Generic,
        }
    }

    /// The same error, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Error<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Math(words) => Error::Math(words),
            Self::Cast { value, to } => Error::Cast {
                value: owned(value),
                to,
            },
            Self::MissingAttribute(name) => Error::MissingAttribute(owned(name)),
            Self::MissingFunction { name, arguments } => Error::MissingFunction {
                name: owned(name),
                arguments,
            },
            Self::FunctionEvaluation { function, reason } => Error::FunctionEvaluation {
                function: owned(function),
                reason: owned(reason),
            },
            Self::Generic(words) => Error::Generic(words),
        }
    }
}

impl fmt::Display for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Math(words) | Self::Generic(words) => f.write_str(words),
            Self::Cast { value, to } => write!(f, "`{value}` cannot be cast to {to}"),
            Self::MissingAttribute(name) => write!(f, "the event has no attribute `{name}`"),
            Self::MissingFunction { name, arguments: 1 } => {
                write!(f, "there is no function {name} of 1 argument")
            }
            Self::MissingFunction { name, arguments } => {
                write!(f, "there is no function {name} of {arguments} arguments")
            }
            Self::FunctionEvaluation { function, reason } => write!(f, "{function}: {reason}"),
        }
    }
}

impl core::error::Error for Error<'_> {}

/// Why a text is no expression: where, what was expected there, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    offset: usize,
    column: usize,
    message: String,
}

impl ParseError {
    pub(crate) fn new(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        Self {
            offset,
            column: before.chars().count() + 1,
            message: message.into(),
        }
    }

    /// Where in the text, in bytes from 0.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Where in the text, in characters from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What was expected and found, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// [`ErrorKind::Parse`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Parse
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.column, self.message)
    }
}

impl core::error::Error for ParseError {}

/// What a function of yours says when it fails.
///
/// ```
/// use dormouse_cesql::{FunctionError, Value};
///
/// let plain = FunctionError::from("the list is empty");
/// let with_value = FunctionError::new("cut at 100 characters").with_value(Value::from("abc"));
/// # let _ = (plain, with_value);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError<'a> {
    pub(crate) reason: Cow<'static, str>,
    pub(crate) value: Option<crate::Value<'a>>,
}

impl<'a> FunctionError<'a> {
    /// An error without a value: the zero value of the function's return type stands beside it.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason: reason.into(),
            value: None,
        }
    }

    /// The same error with a value of the function's return type beside it.
    #[must_use]
    pub fn with_value(mut self, value: crate::Value<'a>) -> Self {
        self.value = Some(value);
        self
    }
}

impl From<&str> for FunctionError<'_> {
    fn from(reason: &str) -> Self {
        Self::new(reason.to_owned())
    }
}

impl From<String> for FunctionError<'_> {
    fn from(reason: String) -> Self {
        Self::new(reason)
    }
}
