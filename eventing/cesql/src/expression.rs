//! The expression: parsed once, evaluated against many events.

use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use crate::attributes::Attributes;
use crate::error::{Error, ParseError};
use crate::evaluate;
use crate::function::{Functions, Target};
use crate::node::Node;
use crate::parse;
use crate::value::Value;

/// A CESQL expression.
///
/// [`Display`](fmt::Display) writes it in a canonical form that parses to an equal expression
/// again (if no longer than [`MAX_LENGTH`](crate::MAX_LENGTH)): keywords in upper case,
/// attributes in lower case, only the parentheses that are needed. [`text`](Self::text) is what it
/// was parsed from. Two expressions are equal when they have the same canonical form and call the
/// same functions.
#[derive(Clone)]
pub struct Expression {
    root: Node,
    text: Box<str>,
}

/// What an expression gives for an event: always a value, and the error that it ended with, if
/// there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation<'a> {
    /// The value; beside an error it is what the specification gives for it.
    pub value: Value<'a>,
    /// What went wrong first; evaluation ended there.
    pub error: Option<Error<'a>>,
}

impl Expression {
    /// Parses an expression that calls no functions but the built-in ones.
    ///
    /// # Errors
    /// Where the text stops being an expression, and what was expected there.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_with(text, &Functions::default())
    }

    /// Parses an expression that may call the functions given.
    ///
    /// A call of a function that is not among them is no parse error: the specification has it
    /// evaluate to `false` and an error. See [`missing_functions`](Self::missing_functions).
    ///
    /// # Errors
    /// Where the text stops being an expression, and what was expected there.
    pub fn parse_with(text: &str, functions: &Functions) -> Result<Self, ParseError> {
        Ok(Self {
            root: parse::parse(text, functions)?,
            text: text.into(),
        })
    }

    /// The text that was parsed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Evaluates the expression for an event.
    ///
    /// The time it takes grows with the size of the expression times that of the values it reads, and
    /// is [bounded](crate#bounds) beyond that. Memory is only allocated for a new text: that of a
    /// function which changes one, or of an Integer that is cast to a String.
    pub fn evaluate<'a, A: Attributes + ?Sized>(&'a self, event: &'a A) -> Evaluation<'a> {
        let (value, error) = evaluate::conclude(&self.root, event);
        Evaluation { value, error }
    }

    /// Whether the event passes the expression as a filter: the value is the Boolean `true`, and
    /// there is no error (section 1.2).
    pub fn matches<A: Attributes + ?Sized>(&self, event: &A) -> bool {
        let value = evaluate::Evaluator::new(event).any(&self.root);
        value == Some(Value::Boolean(true))
    }

    /// The attributes that the expression reads or asks the existence of, from left to right, as
    /// often as they occur.
    #[must_use]
    pub fn attributes(&self) -> alloc::vec::Vec<&str> {
        let mut names = alloc::vec::Vec::new();
        self.root.walk(&mut |node| match node {
            Node::Attribute(name) | Node::Exists(name) => names.push(&**name),
            _ => {}
        });
        names
    }

    /// The texts of which an attribute must have one for the expression to be `true`, when that can
    /// be told from its form: `type = 'a'`, `type IN ('a', 'b')`, or these with `AND` beside
    /// others. `None` says nothing about the attribute.
    ///
    /// An index over many expressions can leave out those whose texts an event does not have.
    ///
    /// ```
    /// use dormouse_cesql::Expression;
    ///
    /// let expression = Expression::parse("n > 1 AND type IN ('a', 'b')")?;
    /// assert_eq!(expression.required_texts("type"), Some(vec!["a", "b"]));
    /// # Ok::<(), dormouse_cesql::ParseError>(())
    /// ```
    #[must_use]
    pub fn required_texts(&self, attribute: &str) -> Option<alloc::vec::Vec<&str>> {
        self.root.required_texts(attribute)
    }

    /// The calls that no function takes, as the errors that they would raise.
    #[must_use]
    pub fn missing_functions(&self) -> alloc::vec::Vec<Error<'_>> {
        let mut missing = alloc::vec::Vec::new();
        self.root.walk(&mut |node| match node {
            Node::Call(call) if call.target == Target::Missing => {
                missing.push(Error::MissingFunction {
                    name: (&*call.name).into(),
                    arguments: call.arguments.len(),
                });
            }
            _ => {}
        });
        missing
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Expression {}

impl FromStr for Expression {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}
