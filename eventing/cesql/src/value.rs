//! The three types of the language, their values, and the casts between them.

use alloc::borrow::Cow;
use alloc::format;
use core::fmt;

use crate::error::Error;

/// A type of the language (specification, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// `true` or `false`.
    Boolean,
    /// A whole number from -2,147,483,648 to 2,147,483,647.
    Integer,
    /// A sequence of Unicode characters.
    String,
}

impl Type {
    /// The value that stands where an error left none: `false`, `0` or the empty string.
    #[must_use]
    pub const fn zero(self) -> Value<'static> {
        match self {
            Self::Boolean => Value::Boolean(false),
            Self::Integer => Value::Integer(0),
            Self::String => Value::String(Cow::Borrowed("")),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "Boolean",
            Self::Integer => "Integer",
            Self::String => "String",
        })
    }
}

/// A value of the language. Texts of events and of literals are borrowed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value<'a> {
    /// A Boolean.
    Boolean(bool),
    /// An Integer.
    Integer(i32),
    /// A String. URIs, timestamps and binary attributes are Strings too, in their canonical form.
    String(Cow<'a, str>),
}

impl<'a> Value<'a> {
    /// The value's type.
    #[must_use]
    #[inline]
    pub const fn ty(&self) -> Type {
        match self {
            Self::Boolean(_) => Type::Boolean,
            Self::Integer(_) => Type::Integer,
            Self::String(_) => Type::String,
        }
    }

    /// The same value, lent.
    #[must_use]
    pub fn as_borrowed(&self) -> Value<'_> {
        match self {
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::String(text) => Value::String(Cow::Borrowed(text)),
        }
    }

    /// The same value, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Boolean(value) => Value::Boolean(value),
            Self::Integer(value) => Value::Integer(value),
            Self::String(text) => Value::String(Cow::Owned(text.into_owned())),
        }
    }

    /// Casts to a Boolean (section 3.7): `0` is `false` and every other Integer `true`; a String
    /// must be `true` or `false` in any case.
    ///
    /// # Errors
    /// [`Error::Cast`].
    #[inline]
    pub fn into_boolean(self) -> Result<bool, Error<'a>> {
        match self {
            Self::Boolean(value) => Ok(value),
            Self::Integer(value) => Ok(value != 0),
            Self::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Self::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Self::String(value) => Err(Error::Cast {
                value,
                to: Type::Boolean,
            }),
        }
    }

    /// Casts to an Integer (section 3.7): `true` is `1` and `false` is `0`; a String must be a
    /// 32-bit number in base 10, with or without a sign.
    ///
    /// # Errors
    /// [`Error::Cast`].
    #[inline]
    pub fn into_integer(self) -> Result<i32, Error<'a>> {
        match self {
            Self::Boolean(value) => Ok(value.into()),
            Self::Integer(value) => Ok(value),
            Self::String(value) => value.parse().map_err(|_| Error::Cast {
                value,
                to: Type::Integer,
            }),
        }
    }

    /// Casts to a String (section 3.7): `true`, `false`, or the number in base 10. Never fails.
    #[must_use]
    #[inline]
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
            Self::Integer(value) => Cow::Owned(format!("{value}")),
            Self::String(text) => text,
        }
    }

    /// Casts to a type.
    ///
    /// # Errors
    /// [`Error::Cast`].
    pub fn cast(self, to: Type) -> Result<Self, Error<'a>> {
        match to {
            Type::Boolean => self.into_boolean().map(Self::Boolean),
            Type::Integer => self.into_integer().map(Self::Integer),
            Type::String => Ok(Self::String(self.into_text())),
        }
    }
}

/// The value as text, as [`Value::into_text`] gives it.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::String(text) => text.fmt(f),
        }
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i32> for Value<'_> {
    fn from(value: i32) -> Self {
        Self::Integer(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(Cow::Borrowed(text))
    }
}

impl From<alloc::string::String> for Value<'_> {
    fn from(text: alloc::string::String) -> Self {
        Self::String(Cow::Owned(text))
    }
}
