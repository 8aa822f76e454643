//! Evaluation of calls.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::attributes::Attributes;
use crate::error::Error;
use crate::evaluate::{self, Result};
use crate::function::{BuiltIn, Joined, Parameter, Target, built_in};
use crate::node::{Call, Node};
use crate::value::{Type, Value};

pub(crate) fn call<'a, A: Attributes + ?Sized>(call: &'a Call, event: &'a A) -> Result<'a> {
    let arguments = Arguments(&call.arguments, event);
    match &call.target {
        Target::BuiltIn(function) => call_built_in(*function, arguments),
        Target::User(function) => {
            let signature = function.signature();
            let given = (0..call.arguments.len())
                .map(|index| match signature.parameter(index) {
                    Parameter::Any => arguments.any(index),
                    Parameter::Of(ty) => Ok(arguments.any(index)?.cast(ty)?),
                })
                .collect::<Result<'a, Vec<_>>>()?;
            function.call(&given)
        }
        Target::Missing => Err(Error::MissingFunction {
            name: Cow::Borrowed(&call.name),
            arguments: call.arguments.len(),
        }
        .into()),
    }
}

fn call_built_in<'a, A: Attributes + ?Sized>(
    function: BuiltIn,
    arguments: Arguments<'a, A>,
) -> Result<'a> {
    let text = |index| arguments.text(index);
    let integer = |index| arguments.integer(index);
    match function {
        BuiltIn::Abs => built_in::abs(integer(0)?),
        BuiltIn::Bool => Ok(Value::Boolean(arguments.any(0)?.into_boolean()?)),
        BuiltIn::Concat => arguments.join(function, "", 0),
        BuiltIn::ConcatWs => arguments.join(function, &text(0)?, 1),
        BuiltIn::Int => Ok(Value::Integer(integer(0)?)),
        BuiltIn::IsBool => Ok(arguments.any(0)?.cast(Type::Boolean).is_ok().into()),
        BuiltIn::IsInt => Ok(arguments.any(0)?.cast(Type::Integer).is_ok().into()),
        BuiltIn::Left => built_in::left(text(0)?, integer(1)?).map(Value::String),
        BuiltIn::Length => Ok(built_in::length(&text(0)?)),
        BuiltIn::Lower => Ok(Value::String(built_in::lower(text(0)?))),
        BuiltIn::Right => built_in::right(text(0)?, integer(1)?).map(Value::String),
        BuiltIn::String => Ok(Value::String(text(0)?)),
        BuiltIn::Substring => built_in::substring(text(0)?, integer(1)?, None).map(Value::String),
        BuiltIn::SubstringOfLength => {
            built_in::substring(text(0)?, integer(1)?, Some(integer(2)?)).map(Value::String)
        }
        BuiltIn::Trim => Ok(Value::String(built_in::trim(text(0)?))),
        BuiltIn::Upper => Ok(Value::String(built_in::upper(text(0)?))),
    }
}

/// The arguments of a call, evaluated as they are asked for; a call has as many as its function
/// takes. What stands beside an error of an argument is of no use to the call.
struct Arguments<'a, A: ?Sized>(&'a [Node], &'a A);

impl<'a, A: Attributes + ?Sized> Arguments<'a, A> {
    fn any(&self, index: usize) -> Result<'a> {
        evaluate::any(&self.0[index], self.1).map_err(|failure| failure.error.into())
    }

    fn text(&self, index: usize) -> Result<'a, Cow<'a, str>> {
        evaluate::text(&self.0[index], self.1).map_err(|failure| failure.error.into())
    }

    fn integer(&self, index: usize) -> Result<'a, i32> {
        evaluate::integer(&self.0[index], self.1).map_err(|failure| failure.error.into())
    }

    fn join(&self, function: BuiltIn, delimiter: &str, from: usize) -> Result<'a> {
        let mut joined = Joined::new(function);
        for index in from..self.0.len() {
            if index > from {
                joined.push(delimiter)?;
            }
            joined.push(&self.text(index)?)?;
        }
        Ok(joined.finish())
    }
}
