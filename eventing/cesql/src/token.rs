//! The words and signs of an expression.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::error::ParseError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    /// A keyword, a name or a number without its sign: letters, digits and underscores.
    Word(&'t str),
    /// A string literal, without its quotes and escapes.
    Text(Cow<'t, str>),
    Open,
    Close,
    Comma,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    End,
}

/// As an error message tells what it found.
impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self {
            Self::Word(word) if word.len() > 40 => return f.write_str("a very long word"),
            Self::Word(word) => word,
            Self::Text(_) => return f.write_str("a string"),
            Self::End => return f.write_str("the end"),
            Self::Open => "(",
            Self::Close => ")",
            Self::Comma => ",",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Star => "*",
            Self::Slash => "/",
            Self::Percent => "%",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        };
        write!(f, "`{sign}`")
    }
}

/// Where the token that starts at `at` or behind white space starts and ends, and what it is.
pub(crate) fn read(text: &str, at: usize) -> Result<(usize, Token<'_>, usize), ParseError> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let rest = &text.as_bytes()[at..];
    let start = at + rest.iter().take_while(|byte| blank(byte)).count();
    let rest = &text.as_bytes()[start..];
    let (token, length) = match (rest.first(), rest.get(1)) {
        (None, _) => (Token::End, 0),
        (Some(b'('), _) => (Token::Open, 1),
        (Some(b')'), _) => (Token::Close, 1),
        (Some(b','), _) => (Token::Comma, 1),
        (Some(b'+'), _) => (Token::Plus, 1),
        (Some(b'-'), _) => (Token::Minus, 1),
        (Some(b'*'), _) => (Token::Star, 1),
        (Some(b'/'), _) => (Token::Slash, 1),
        (Some(b'%'), _) => (Token::Percent, 1),
        (Some(b'='), _) => (Token::Equal, 1),
        (Some(b'!'), Some(b'=')) | (Some(b'<'), Some(b'>')) => (Token::NotEqual, 2),
        (Some(b'<'), Some(b'=')) => (Token::LessOrEqual, 2),
        (Some(b'<'), _) => (Token::Less, 1),
        (Some(b'>'), Some(b'=')) => (Token::GreaterOrEqual, 2),
        (Some(b'>'), _) => (Token::Greater, 1),
        (Some(quote @ (b'\'' | b'"')), _) => read_string(text, start, char::from(*quote))?,
        (Some(byte), _) if is_word(*byte) => {
            let length = rest.iter().take_while(|byte| is_word(**byte)).count();
            (Token::Word(&text[start..start + length]), length)
        }
        (Some(_), _) => return Err(stray(text, start)),
    };
    Ok((start, token, start + length))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn stray(text: &str, at: usize) -> ParseError {
    let letter = text[at..].chars().next().unwrap_or_default();
    let instead = match letter {
        '&' => ": write AND",
        '|' => ": write OR",
        '!' => ": write NOT, or != between two values",
        _ => "",
    };
    ParseError::new(
        text,
        at,
        format!("`{}` has no meaning here{instead}", letter.escape_debug()),
    )
}

/// A backslash and the character behind it belong together; before the delimiter it stands for the
/// delimiter alone, elsewhere both are taken as they are.
fn read_string(text: &str, start: usize, quote: char) -> Result<(Token<'_>, usize), ParseError> {
    let content = &text[start + 1..];
    let mut unescaped: Option<String> = None;
    let mut copied = 0;
    let mut letters = content.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            let value = match unescaped {
                Some(value) => Cow::Owned(value + &content[copied..at]),
                None => Cow::Borrowed(&content[..at]),
            };
            return Ok((Token::Text(value), at + 2));
        }
        if letter == '\\' && letters.next().is_some_and(|(_, escaped)| escaped == quote) {
            let value = unescaped.get_or_insert_default();
            value.push_str(&content[copied..at]);
            copied = at + 1;
        }
    }
    Err(ParseError::new(
        text,
        start,
        format!("the string that starts here has no closing {quote}"),
    ))
}
