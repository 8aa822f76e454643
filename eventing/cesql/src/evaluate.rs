//! Evaluation, as section 4.1 of the specification describes it for filters: it ends with the
//! first error. The operator or function that raises it says what value stands beside it; what
//! encloses that one gives the zero value of its type.
//!
//! There is a function for each type that an operator may want of its operand,
//! [`boolean`](Evaluator::boolean), [`integer`](Evaluator::integer) and
//! [`text`](Evaluator::text): an implicit cast is evaluating a node by one of them. They give
//! `None` when an error was raised; the error is kept aside, so that what they give stays small.

use alloc::borrow::Cow;
use core::cmp::Ordering;

use crate::attributes::Attributes;
use crate::error::Error;
use crate::node::{Chain, Comparison, In, Like, Logic, Node, Product, Sum};
use crate::value::Value;
use crate::work::{TooMuch, Work};

/// An error and what stands beside it.
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

impl From<TooMuch> for Failure<'_> {
    fn from(_: TooMuch) -> Self {
        Error::Generic("the expression takes too many steps for this event").into()
    }
}

/// The value of a whole expression, and the error beside it.
pub(crate) fn conclude<'a, A: Attributes + ?Sized>(
    root: &'a Node,
    event: &'a A,
) -> (Value<'a>, Option<Error<'a>>) {
    let mut evaluator = Evaluator::new(event);
    match (evaluator.any(root), root, evaluator.failure) {
        (Some(value), ..) => (value, None),
        (None, Node::Call(_), Some(Failure { error, value })) => {
            (value.unwrap_or(root.ty().zero()), Some(error))
        }
        (None, _, failure) => (root.ty().zero(), failure.map(|failure| failure.error)),
    }
}

/// One evaluation.
pub(crate) struct Evaluator<'a, A: ?Sized> {
    event: &'a A,
    /// What ended the evaluation.
    pub(crate) failure: Option<Failure<'a>>,
    /// What it may still cost.
    pub(crate) work: Work,
}

impl<'a, A: Attributes + ?Sized> Evaluator<'a, A> {
    pub(crate) fn new(event: &'a A) -> Self {
        Self {
            event,
            failure: None,
            work: Work::default(),
        }
    }

    /// Ends the evaluation.
    #[cold]
    pub(crate) fn raise<T>(&mut self, failure: impl Into<Failure<'a>>) -> Option<T> {
        self.failure = Some(failure.into());
        None
    }

    /// What there is; an error ends the evaluation.
    pub(crate) fn keep<T>(&mut self, result: Result<T, impl Into<Failure<'a>>>) -> Option<T> {
        match result {
            Ok(it) => Some(it),
            Err(failure) => self.raise(failure),
        }
    }

    /// The value as it is.
    pub(crate) fn any(&mut self, node: &'a Node) -> Option<Value<'a>> {
        match node {
            Node::String(text) => Some(Value::String(Cow::Borrowed(text))),
            Node::Attribute(name) => match self.event.get(name) {
                Some(Value::String(text)) => {
                    self.work.allow(text.len());
                    Some(Value::String(text))
                }
                Some(value) => Some(value),
                None => self.raise(Error::MissingAttribute(Cow::Borrowed(name))),
            },
            Node::Call(it) => self.call(it),
            Node::Integer(_) | Node::Negate(_) | Node::Product(_) | Node::Sum(_) => {
                self.integer(node).map(Value::Integer)
            }
            Node::Boolean(_)
            | Node::Exists(_)
            | Node::Not(_)
            | Node::Like(_)
            | Node::In(_)
            | Node::Comparison(_)
            | Node::Logic(_) => self.boolean(node).map(Value::Boolean),
        }
    }

    /// The value, cast to a Boolean.
    pub(crate) fn boolean(&mut self, node: &'a Node) -> Option<bool> {
        match node {
            Node::Boolean(value) => Some(*value),
            Node::Exists(name) => Some(self.exists(name)),
            Node::Not(operand) => Some(!self.boolean(operand)?),
            Node::Like(like) => self.is_like(like),
            Node::In(it) => Some(self.is_in(it)? != it.negated),
            Node::Comparison(chain) => self.compare(chain),
            Node::Logic(chain) => self.decide(chain),
            Node::Integer(_)
            | Node::String(_)
            | Node::Attribute(_)
            | Node::Negate(_)
            | Node::Product(_)
            | Node::Sum(_)
            | Node::Call(_) => {
                let value = self.any(node)?;
                self.keep(value.into_boolean())
            }
        }
    }

    /// The value, cast to an Integer.
    pub(crate) fn integer(&mut self, node: &'a Node) -> Option<i32> {
        match node {
            Node::Integer(value) => Some(*value),
            Node::Negate(operand) => {
                let number = self.integer(operand)?;
                self.keep(number.checked_neg().ok_or(OVERFLOW))
            }
            Node::Product(chain) => self.fold(chain, multiply),
            Node::Sum(chain) => self.fold(chain, add),
            Node::Boolean(_)
            | Node::String(_)
            | Node::Attribute(_)
            | Node::Exists(_)
            | Node::Not(_)
            | Node::Like(_)
            | Node::In(_)
            | Node::Comparison(_)
            | Node::Logic(_)
            | Node::Call(_) => {
                let value = self.any(node)?;
                self.keep(value.into_integer())
            }
        }
    }

    /// The value, cast to a String.
    pub(crate) fn text(&mut self, node: &'a Node) -> Option<Cow<'a, str>> {
        match node {
            Node::String(text) => Some(Cow::Borrowed(text)),
            node => self.any(node).map(Value::into_text),
        }
    }

    /// The attributes that every event has are not looked up (section 3.4.4).
    fn exists(&self, name: &str) -> bool {
        matches!(name, "id" | "source" | "specversion" | "type") || self.event.get(name).is_some()
    }

    fn is_like(&mut self, like: &'a Like) -> Option<bool> {
        let text = self.text(&like.operand)?;
        let matches = like.pattern.matches(&text, &mut self.work);
        Some(self.keep(matches)? != like.negated)
    }

    /// As `=`, but it is the left operand's type that is cast to (section 3.4.5).
    fn is_in(&mut self, it: &'a In) -> Option<bool> {
        let wanted = self.any(&it.operand)?;
        for element in &it.set {
            let equal = match &wanted {
                Value::Boolean(wanted) => self.boolean(element)? == *wanted,
                Value::Integer(wanted) => self.integer(element)? == *wanted,
                Value::String(wanted) => self.text(element)? == *wanted,
            };
            if equal {
                return Some(true);
            }
        }
        Some(false)
    }

    fn fold<Operator>(
        &mut self,
        chain: &'a Chain<Operator>,
        apply: fn(&Operator, i32, i32) -> Result<i32, Error<'static>>,
    ) -> Option<i32> {
        let mut left = self.any(&chain.first)?;
        for (operator, node) in &chain.rest {
            // Both operands are evaluated before either is cast, so a missing attribute is told
            // first.
            let right = self.any(node)?;
            let x = self.keep(left.into_integer())?;
            let y = self.keep(right.into_integer())?;
            left = Value::Integer(self.keep(apply(operator, x, y))?);
        }
        self.keep(left.into_integer())
    }

    fn compare(&mut self, chain: &'a Chain<Comparison>) -> Option<bool> {
        let mut rest = chain.rest.iter();
        let Some((operator, second)) = rest.next() else {
            return self.boolean(&chain.first);
        };
        let mut holds = self.compare_two(&chain.first, *operator, second)?;
        for (operator, node) in rest {
            let right = self.any(node)?;
            holds = self.holds(Value::Boolean(holds), *operator, right)?;
        }
        Some(holds)
    }

    /// A literal on the right says at once what the left is cast to.
    fn compare_two(
        &mut self,
        left: &'a Node,
        operator: Comparison,
        right: &'a Node,
    ) -> Option<bool> {
        let equal = match (operator, right) {
            (Comparison::Equal | Comparison::NotEqual, Node::String(wanted)) => {
                *self.text(left)? == **wanted
            }
            (Comparison::Equal | Comparison::NotEqual, Node::Integer(wanted)) => {
                self.integer(left)? == *wanted
            }
            (Comparison::Equal | Comparison::NotEqual, Node::Boolean(wanted)) => {
                self.boolean(left)? == *wanted
            }
            _ => {
                let (left, right) = (self.any(left)?, self.any(right)?);
                return self.holds(left, operator, right);
            }
        };
        Some(equal == (operator == Comparison::Equal))
    }

    /// `=` and `!=` cast the left operand to the type of the right one (section 3.7); the others
    /// compare Integers.
    fn holds(&mut self, left: Value<'a>, operator: Comparison, right: Value<'a>) -> Option<bool> {
        let order = match operator {
            Comparison::Equal => return Some(self.keep(left.cast(right.ty()))? == right),
            Comparison::NotEqual => return Some(self.keep(left.cast(right.ty()))? != right),
            Comparison::Less => Ordering::is_lt,
            Comparison::LessOrEqual => Ordering::is_le,
            Comparison::Greater => Ordering::is_gt,
            Comparison::GreaterOrEqual => Ordering::is_ge,
        };
        let x = self.keep(left.into_integer())?;
        let y = self.keep(right.into_integer())?;
        Some(order(x.cmp(&y)))
    }

    /// From left to right, leaving out what cannot change the result (section 3.4.2).
    fn decide(&mut self, chain: &'a Chain<Logic>) -> Option<bool> {
        let mut left = self.boolean(&chain.first)?;
        for (operator, node) in &chain.rest {
            left = match operator {
                Logic::And => left && self.boolean(node)?,
                Logic::Or => left || self.boolean(node)?,
                Logic::Xor => left != self.boolean(node)?,
            };
        }
        Some(left)
    }
}

fn multiply(operator: &Product, x: i32, y: i32) -> Result<i32, Error<'static>> {
    match operator {
        Product::Times => x.checked_mul(y).ok_or(OVERFLOW),
        Product::Divide | Product::Remainder if y == 0 => Err(Error::Math("division by zero")),
        Product::Divide => x.checked_div(y).ok_or(OVERFLOW),
        // The remainder of -2147483648 by -1 is 0, although the quotient overflows.
        Product::Remainder => Ok(x.wrapping_rem(y)),
    }
}

fn add(operator: &Sum, x: i32, y: i32) -> Result<i32, Error<'static>> {
    let sum = match operator {
        Sum::Plus => x.checked_add(y),
        Sum::Minus => x.checked_sub(y),
    };
    sum.ok_or(OVERFLOW)
}

const OVERFLOW: Error<'static> = Error::Math("the result is beyond -2147483648 to 2147483647");
