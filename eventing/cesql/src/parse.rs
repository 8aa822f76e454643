//! From text to syntax tree: recursive descent, one function for each precedence.
//!
//! The order is the specification's (section 3.6), tightest first: calls, `NOT` and `-`, `LIKE`
//! and `IN`, `* / %`, `+ -`, comparisons, `AND OR XOR`. `LIKE` and `IN` only have an operand on
//! their left, so which of the two binds tighter makes no difference.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use crate::error::ParseError;
use crate::function::Functions;
use crate::node::{Call, Chain, Comparison, In, Like, Logic, Node, Product, Sum};
use crate::pattern::Pattern;
use crate::token::{self, Token};

/// An expression is at most so many bytes long.
pub const MAX_LENGTH: usize = 65_536;

/// Operators, calls and parentheses are nested at most so deep. Chains such as `a OR b OR c` do
/// not count: they are one level, however long.
pub const MAX_DEPTH: usize = 64;

const VALUE: &str = "a value: an attribute, a literal, a function call or `(`";
const KEYWORDS: [&str; 9] = [
    "AND", "EXISTS", "FALSE", "IN", "LIKE", "NOT", "OR", "TRUE", "XOR",
];

type Result<T> = core::result::Result<T, ParseError>;

/// Reads a whole text as one expression.
pub(crate) fn parse(text: &str, functions: &Functions) -> Result<Node> {
    if text.len() > MAX_LENGTH {
        let message = format!("the expression is longer than {MAX_LENGTH} bytes");
        return Err(ParseError::new(text, MAX_LENGTH, message));
    }
    let (start, next, end) = token::read(text, 0)?;
    let mut parser = Parser {
        text,
        functions,
        start,
        next,
        end,
        nesting: 0,
    };
    let whole = parser.logic()?;
    match parser.next {
        Token::End => Ok(whole.node),
        _ => Err(parser.expected("an operator or the end")),
    }
}

struct Parser<'t, 'f> {
    text: &'t str,
    functions: &'f Functions,
    /// The token that comes next, and where it starts and ends.
    next: Token<'t>,
    start: usize,
    end: usize,
    nesting: usize,
}

/// A node and how many levels it has.
struct Parsed {
    node: Node,
    depth: usize,
}

impl<'t> Parser<'t, '_> {
    fn logic(&mut self) -> Result<Parsed> {
        let operator = |token: &Token<'_>| match token {
            Token::Word(word) if word.eq_ignore_ascii_case("AND") => Some(Logic::And),
            Token::Word(word) if word.eq_ignore_ascii_case("OR") => Some(Logic::Or),
            Token::Word(word) if word.eq_ignore_ascii_case("XOR") => Some(Logic::Xor),
            _ => None,
        };
        self.chain(operator, Self::comparison, Node::Logic)
    }

    fn comparison(&mut self) -> Result<Parsed> {
        let operator = |token: &Token<'_>| match token {
            Token::Equal => Some(Comparison::Equal),
            Token::NotEqual => Some(Comparison::NotEqual),
            Token::Less => Some(Comparison::Less),
            Token::LessOrEqual => Some(Comparison::LessOrEqual),
            Token::Greater => Some(Comparison::Greater),
            Token::GreaterOrEqual => Some(Comparison::GreaterOrEqual),
            _ => None,
        };
        self.chain(operator, Self::sum, Node::Comparison)
    }

    fn sum(&mut self) -> Result<Parsed> {
        let operator = |token: &Token<'_>| match token {
            Token::Plus => Some(Sum::Plus),
            Token::Minus => Some(Sum::Minus),
            _ => None,
        };
        self.chain(operator, Self::product, Node::Sum)
    }

    fn product(&mut self) -> Result<Parsed> {
        let operator = |token: &Token<'_>| match token {
            Token::Star => Some(Product::Times),
            Token::Slash => Some(Product::Divide),
            Token::Percent => Some(Product::Remainder),
            _ => None,
        };
        self.chain(operator, Self::postfix, Node::Product)
    }

    fn chain<Operator>(
        &mut self,
        operator: fn(&Token<'_>) -> Option<Operator>,
        operand: fn(&mut Self) -> Result<Parsed>,
        node: fn(Box<Chain<Operator>>) -> Node,
    ) -> Result<Parsed> {
        let first = operand(self)?;
        let mut depth = first.depth;
        let mut rest = Vec::new();
        while let Some(operator) = operator(&self.next) {
            self.advance()?;
            let operand = operand(self)?;
            depth = depth.max(operand.depth);
            rest.push((operator, operand.node));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let chain = Chain {
            first: first.node,
            rest: rest.into(),
        };
        self.built(node(chain.into()), depth)
    }

    fn postfix(&mut self) -> Result<Parsed> {
        let mut operand = self.unary()?;
        loop {
            let negated = self.next_is("NOT");
            if negated {
                self.advance()?;
            }
            operand = if self.next_is("LIKE") {
                self.advance()?;
                self.like(operand, negated)?
            } else if self.next_is("IN") {
                self.advance()?;
                self.within(operand, negated)?
            } else if negated {
                return Err(self.expected("LIKE or IN after NOT"));
            } else {
                return Ok(operand);
            };
        }
    }

    fn like(&mut self, Parsed { node, depth }: Parsed, negated: bool) -> Result<Parsed> {
        let Token::Text(pattern) = &self.next else {
            return Err(self.expected("a string after LIKE"));
        };
        let like = Like {
            operand: node,
            negated,
            pattern: Pattern::new(pattern),
        };
        self.advance()?;
        self.built(Node::Like(like.into()), depth)
    }

    fn within(&mut self, Parsed { node, depth }: Parsed, negated: bool) -> Result<Parsed> {
        if self.next != Token::Open {
            return Err(self.expected("`(` after IN"));
        }
        self.advance()?;
        let (set, deepest) = self.list()?;
        let node = Node::In(Box::new(In {
            operand: node,
            negated,
            set,
        }));
        self.built(node, depth.max(deepest))
    }

    /// Expressions between commas, up to and with the closing parenthesis.
    fn list(&mut self) -> Result<(Box<[Node]>, usize)> {
        let mut nodes = Vec::new();
        let mut deepest = 0;
        loop {
            let Parsed { node, depth } = self.nested(Self::logic)?;
            nodes.push(node);
            deepest = deepest.max(depth);
            match self.next {
                Token::Comma => self.advance()?,
                Token::Close => {
                    self.advance()?;
                    return Ok((nodes.into(), deepest));
                }
                _ => return Err(self.expected("an operator, `,` or `)`")),
            }
        }
    }

    fn unary(&mut self) -> Result<Parsed> {
        if self.next_is("NOT") {
            self.advance()?;
            let Parsed { node, depth } = self.nested(Self::unary)?;
            return self.built(Node::Not(node.into()), depth);
        }
        match self.next {
            Token::Plus => {
                let Some(number) = self.signed_literal()? else {
                    return Err(self.expected(VALUE));
                };
                Ok(number)
            }
            Token::Minus => {
                if let Some(number) = self.signed_literal()? {
                    return Ok(number);
                }
                self.advance()?;
                let Parsed { node, depth } = self.nested(Self::unary)?;
                self.built(Node::Negate(node.into()), depth)
            }
            _ => self.primary(),
        }
    }

    /// A sign directly before a number belongs to it.
    fn signed_literal(&mut self) -> Result<Option<Parsed>> {
        let start = self.start;
        match token::read(self.text, self.end) {
            Ok((at, Token::Word(word), _)) if at == self.end && is_number(word) => {
                self.advance()?;
                self.integer(start).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn primary(&mut self) -> Result<Parsed> {
        match &self.next {
            Token::Text(text) => {
                let node = Node::String(text.as_ref().into());
                self.leaf(node)
            }
            Token::Open => {
                self.advance()?;
                let inner = self.nested(Self::logic)?;
                if self.next != Token::Close {
                    return Err(self.expected("an operator or `)`"));
                }
                self.advance()?;
                Ok(inner)
            }
            Token::Word(word) => self.word(word),
            _ => Err(self.expected(VALUE)),
        }
    }

    fn word(&mut self, word: &'t str) -> Result<Parsed> {
        if word.eq_ignore_ascii_case("TRUE") {
            return self.leaf(Node::Boolean(true));
        }
        if word.eq_ignore_ascii_case("FALSE") {
            return self.leaf(Node::Boolean(false));
        }
        if word.eq_ignore_ascii_case("EXISTS") {
            self.advance()?;
            let Token::Word(name) = self.next else {
                return Err(self.expected("an attribute's name after EXISTS"));
            };
            let name = self.attribute_name(name)?;
            return self.leaf(Node::Exists(name));
        }
        if is_keyword(word) {
            return Err(self.expected(VALUE));
        }
        if is_number(word) {
            return self.integer(self.start);
        }
        if let (_, Token::Open, _) = token::read(self.text, self.end)? {
            return self.call(word);
        }
        let name = self.attribute_name(word)?;
        self.leaf(Node::Attribute(name))
    }

    fn integer(&mut self, start: usize) -> Result<Parsed> {
        let literal = &self.text[start..self.end];
        let Ok(number) = literal.parse() else {
            let message = "the number is out of range: integers go from -2147483648 to 2147483647";
            return Err(ParseError::new(self.text, start, message));
        };
        self.leaf(Node::Integer(number))
    }

    fn attribute_name(&self, word: &str) -> Result<Box<str>> {
        if is_keyword(word) || is_number(word) {
            return Err(self.expected("an attribute's name"));
        }
        if word.contains('_') {
            let message = "attribute names have letters and digits only";
            return Err(ParseError::new(self.text, self.start, message));
        }
        Ok(word.to_ascii_lowercase().into())
    }

    fn call(&mut self, name: &str) -> Result<Parsed> {
        if !is_function_name(name) {
            let message = "function names start with a letter and have letters and `_` only";
            return Err(ParseError::new(self.text, self.start, message));
        }
        self.advance()?;
        self.advance()?;
        let (arguments, depth) = if self.next == Token::Close {
            self.advance()?;
            (Box::default(), 0)
        } else {
            self.list()?
        };
        let name = name.to_ascii_uppercase().into_boxed_str();
        let target = self.functions.resolve(&name, arguments.len());
        let call = Call {
            name,
            arguments,
            target,
        };
        self.built(Node::Call(call.into()), depth)
    }

    /// The node of the token that comes next.
    fn leaf(&mut self, node: Node) -> Result<Parsed> {
        self.advance()?;
        Ok(Parsed { node, depth: 1 })
    }

    /// A node above nodes of at most `depth` levels.
    fn built(&self, node: Node, depth: usize) -> Result<Parsed> {
        if depth >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        let depth = depth + 1;
        Ok(Parsed { node, depth })
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Result<Parsed>) -> Result<Parsed> {
        if self.nesting >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.nesting += 1;
        let parsed = parse(self)?;
        self.nesting -= 1;
        Ok(parsed)
    }

    fn too_deep(&self) -> ParseError {
        let message = format!("the expression is nested more than {MAX_DEPTH} levels deep");
        ParseError::new(self.text, self.start, message)
    }

    fn next_is(&self, keyword: &str) -> bool {
        matches!(self.next, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn advance(&mut self) -> Result<()> {
        (self.start, self.next, self.end) = token::read(self.text, self.end)?;
        Ok(())
    }

    fn expected(&self, what: &str) -> ParseError {
        let message = format!("expected {what}, found {}", self.next);
        ParseError::new(self.text, self.start, message)
    }
}

fn is_keyword(word: &str) -> bool {
    let is = |keyword: &&str| word.eq_ignore_ascii_case(keyword);
    KEYWORDS.iter().any(is)
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the grammar takes the word for a function's name (section 2.4).
pub(crate) fn is_function_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && !is_keyword(word)
}
