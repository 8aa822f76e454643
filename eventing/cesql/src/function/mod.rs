//! Functions: those of the specification and those that users add.

pub(crate) mod built_in;
mod registry;
mod user;

use alloc::sync::Arc;

use crate::value::Type;

pub(crate) use built_in::{BuiltIn, Joined};
pub use registry::{Functions, InvalidFunction};
pub use user::Function;

/// What a function takes in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// The argument as it is.
    Any,
    /// The argument, cast to the type.
    Of(Type),
}

impl From<Type> for Parameter {
    fn from(ty: Type) -> Self {
        Self::Of(ty)
    }
}

/// What tells functions apart, and what they take and return.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signature<'f> {
    pub(crate) name: &'f str,
    pub(crate) fixed: &'f [Parameter],
    /// What each argument behind the fixed ones is; `None` when there is none.
    pub(crate) variadic: Option<Parameter>,
    pub(crate) returns: Type,
}

impl Signature<'_> {
    fn takes(&self, arguments: usize) -> bool {
        match self.variadic {
            Some(_) => arguments >= self.fixed.len(),
            None => arguments == self.fixed.len(),
        }
    }

    pub(crate) fn parameter(&self, index: usize) -> Parameter {
        let fixed = self.fixed.get(index).copied();
        fixed.or(self.variadic).unwrap_or(Parameter::Any)
    }
}

/// What a call calls, found when the expression is parsed.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    BuiltIn(BuiltIn),
    User(Arc<Function>),
    Missing,
}

impl Target {
    /// A missing function's value is `false` (section 3.5).
    pub(crate) fn returns(&self) -> Type {
        match self {
            Self::BuiltIn(it) => it.signature().returns,
            Self::User(function) => function.signature().returns,
            Self::Missing => Type::Boolean,
        }
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::BuiltIn(one), Self::BuiltIn(other)) => one == other,
            (Self::User(one), Self::User(other)) => Arc::ptr_eq(one, other),
            (Self::Missing, Self::Missing) => true,
            (Self::BuiltIn(_) | Self::User(_) | Self::Missing, _) => false,
        }
    }
}
