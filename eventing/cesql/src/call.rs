//! Evaluation of calls.

use alloc::borrow::Cow;

use crate::attributes::Attributes;
use crate::error::Error;
use crate::evaluate::Evaluator;
use crate::function::{BuiltIn, Function, Joined, Parameter, Target, built_in};
use crate::node::{Call, Node};
use crate::value::{Type, Value};

impl<'a, A: Attributes + ?Sized> Evaluator<'a, A> {
    pub(crate) fn call(&mut self, call: &'a Call) -> Option<Value<'a>> {
        let arguments = Arguments(self, &call.arguments);
        match &call.target {
            Target::BuiltIn(function) => arguments.call_built_in(*function),
            Target::User(function) => arguments.call_user(function),
            Target::Missing => self.raise(Error::MissingFunction {
                name: Cow::Borrowed(&call.name),
                arguments: call.arguments.len(),
            }),
        }
    }
}

/// The arguments of a call, evaluated as they are asked for; a call has as many as its function
/// takes.
struct Arguments<'e, 'a, A: ?Sized>(&'e mut Evaluator<'a, A>, &'a [Node]);

impl<'a, A: Attributes + ?Sized> Arguments<'_, 'a, A> {
    fn call_built_in(mut self, function: BuiltIn) -> Option<Value<'a>> {
        let text = match function {
            BuiltIn::Abs => {
                let number = self.integer(0)?;
                return self.0.keep(built_in::abs(number));
            }
            BuiltIn::Bool => return self.cast(Type::Boolean),
            BuiltIn::Int => return self.cast(Type::Integer),
            BuiltIn::IsBool => return self.try_cast(Type::Boolean),
            BuiltIn::IsInt => return self.try_cast(Type::Integer),
            BuiltIn::Length => return Some(built_in::length(&self.text(0)?)),
            BuiltIn::Concat => return self.join(function, "", 0),
            BuiltIn::ConcatWs => {
                let delimiter = self.text(0)?;
                return self.join(function, &delimiter, 1);
            }
            BuiltIn::Left => {
                let (text, count) = (self.text(0)?, self.integer(1)?);
                self.0.keep(built_in::left(text, count))?
            }
            BuiltIn::Right => {
                let (text, count) = (self.text(0)?, self.integer(1)?);
                self.0.keep(built_in::right(text, count))?
            }
            BuiltIn::Substring => {
                let (text, position) = (self.text(0)?, self.integer(1)?);
                self.0.keep(built_in::substring(text, position, None))?
            }
            BuiltIn::SubstringOfLength => {
                let (text, position) = (self.text(0)?, self.integer(1)?);
                let length = Some(self.integer(2)?);
                self.0.keep(built_in::substring(text, position, length))?
            }
            BuiltIn::Lower => built_in::lower(self.text(0)?),
            BuiltIn::String => self.text(0)?,
            BuiltIn::Trim => built_in::trim(self.text(0)?),
            BuiltIn::Upper => built_in::upper(self.text(0)?),
        };
        Some(Value::String(text))
    }

    fn call_user(mut self, function: &'a Function) -> Option<Value<'a>> {
        let signature = function.signature();
        let mut given = alloc::vec::Vec::with_capacity(self.1.len());
        for index in 0..self.1.len() {
            given.push(match signature.parameter(index) {
                Parameter::Any => self.any(index)?,
                Parameter::Of(ty) => {
                    let value = self.any(index)?;
                    self.0.keep(value.cast(ty))?
                }
            });
        }
        self.0.keep(function.call(&given))
    }

    fn cast(mut self, to: Type) -> Option<Value<'a>> {
        let value = self.any(0)?;
        self.0.keep(value.cast(to))
    }

    fn try_cast(mut self, to: Type) -> Option<Value<'a>> {
        Some(self.any(0)?.cast(to).is_ok().into())
    }

    fn join(mut self, function: BuiltIn, delimiter: &str, from: usize) -> Option<Value<'a>> {
        let mut joined = Joined::new(function);
        for index in from..self.1.len() {
            if index > from {
                self.0.keep(joined.push(delimiter))?;
                let spent = self.0.work.spend(delimiter.len());
                self.0.keep(spent)?;
            }
            let piece = self.text(index)?;
            self.0.keep(joined.push(&piece))?;
        }
        Some(joined.finish())
    }

    fn any(&mut self, index: usize) -> Option<Value<'a>> {
        let value = self.0.any(&self.1[index]);
        self.given(value)
    }

    fn text(&mut self, index: usize) -> Option<Cow<'a, str>> {
        let text = self.0.text(&self.1[index]);
        let text = self.given(text)?;
        let spent = self.0.work.spend(text.len());
        self.0.keep(spent)?;
        Some(text)
    }

    fn integer(&mut self, index: usize) -> Option<i32> {
        let number = self.0.integer(&self.1[index]);
        self.given(number)
    }

    /// What stands beside the error of an argument is of no use to the call.
    fn given<T>(&mut self, argument: Option<T>) -> Option<T> {
        if argument.is_none()
            && let Some(failure) = &mut self.0.failure
        {
            failure.value = None;
        }
        argument
    }
}
