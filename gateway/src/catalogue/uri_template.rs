//! Which URIs a URI template (RFC 6570, all four levels) stands for.
//!
//! Whatever the template expands to is matched. Beyond that a simple expression takes every
//! character but `/`, `?` and `#`: clients write values as they are, where the RFC would have
//! them percent-encoded. Whether the value means anything is the function's to say.

use std::fmt::Write as _;

use regex::{Regex, RegexBuilder};

/// The longest template, in bytes.
const LONGEST: usize = 2 << 10;

/// The most memory that a compiled template may take, in bytes.
const LARGEST: usize = 1 << 20;

/// A template that tells whether a URI is one of its own.
#[derive(Debug)]
pub struct UriTemplate {
    pattern: Regex,
    literals: usize,
}

impl UriTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// In words, when it is none.
    pub fn parse(template: &str) -> Result<Self, String> {
        if template.len() > LONGEST {
            return Err(format!("it has more than {LONGEST} bytes"));
        }
        let mut pattern = String::from(r"\A");
        let mut literals = 0;
        let mut rest = template;
        while let Some(open) = rest.find(['{', '}']) {
            let (literal, tail) = rest.split_at(open);
            literals += write_literal(literal, &mut pattern);
            let (expression, after) = tail
                .strip_prefix('{')
                .and_then(|tail| tail.split_once('}'))
                .ok_or("a brace has no partner")?;
            pattern.push_str(expression_pattern(expression)?);
            rest = after;
        }
        literals += write_literal(rest, &mut pattern);
        pattern.push_str(r"\z");
        let pattern = RegexBuilder::new(&pattern)
            .size_limit(LARGEST)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { pattern, literals })
    }

    /// Whether the template can expand to this URI.
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        self.pattern.is_match(uri)
    }

    /// How many characters outside of expressions it has: the more, the narrower it is.
    #[must_use]
    pub fn literals(&self) -> usize {
        self.literals
    }
}

/// Writes what a literal is expanded to: itself, or percent-encoded where no URI may hold it.
fn write_literal(literal: &str, pattern: &mut String) -> usize {
    let mut count = 0;
    let mut bytes = [0; 4];
    for letter in literal.chars() {
        count += 1;
        let text: &str = letter.encode_utf8(&mut bytes);
        let itself = regex::escape(text);
        if letter.is_ascii_graphic() {
            pattern.push_str(&itself);
            continue;
        }
        let _ = write!(pattern, "(?:{itself}|");
        for byte in text.bytes() {
            let _ = write!(pattern, "%(?:{byte:02X}|{byte:02x})");
        }
        pattern.push(')');
    }
    count
}

/// What an expression (without its braces) can expand to.
fn expression_pattern(expression: &str) -> Result<&'static str, String> {
    let operator = expression.chars().next().ok_or("an expression is empty")?;
    // RFC 6570, section 3.2.1: variables that are not defined leave nothing behind.
    let (variables, pattern) = match operator {
        '+' => (&expression[1..], r"[^ \t\r\n]*"),
        '#' => (&expression[1..], r"(?:#[^ \t\r\n]*)?"),
        '.' => (&expression[1..], r"(?:\.[^/?#]*)?"),
        '/' => (&expression[1..], r"(?:/[^?#]*)?"),
        ';' => (&expression[1..], r"(?:;[^/?#]*)?"),
        '?' => (&expression[1..], r"(?:\?[^#]*)?"),
        '&' => (&expression[1..], r"(?:&[^#]*)?"),
        '=' | ',' | '!' | '@' | '|' => {
            return Err(format!("operator `{operator}` is reserved by RFC 6570"));
        }
        _ => (expression, r"[^/?#]*"),
    };
    match variables.split(',').find(|name| !is_variable(name)) {
        Some(wrong) => Err(format!("`{wrong}` is no variable")),
        None => Ok(pattern),
    }
}

/// `varspec` of RFC 6570, section 2.3.
fn is_variable(text: &str) -> bool {
    let name = match text.split_once(':') {
        Some((name, length)) => {
            let good = matches!(length.len(), 1..=4)
                && !length.starts_with('0')
                && length.bytes().all(|digit| digit.is_ascii_digit());
            if !good {
                return false;
            }
            name
        }
        None => text.strip_suffix('*').unwrap_or(text),
    };
    !name.is_empty()
        && name.split('.').all(|part| !part.is_empty())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'%' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(template: &str, uri: &str) -> bool {
        UriTemplate::parse(template).unwrap().matches(uri)
    }

    /// The expansions of RFC 6570, sections 1.2 and 3.2, with the values given there.
    #[test]
    fn the_examples_of_the_rfc_are_matched() {
        for (template, uri) in [
            ("{var}", "value"),
            ("{hello}", "Hello%20World%21"),
            ("{+path}/here", "/foo/bar/here"),
            ("X{#hello}", "X#Hello%20World!"),
            ("map?{x,y}", "map?1024,768"),
            ("{x,hello,y}", "1024,Hello%20World%21,768"),
            ("{+x,hello,y}", "1024,Hello%20World!,768"),
            ("{#path,x}/here", "#/foo/bar,1024/here"),
            ("X{.x,y}", "X.1024.768"),
            ("{/var,x}/here", "/value/1024/here"),
            ("{;x,y,empty}", ";x=1024;y=768;empty"),
            ("{?x,y,empty}", "?x=1024&y=768&empty="),
            ("?fixed=yes{&x}", "?fixed=yes&x=1024"),
            ("{var:3}", "val"),
            ("{list*}", "red,green,blue"),
            ("{keys*}", "semi=%3B,dot=.,comma=%2C"),
            ("{/list*,path:4}", "/red/green/blue/%2Ffoo"),
            ("{?keys*}", "?semi=%3B&dot=.&comma=%2C"),
            ("{undef}", ""),
            ("{/undef}", ""),
        ] {
            assert!(matches(template, uri), "{template} {uri}");
        }
    }

    #[test]
    fn a_simple_expression_ends_where_a_segment_does() {
        assert!(matches(
            "test://template/{id}/data",
            "test://template/123/data"
        ));
        assert!(matches("user://{mail}", "user://a@b.c"));
        for uri in [
            "test://template/1/2/data",
            "test://template/1/data/more",
            "other://template/1/data",
            "test://template/1?x/data",
        ] {
            assert!(!matches("test://template/{id}/data", uri), "{uri}");
        }
        assert!(matches("file:///{+path}", "file:///a/b.txt"));
        assert!(matches("x://é/{a}", "x://%c3%A9/1"));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for wrong in [
            "{",
            "}",
            "{}",
            "a{b",
            "a}b",
            "{a b}",
            "{=a}",
            "{a:0}",
            "{a:10000}",
            "{a,}",
            "{{a}}",
            "{a..b}",
        ] {
            assert!(UriTemplate::parse(wrong).is_err(), "{wrong}");
        }
        assert!(UriTemplate::parse(&"x".repeat(LONGEST + 1)).is_err());
    }

    /// Percent-encodes all but unreserved characters, and reserved ones where they may stay.
    fn encode(value: &str, keep_reserved: bool) -> String {
        value.bytes().fold(String::new(), |mut out, byte| {
            let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            let reserved = b":/?#[]@!$&'()*+,;=".contains(&byte);
            if unreserved || (keep_reserved && reserved) {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
            out
        })
    }

    /// An expression of two variables, and what it expands to with these values.
    fn expand(operator: &str, values: [&str; 2]) -> (String, String) {
        let names = ["a", "b"];
        let encoded = values.map(|value| encode(value, matches!(operator, "+" | "#")));
        let named = |place: usize| format!("{}={}", names[place], encoded[place]);
        let expanded = match operator {
            "" | "+" => encoded.join(","),
            "#" => format!("#{}", encoded.join(",")),
            "." | "/" => format!("{operator}{}{operator}{}", encoded[0], encoded[1]),
            ";" | "&" => format!("{operator}{}{operator}{}", named(0), named(1)),
            "?" => format!("?{}&{}", named(0), named(1)),
            other => panic!("{other}"),
        };
        (format!("{{{operator}a,b}}"), expanded)
    }

    proptest! {
        #[test]
        fn a_template_matches_whatever_it_expands_to(
            parts in proptest::collection::vec(
                ("[a-z:/.é]{0,5}", prop::sample::select(vec!["", "+", "#", ".", "/", ";", "?", "&"]),
                 "[ -~é]{0,6}", "[ -~é]{0,6}"),
                0..4,
            )
        ) {
            let (mut template, mut uri) = (String::new(), String::new());
            for (literal, operator, one, other) in &parts {
                let (expression, expanded) = expand(operator, [one, other]);
                template.push_str(literal);
                template.push_str(&expression);
                uri.push_str(&encode(literal, true));
                uri.push_str(&expanded);
            }
            let parsed = UriTemplate::parse(&template).unwrap();
            prop_assert!(parsed.matches(&uri), "{} {}", template, uri);
            let longer = UriTemplate::parse(&format!("{template}|end")).unwrap();
            prop_assert!(!longer.matches(&uri), "{} {}", template, uri);
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,40}", uri in ".{0,40}") {
            if let Ok(template) = UriTemplate::parse(&text) {
                let _ = template.matches(&uri);
            }
        }
    }
}
