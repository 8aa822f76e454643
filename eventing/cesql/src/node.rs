//! The syntax tree of an expression.
//!
//! Operators of one precedence stand in one [`Chain`], which is folded from the left, so a long
//! `a OR b OR c …` is wide and not deep. How deep a tree can be is bounded by the parser; what
//! walks a tree may therefore recurse.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::function::Target;
use crate::pattern::Pattern;
use crate::value::Type;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Boolean(bool),
    Integer(i32),
    String(Box<str>),
    Attribute(Box<str>),
    Exists(Box<str>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Like(Box<Like>),
    In(Box<In>),
    Product(Box<Chain<Product>>),
    Sum(Box<Chain<Sum>>),
    Comparison(Box<Chain<Comparison>>),
    Logic(Box<Chain<Logic>>),
    Call(Box<Call>),
}

/// `operand LIKE pattern`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Like {
    pub(crate) operand: Node,
    pub(crate) negated: bool,
    pub(crate) pattern: Pattern,
}

/// `operand IN (set)`; the set has at least one element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct In {
    pub(crate) operand: Node,
    pub(crate) negated: bool,
    pub(crate) set: Box<[Node]>,
}

/// `first op second op third …` with operators of one precedence; there is at least a second.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chain<Operator> {
    pub(crate) first: Node,
    pub(crate) rest: Box<[(Operator, Node)]>,
}

/// `NAME(arguments)`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// In upper case.
    pub(crate) name: Box<str>,
    pub(crate) arguments: Box<[Node]>,
    pub(crate) target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    Times,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    Plus,
    Minus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logic {
    And,
    Or,
    Xor,
}

impl Node {
    /// The type of what the node evaluates to. An attribute's is not known before it is read; the
    /// specification has it taken for a Boolean then (section 3.2).
    pub(crate) fn ty(&self) -> Type {
        match self {
            Self::Integer(_) | Self::Negate(_) | Self::Product(_) | Self::Sum(_) => Type::Integer,
            Self::String(_) => Type::String,
            Self::Call(call) => call.target.returns(),
            Self::Boolean(_)
            | Self::Attribute(_)
            | Self::Exists(_)
            | Self::Not(_)
            | Self::Like(_)
            | Self::In(_)
            | Self::Comparison(_)
            | Self::Logic(_) => Type::Boolean,
        }
    }

    /// The texts of which the attribute must have one for the node to be `true`.
    pub(crate) fn required_texts(&self, attribute: &str) -> Option<Vec<&str>> {
        let is_wanted = |node: &Self| matches!(node, Self::Attribute(name) if **name == *attribute);
        match self {
            Self::Comparison(chain) => match &*chain.rest {
                [(Comparison::Equal, Self::String(text))] if is_wanted(&chain.first) => {
                    Some(vec![text])
                }
                _ => None,
            },
            Self::In(it) if !it.negated && is_wanted(&it.operand) => {
                let texts = it.set.iter().map(|element| match element {
                    Self::String(text) => Some(&**text),
                    _ => None,
                });
                texts.collect()
            }
            Self::Logic(chain) if chain.rest.iter().all(|(it, _)| *it == Logic::And) => {
                let operands = core::iter::once(&chain.first);
                let mut operands = operands.chain(chain.rest.iter().map(|(_, operand)| operand));
                operands.find_map(|operand| operand.required_texts(attribute))
            }
            _ => None,
        }
    }

    /// Calls `visit` with this node and all below it.
    pub(crate) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Boolean(_)
            | Self::Integer(_)
            | Self::String(_)
            | Self::Attribute(_)
            | Self::Exists(_) => {}
            Self::Not(operand) | Self::Negate(operand) => operand.walk(visit),
            Self::Like(like) => like.operand.walk(visit),
            Self::In(it) => {
                it.operand.walk(visit);
                it.set.iter().for_each(|element| element.walk(visit));
            }
            Self::Product(chain) => chain.walk(visit),
            Self::Sum(chain) => chain.walk(visit),
            Self::Comparison(chain) => chain.walk(visit),
            Self::Logic(chain) => chain.walk(visit),
            Self::Call(call) => call.arguments.iter().for_each(|it| it.walk(visit)),
        }
    }
}

impl<Operator> Chain<Operator> {
    fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        self.first.walk(visit);
        self.rest
            .iter()
            .for_each(|(_, operand)| operand.walk(visit));
    }
}
