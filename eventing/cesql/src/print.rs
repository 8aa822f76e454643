//! From syntax tree to text, so that the text parses to the same tree.

use core::fmt::{self, Display, Formatter, Write as _};

use crate::node::{Chain, Comparison, Logic, Node, Product, Sum};

/// How tightly a node holds together, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Logic,
    Comparison,
    Sum,
    Product,
    Postfix,
    Unary,
    Primary,
}

impl Node {
    fn binding(&self) -> Binding {
        match self {
            Self::Logic(_) => Binding::Logic,
            Self::Comparison(_) => Binding::Comparison,
            Self::Sum(_) => Binding::Sum,
            Self::Product(_) => Binding::Product,
            Self::Like(_) | Self::In(_) => Binding::Postfix,
            Self::Not(_) | Self::Negate(_) => Binding::Unary,
            Self::Boolean(_)
            | Self::Integer(_)
            | Self::String(_)
            | Self::Attribute(_)
            | Self::Exists(_)
            | Self::Call(_) => Binding::Primary,
        }
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(true) => f.write_str("TRUE"),
            Self::Boolean(false) => f.write_str("FALSE"),
            Self::Integer(value) => value.fmt(f),
            Self::String(text) => write_string(f, text),
            Self::Attribute(name) => f.write_str(name),
            Self::Exists(name) => write!(f, "EXISTS {name}"),
            Self::Not(operand) => {
                f.write_str("NOT ")?;
                write_operand(f, operand, Binding::Unary)
            }
            // Directly before a number the minus would become the number's sign.
            Self::Negate(operand) => match &**operand {
                number @ Self::Integer(_) => write!(f, "-({number})"),
                operand => {
                    f.write_char('-')?;
                    write_operand(f, operand, Binding::Unary)
                }
            },
            Self::Like(like) => {
                write_operand(f, &like.operand, Binding::Postfix)?;
                f.write_str(if like.negated { " NOT LIKE " } else { " LIKE " })?;
                write_string(f, like.pattern.source())
            }
            Self::In(it) => {
                write_operand(f, &it.operand, Binding::Postfix)?;
                f.write_str(if it.negated { " NOT IN " } else { " IN " })?;
                write_list(f, &it.set)
            }
            Self::Product(chain) => chain.write(f, Binding::Postfix),
            Self::Sum(chain) => chain.write(f, Binding::Product),
            Self::Comparison(chain) => chain.write(f, Binding::Sum),
            Self::Logic(chain) => chain.write(f, Binding::Comparison),
            Self::Call(call) => {
                f.write_str(&call.name)?;
                write_list(f, &call.arguments)
            }
        }
    }
}

impl<Operator: Display> Chain<Operator> {
    fn write(&self, f: &mut Formatter<'_>, at_least: Binding) -> fmt::Result {
        write_operand(f, &self.first, at_least)?;
        self.rest.iter().try_for_each(|(operator, operand)| {
            write!(f, " {operator} ")?;
            write_operand(f, operand, at_least)
        })
    }
}

/// In parentheses, unless it holds together tightly enough without.
fn write_operand(f: &mut Formatter<'_>, operand: &Node, at_least: Binding) -> fmt::Result {
    if operand.binding() >= at_least {
        operand.fmt(f)
    } else {
        write!(f, "({operand})")
    }
}

fn write_list(f: &mut Formatter<'_>, nodes: &[Node]) -> fmt::Result {
    f.write_char('(')?;
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        node.fmt(f)?;
    }
    f.write_char(')')
}

/// In the quotes in which the text can be written: a backslash cannot stand before the delimiter.
fn write_string(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if is_writable_in(text, '\'') {
        '\''
    } else {
        '"'
    };
    f.write_char(quote)?;
    for letter in text.chars() {
        if letter == quote {
            f.write_char('\\')?;
        }
        f.write_char(letter)?;
    }
    f.write_char(quote)
}

/// Whether no backslash of the text would escape the delimiter, or the character that ends it.
pub(crate) fn is_writable_in(text: &str, quote: char) -> bool {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\\' && letters.next().is_none_or(|escaped| escaped == quote) {
            return false;
        }
    }
    true
}

impl Display for Product {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Times => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        })
    }
}

impl Display for Sum {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plus => "+",
            Self::Minus => "-",
        })
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}

impl Display for Logic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::And => "AND",
            Self::Or => "OR",
            Self::Xor => "XOR",
        })
    }
}

#[cfg(test)]
mod tests;
