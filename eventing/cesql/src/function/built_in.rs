//! The functions of the specification (sections 3.5.1 and 3.5.2), and those for casts.
//!
//! Characters are counted and cut as Unicode scalar values.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::string::String;
use core::ops::Range;

use super::{Parameter, Signature};
use crate::error::Error;
use crate::evaluate::Failure;
use crate::value::{Type, Value};

/// A concatenation is at most so many bytes long: else a short expression could fill the memory.
const MAX_JOINED: usize = 1_048_576;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    Abs,
    Bool,
    Concat,
    ConcatWs,
    Int,
    IsBool,
    IsInt,
    Left,
    Length,
    Lower,
    Right,
    String,
    Substring,
    SubstringOfLength,
    Trim,
    Upper,
}

const ANY: Parameter = Parameter::Any;
const INTEGER: Parameter = Parameter::Of(Type::Integer);
const TEXT: Parameter = Parameter::Of(Type::String);

impl BuiltIn {
    pub(crate) const ALL: [Self; 16] = [
        Self::Abs,
        Self::Bool,
        Self::Concat,
        Self::ConcatWs,
        Self::Int,
        Self::IsBool,
        Self::IsInt,
        Self::Left,
        Self::Length,
        Self::Lower,
        Self::Right,
        Self::String,
        Self::Substring,
        Self::SubstringOfLength,
        Self::Trim,
        Self::Upper,
    ];

    pub(crate) const fn signature(self) -> Signature<'static> {
        let (name, fixed, returns): (_, &[Parameter], _) = match self {
            Self::Abs => ("ABS", &[INTEGER], Type::Integer),
            Self::Bool => ("BOOL", &[ANY], Type::Boolean),
            Self::Concat => ("CONCAT", &[], Type::String),
            Self::ConcatWs => ("CONCAT_WS", &[TEXT], Type::String),
            Self::Int => ("INT", &[ANY], Type::Integer),
            Self::IsBool => ("IS_BOOL", &[ANY], Type::Boolean),
            Self::IsInt => ("IS_INT", &[ANY], Type::Boolean),
            Self::Left => ("LEFT", &[TEXT, INTEGER], Type::String),
            Self::Length => ("LENGTH", &[TEXT], Type::Integer),
            Self::Lower => ("LOWER", &[TEXT], Type::String),
            Self::Right => ("RIGHT", &[TEXT, INTEGER], Type::String),
            Self::String => ("STRING", &[ANY], Type::String),
            Self::Substring => ("SUBSTRING", &[TEXT, INTEGER], Type::String),
            Self::SubstringOfLength => ("SUBSTRING", &[TEXT, INTEGER, INTEGER], Type::String),
            Self::Trim => ("TRIM", &[TEXT], Type::String),
            Self::Upper => ("UPPER", &[TEXT], Type::String),
        };
        let variadic = match self {
            Self::Concat | Self::ConcatWs => Some(TEXT),
            _ => None,
        };
        Signature {
            name,
            fixed,
            variadic,
            returns,
        }
    }

    fn failure<'a>(self, value: Cow<'a, str>, reason: &'static str) -> Failure<'a> {
        Failure {
            value: Some(Value::String(value)),
            error: Error::FunctionEvaluation {
                function: self.signature().name.into(),
                reason: reason.into(),
            },
        }
    }
}

pub(crate) fn abs<'a>(number: i32) -> Result<Value<'a>, Failure<'a>> {
    match number.checked_abs() {
        Some(positive) => Ok(Value::Integer(positive)),
        None => Err(Failure {
            value: Some(Value::Integer(i32::MAX)),
            error: Error::Math("ABS: the absolute value is beyond 2147483647"),
        }),
    }
}

pub(crate) fn length(text: &str) -> Value<'static> {
    Value::Integer(i32::try_from(text.chars().count()).unwrap_or(i32::MAX))
}

pub(crate) fn lower(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_lower = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if text.bytes().all(is_lower) {
        return text;
    }
    Cow::Owned(text.to_lowercase())
}

pub(crate) fn upper(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_upper = |byte: u8| byte.is_ascii() && !byte.is_ascii_lowercase();
    if text.bytes().all(is_upper) {
        return text;
    }
    Cow::Owned(text.to_uppercase())
}

pub(crate) fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    let start = text.len() - text.trim_start().len();
    let length = text.trim().len();
    cut(text, start..start + length)
}

pub(crate) fn left(text: Cow<'_, str>, count: i32) -> Result<Cow<'_, str>, Failure<'_>> {
    let Ok(count) = usize::try_from(count) else {
        return Err(BuiltIn::Left.failure(text, "the number of characters is negative"));
    };
    let end = byte_at(&text, count);
    Ok(cut(text, 0..end))
}

pub(crate) fn right(text: Cow<'_, str>, count: i32) -> Result<Cow<'_, str>, Failure<'_>> {
    let Ok(count) = usize::try_from(count) else {
        return Err(BuiltIn::Right.failure(text, "the number of characters is negative"));
    };
    let skipped = text.chars().count().saturating_sub(count);
    let range = byte_at(&text, skipped)..text.len();
    Ok(cut(text, range))
}

/// `SUBSTRING` with two arguments, or with three when there is a `length`.
pub(crate) fn substring(
    text: Cow<'_, str>,
    position: i32,
    length: Option<i32>,
) -> Result<Cow<'_, str>, Failure<'_>> {
    let failure = |reason| BuiltIn::Substring.failure(Cow::Borrowed(""), reason);
    let Ok(length) = length.map(usize::try_from).transpose() else {
        return Err(failure("the length is negative"));
    };
    let distance = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
    let characters = text.chars().count();
    if distance > characters {
        return Err(failure("the position is outside of the text"));
    }
    let first = match position.signum() {
        0 => return Ok(Cow::Borrowed("")),
        1 => distance - 1,
        _ => characters - distance,
    };
    let start = byte_at(&text, first);
    let end = match length {
        Some(length) => start + byte_at(&text[start..], length),
        None => text.len(),
    };
    Ok(cut(text, start..end))
}

/// Where the character with this index starts; the text's end when it has fewer.
fn byte_at(text: &str, index: usize) -> usize {
    let place = text.char_indices().nth(index);
    place.map_or(text.len(), |(byte, _)| byte)
}

fn cut(text: Cow<'_, str>, range: Range<usize>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}

/// What `CONCAT` and `CONCAT_WS` make, piece by piece.
pub(crate) struct Joined {
    function: BuiltIn,
    text: String,
}

impl Joined {
    pub(crate) fn new(function: BuiltIn) -> Self {
        let text = String::new();
        Self { function, text }
    }

    pub(crate) fn push<'a>(&mut self, piece: &str) -> Result<(), Failure<'a>> {
        if self.text.len() + piece.len() > MAX_JOINED {
            let reason = "the text would be longer than 1048576 bytes";
            return Err(self.function.failure(Cow::Borrowed(""), reason));
        }
        self.text.push_str(piece);
        Ok(())
    }

    pub(crate) fn finish<'a>(self) -> Value<'a> {
        Value::String(Cow::Owned(self.text))
    }
}
