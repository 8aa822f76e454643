//! Evaluation, as section 4.1 of the specification describes it for filters: it ends with the
//! first error. The operator or function that raises it says what value stands beside it; what
//! encloses that one gives the zero value of its type.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::attributes::Attributes;
use crate::error::Error;
use crate::function::{BuiltIn, Joined, Parameter, Target, built_in};
use crate::node::{Call, Chain, Comparison, In, Like, Logic, Node, Product, Sum};
use crate::value::{Type, Value};

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) error: Error<'a>,
    /// The value beside it, unless that is the zero value of what encloses.
    pub(crate) value: Option<Value<'a>>,
}

impl<'a> From<Error<'a>> for Failure<'a> {
    fn from(error: Error<'a>) -> Self {
        Self { error, value: None }
    }
}

type Result<'a, T = Value<'a>> = core::result::Result<T, Failure<'a>>;

/// The value of an operand: its error is kept, the value beside that is not.
fn operand<'a, A: Attributes + ?Sized>(node: &'a Node, event: &'a A) -> Result<'a> {
    evaluate(node, event).map_err(|failure| failure.error.into())
}

pub(crate) fn evaluate<'a, A: Attributes + ?Sized>(node: &'a Node, event: &'a A) -> Result<'a> {
    match node {
        Node::Boolean(value) => Ok(Value::Boolean(*value)),
        Node::Integer(value) => Ok(Value::Integer(*value)),
        Node::String(text) => Ok(Value::String(Cow::Borrowed(text))),
        Node::Attribute(name) => attribute(name, event),
        Node::Exists(name) => Ok(Value::Boolean(exists(name, event))),
        Node::Not(it) => Ok(Value::Boolean(!operand(it, event)?.into_boolean()?)),
        Node::Negate(it) => {
            let number = operand(it, event)?.into_integer()?;
            number
                .checked_neg()
                .map(Value::Integer)
                .ok_or_else(overflow)
        }
        Node::Like(like) => is_like(like, event),
        Node::In(it) => is_in(it, event),
        Node::Product(chain) => fold_numbers(chain, event, multiply),
        Node::Sum(chain) => fold_numbers(chain, event, add),
        Node::Comparison(chain) => compare(chain, event),
        Node::Logic(chain) => decide(chain, event),
        Node::Call(it) => call(it, event),
    }
}

fn attribute<'a, A: Attributes + ?Sized>(name: &'a str, event: &'a A) -> Result<'a> {
    let value = event.get(name);
    value.ok_or_else(|| Error::MissingAttribute(Cow::Borrowed(name)).into())
}

/// The attributes that every event has are not looked up (section 3.4.4).
fn exists<A: Attributes + ?Sized>(name: &str, event: &A) -> bool {
    matches!(name, "id" | "source" | "specversion" | "type") || event.get(name).is_some()
}

fn is_like<'a, A: Attributes + ?Sized>(like: &'a Like, event: &'a A) -> Result<'a> {
    let text = operand(&like.operand, event)?.into_text();
    match like.pattern.matches(&text) {
        Ok(matches) => Ok(Value::Boolean(matches != like.negated)),
        Err(crate::pattern::TooManySteps) => {
            Err(Error::Generic("LIKE: the pattern takes too many steps for this text").into())
        }
    }
}

/// As `=`, but it is the left operand's type that is cast to (section 3.4.5).
fn is_in<'a, A: Attributes + ?Sized>(it: &'a In, event: &'a A) -> Result<'a> {
    let wanted = operand(&it.operand, event)?;
    for element in &it.set {
        if operand(element, event)?.cast(wanted.ty())? == wanted {
            return Ok(Value::Boolean(!it.negated));
        }
    }
    Ok(Value::Boolean(it.negated))
}

fn fold_numbers<'a, A: Attributes + ?Sized, Operator>(
    chain: &'a Chain<Operator>,
    event: &'a A,
    apply: fn(&Operator, i32, i32) -> core::result::Result<i32, Error<'static>>,
) -> Result<'a> {
    let mut left = operand(&chain.first, event)?;
    for (operator, node) in &chain.rest {
        // Both operands are evaluated before either is cast, so a missing attribute is told first.
        let right = operand(node, event)?;
        let (x, y) = (left.into_integer()?, right.into_integer()?);
        left = Value::Integer(apply(operator, x, y)?);
    }
    Ok(left)
}

fn multiply(operator: &Product, x: i32, y: i32) -> core::result::Result<i32, Error<'static>> {
    match operator {
        Product::Times => x.checked_mul(y).ok_or(OVERFLOW),
        Product::Divide | Product::Remainder if y == 0 => Err(Error::Math("division by zero")),
        Product::Divide => x.checked_div(y).ok_or(OVERFLOW),
        // The remainder of -2147483648 by -1 is 0, although the quotient overflows.
        Product::Remainder => Ok(x.wrapping_rem(y)),
    }
}

fn add(operator: &Sum, x: i32, y: i32) -> core::result::Result<i32, Error<'static>> {
    let sum = match operator {
        Sum::Plus => x.checked_add(y),
        Sum::Minus => x.checked_sub(y),
    };
    sum.ok_or(OVERFLOW)
}

const OVERFLOW: Error<'static> = Error::Math("the result is beyond -2147483648 to 2147483647");

fn overflow<'a>() -> Failure<'a> {
    OVERFLOW.into()
}

/// `=` and `!=` cast the left operand to the type of the right one (section 3.7); the others
/// compare Integers.
fn compare<'a, A: Attributes + ?Sized>(chain: &'a Chain<Comparison>, event: &'a A) -> Result<'a> {
    let mut left = operand(&chain.first, event)?;
    for (operator, node) in &chain.rest {
        let right = operand(node, event)?;
        let holds = match operator {
            Comparison::Equal => left.cast(right.ty())? == right,
            Comparison::NotEqual => left.cast(right.ty())? != right,
            Comparison::Less => order(left, right)?.is_lt(),
            Comparison::LessOrEqual => order(left, right)?.is_le(),
            Comparison::Greater => order(left, right)?.is_gt(),
            Comparison::GreaterOrEqual => order(left, right)?.is_ge(),
        };
        left = Value::Boolean(holds);
    }
    Ok(left)
}

fn order<'a>(left: Value<'a>, right: Value<'a>) -> Result<'a, Ordering> {
    Ok(left.into_integer()?.cmp(&right.into_integer()?))
}

/// From left to right, leaving out what cannot change the result (section 3.4.2).
fn decide<'a, A: Attributes + ?Sized>(chain: &'a Chain<Logic>, event: &'a A) -> Result<'a> {
    let mut left = operand(&chain.first, event)?.into_boolean()?;
    for (operator, node) in &chain.rest {
        let right = || -> Result<'a, bool> { Ok(operand(node, event)?.into_boolean()?) };
        left = match operator {
            Logic::And => left && right()?,
            Logic::Or => left || right()?,
            Logic::Xor => left != right()?,
        };
    }
    Ok(Value::Boolean(left))
}

fn call<'a, A: Attributes + ?Sized>(call: &'a Call, event: &'a A) -> Result<'a> {
    match &call.target {
        Target::BuiltIn(it) => call_built_in(*it, Arguments(&call.arguments, event)),
        Target::User(function) => {
            let signature = function.signature();
            let arguments = Arguments(&call.arguments, event);
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
        BuiltIn::Int => Ok(Value::Integer(arguments.any(0)?.into_integer()?)),
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
/// takes.
struct Arguments<'a, A: ?Sized>(&'a [Node], &'a A);

impl<'a, A: Attributes + ?Sized> Arguments<'a, A> {
    fn any(&self, index: usize) -> Result<'a> {
        operand(&self.0[index], self.1)
    }

    fn text(&self, index: usize) -> Result<'a, Cow<'a, str>> {
        Ok(self.any(index)?.into_text())
    }

    fn integer(&self, index: usize) -> Result<'a, i32> {
        Ok(self.any(index)?.into_integer()?)
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
