//! Evaluation, as section 4.1 of the specification describes it for filters: it ends with the
//! first error. The operator or function that raises it says what value stands beside it; what
//! encloses that one gives the zero value of its type.
//!
//! There is a function for each type that an operator may want of its operand, [`boolean`],
//! [`integer`] and [`text`]: an implicit cast is evaluating a node by one of them.

use alloc::borrow::Cow;
use core::cmp::Ordering;

use crate::attributes::Attributes;
use crate::call::call;
use crate::error::Error;
use crate::node::{Chain, Comparison, In, Like, Logic, Node, Product, Sum};
use crate::value::Value;

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) error: Error<'a>,
    /// What a call says that stands beside it; of use to nobody but who made the call.
    pub(crate) value: Option<Value<'a>>,
}

impl<'a> From<Error<'a>> for Failure<'a> {
    fn from(error: Error<'a>) -> Self {
        Self { error, value: None }
    }
}

pub(crate) type Result<'a, T = Value<'a>> = core::result::Result<T, Failure<'a>>;

/// The value of a whole expression, and the error beside it.
pub(crate) fn conclude<'a, A: Attributes + ?Sized>(
    root: &'a Node,
    event: &'a A,
) -> (Value<'a>, Option<Error<'a>>) {
    match (any(root, event), root) {
        (Ok(value), _) => (value, None),
        (Err(Failure { error, value }), Node::Call(_)) => {
            (value.unwrap_or(root.ty().zero()), Some(error))
        }
        (Err(Failure { error, .. }), _) => (root.ty().zero(), Some(error)),
    }
}

/// The value as it is.
pub(crate) fn any<'a, A: Attributes + ?Sized>(node: &'a Node, event: &'a A) -> Result<'a> {
    match node {
        Node::String(text) => Ok(Value::String(Cow::Borrowed(text))),
        Node::Attribute(name) => match event.get(name) {
            Some(value) => Ok(value),
            None => Err(Error::MissingAttribute(Cow::Borrowed(name)).into()),
        },
        Node::Call(it) => call(it, event),
        Node::Integer(_) | Node::Negate(_) | Node::Product(_) | Node::Sum(_) => {
            integer(node, event).map(Value::Integer)
        }
        Node::Boolean(_)
        | Node::Exists(_)
        | Node::Not(_)
        | Node::Like(_)
        | Node::In(_)
        | Node::Comparison(_)
        | Node::Logic(_) => boolean(node, event).map(Value::Boolean),
    }
}

/// The value, cast to a Boolean.
pub(crate) fn boolean<'a, A: Attributes + ?Sized>(
    node: &'a Node,
    event: &'a A,
) -> Result<'a, bool> {
    match node {
        Node::Boolean(value) => Ok(*value),
        Node::Exists(name) => Ok(exists(name, event)),
        Node::Not(operand) => Ok(!boolean(operand, event)?),
        Node::Like(like) => is_like(like, event),
        Node::In(it) => Ok(is_in(it, event)? != it.negated),
        Node::Comparison(chain) => compare(chain, event),
        Node::Logic(chain) => decide(chain, event),
        Node::Integer(_)
        | Node::String(_)
        | Node::Attribute(_)
        | Node::Negate(_)
        | Node::Product(_)
        | Node::Sum(_)
        | Node::Call(_) => Ok(any(node, event)?.into_boolean()?),
    }
}

/// The value, cast to an Integer.
pub(crate) fn integer<'a, A: Attributes + ?Sized>(node: &'a Node, event: &'a A) -> Result<'a, i32> {
    match node {
        Node::Integer(value) => Ok(*value),
        Node::Negate(operand) => match integer(operand, event)?.checked_neg() {
            Some(number) => Ok(number),
            None => Err(OVERFLOW.into()),
        },
        Node::Product(chain) => fold(chain, event, multiply),
        Node::Sum(chain) => fold(chain, event, add),
        Node::Boolean(_)
        | Node::String(_)
        | Node::Attribute(_)
        | Node::Exists(_)
        | Node::Not(_)
        | Node::Like(_)
        | Node::In(_)
        | Node::Comparison(_)
        | Node::Logic(_)
        | Node::Call(_) => Ok(any(node, event)?.into_integer()?),
    }
}

/// The value, cast to a String.
pub(crate) fn text<'a, A: Attributes + ?Sized>(
    node: &'a Node,
    event: &'a A,
) -> Result<'a, Cow<'a, str>> {
    match node {
        Node::String(text) => Ok(Cow::Borrowed(text)),
        node => any(node, event).map(Value::into_text),
    }
}

/// The attributes that every event has are not looked up (section 3.4.4).
fn exists<A: Attributes + ?Sized>(name: &str, event: &A) -> bool {
    matches!(name, "id" | "source" | "specversion" | "type") || event.get(name).is_some()
}

fn is_like<'a, A: Attributes + ?Sized>(like: &'a Like, event: &'a A) -> Result<'a, bool> {
    let text = text(&like.operand, event)?;
    match like.pattern.matches(&text) {
        Ok(matches) => Ok(matches != like.negated),
        Err(crate::pattern::TooManySteps) => {
            Err(Error::Generic("LIKE: the pattern takes too many steps for this text").into())
        }
    }
}

/// As `=`, but it is the left operand's type that is cast to (section 3.4.5).
fn is_in<'a, A: Attributes + ?Sized>(it: &'a In, event: &'a A) -> Result<'a, bool> {
    let wanted = any(&it.operand, event)?;
    for element in &it.set {
        let equal = match &wanted {
            Value::Boolean(wanted) => boolean(element, event)? == *wanted,
            Value::Integer(wanted) => integer(element, event)? == *wanted,
            Value::String(wanted) => text(element, event)? == *wanted,
        };
        if equal {
            return Ok(true);
        }
    }
    Ok(false)
}

fn fold<'a, A: Attributes + ?Sized, Operator>(
    chain: &'a Chain<Operator>,
    event: &'a A,
    apply: fn(&Operator, i32, i32) -> core::result::Result<i32, Error<'static>>,
) -> Result<'a, i32> {
    let mut rest = chain.rest.iter();
    // Both operands are evaluated before either is cast, so a missing attribute is told first.
    let first = any(&chain.first, event)?;
    let Some((operator, node)) = rest.next() else {
        return Ok(first.into_integer()?);
    };
    let second = any(node, event)?;
    let mut left = apply(operator, first.into_integer()?, second.into_integer()?)?;
    for (operator, node) in rest {
        left = apply(operator, left, integer(node, event)?)?;
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

fn compare<'a, A: Attributes + ?Sized>(
    chain: &'a Chain<Comparison>,
    event: &'a A,
) -> Result<'a, bool> {
    let mut rest = chain.rest.iter();
    let Some((operator, second)) = rest.next() else {
        return boolean(&chain.first, event);
    };
    let mut holds = compare_two(&chain.first, *operator, second, event)?;
    for (operator, node) in rest {
        holds = holds_for(Value::Boolean(holds), *operator, any(node, event)?)?;
    }
    Ok(holds)
}

/// A literal on the right says at once what the left is cast to.
fn compare_two<'a, A: Attributes + ?Sized>(
    left: &'a Node,
    operator: Comparison,
    right: &'a Node,
    event: &'a A,
) -> Result<'a, bool> {
    let equal = match (operator, right) {
        (Comparison::Equal | Comparison::NotEqual, Node::String(wanted)) => {
            *text(left, event)? == **wanted
        }
        (Comparison::Equal | Comparison::NotEqual, Node::Integer(wanted)) => {
            integer(left, event)? == *wanted
        }
        (Comparison::Equal | Comparison::NotEqual, Node::Boolean(wanted)) => {
            boolean(left, event)? == *wanted
        }
        _ => return holds_for(any(left, event)?, operator, any(right, event)?),
    };
    Ok(equal == (operator == Comparison::Equal))
}

/// `=` and `!=` cast the left operand to the type of the right one (section 3.7); the others
/// compare Integers.
fn holds_for<'a>(left: Value<'a>, operator: Comparison, right: Value<'a>) -> Result<'a, bool> {
    Ok(match operator {
        Comparison::Equal => left.cast(right.ty())? == right,
        Comparison::NotEqual => left.cast(right.ty())? != right,
        Comparison::Less => order(left, right)?.is_lt(),
        Comparison::LessOrEqual => order(left, right)?.is_le(),
        Comparison::Greater => order(left, right)?.is_gt(),
        Comparison::GreaterOrEqual => order(left, right)?.is_ge(),
    })
}

fn order<'a>(left: Value<'a>, right: Value<'a>) -> Result<'a, Ordering> {
    Ok(left.into_integer()?.cmp(&right.into_integer()?))
}

/// From left to right, leaving out what cannot change the result (section 3.4.2).
fn decide<'a, A: Attributes + ?Sized>(chain: &'a Chain<Logic>, event: &'a A) -> Result<'a, bool> {
    let mut left = boolean(&chain.first, event)?;
    for (operator, node) in &chain.rest {
        left = match operator {
            Logic::And => left && boolean(node, event)?,
            Logic::Or => left || boolean(node, event)?,
            Logic::Xor => left != boolean(node, event)?,
        };
    }
    Ok(left)
}
