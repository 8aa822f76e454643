//! Which functions there are, and which of them a call means.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::{BuiltIn, Function, Signature, Target};
use crate::parse::is_function_name;

/// The functions that expressions may call: those of the specification and the added ones.
#[derive(Debug, Clone, Default)]
pub struct Functions {
    added: Vec<Arc<Function>>,
}

/// Why a function cannot be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidFunction {
    /// The grammar takes no such name for a function's (section 2.4).
    Name(String),
    /// There is a function of this name already that takes so many arguments.
    Exists {
        /// The name.
        name: String,
        /// The number of fixed parameters.
        arity: usize,
    },
    /// A call could mean two functions: of a name at most one function is variadic, and it has
    /// more fixed parameters than any other of the name (section 3.5).
    Ambiguous {
        /// The name.
        name: String,
    },
}

impl Functions {
    /// Adds a function.
    ///
    /// # Errors
    /// When its name is none, or when calls could mean it and another function.
    pub fn add(&mut self, function: Function) -> Result<(), InvalidFunction> {
        let new = function.signature();
        if !is_function_name(new.name) {
            return Err(InvalidFunction::Name(new.name.into()));
        }
        for old in self.signatures().filter(|old| old.name == new.name) {
            check_apart(old, new)?;
        }
        self.added.push(Arc::new(function));
        Ok(())
    }

    pub(crate) fn resolve(&self, name: &str, arguments: usize) -> Target {
        let meant = |signature: Signature<'_>| signature.name == name && signature.takes(arguments);
        if let Some(built_in) = BuiltIn::ALL.into_iter().find(|it| meant(it.signature())) {
            return Target::BuiltIn(built_in);
        }
        match self.added.iter().find(|it| meant(it.signature())) {
            Some(function) => Target::User(Arc::clone(function)),
            None => Target::Missing,
        }
    }

    fn signatures(&self) -> impl Iterator<Item = Signature<'_>> {
        let built_in = BuiltIn::ALL
            .into_iter()
            .map(|it| -> Signature<'_> { it.signature() });
        built_in.chain(self.added.iter().map(|function| function.signature()))
    }
}

/// Whether no call could mean both.
fn check_apart(old: Signature<'_>, new: Signature<'_>) -> Result<(), InvalidFunction> {
    let (old_arity, new_arity) = (old.fixed.len(), new.fixed.len());
    let name = || new.name.into();
    match (old.variadic, new.variadic) {
        (None, None) if old_arity == new_arity => Err(InvalidFunction::Exists {
            name: name(),
            arity: new_arity,
        }),
        (None, None) => Ok(()),
        (Some(_), None) if old_arity > new_arity => Ok(()),
        (None, Some(_)) if new_arity > old_arity => Ok(()),
        (Some(_), _) | (None, Some(_)) => Err(InvalidFunction::Ambiguous { name: name() }),
    }
}

impl fmt::Display for InvalidFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "`{name}` cannot be a function's name: it starts with a letter, has letters and \
                 `_` only, and is no keyword"
            ),
            Self::Exists { name, arity } => {
                write!(
                    f,
                    "there is a function {name} with {arity} parameters already"
                )
            }
            Self::Ambiguous { name } => write!(
                f,
                "calls of {name} could mean two functions: one variadic function of a name is \
                 allowed, with more fixed parameters than any other of that name has"
            ),
        }
    }
}

impl core::error::Error for InvalidFunction {}
