//! Which variables a URI gives to a URI template: the way back of RFC 6570.
//!
//! Expressions of level 1 (`{id}`: no `/`, `?` or `#`), `{+path}` of level 2 (anything, once in a
//! template), and at the end `{?q,page}` of level 3. What could be read in two ways is refused
//! where it is declared.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// A template that was understood.
#[derive(Debug)]
pub(crate) struct UriTemplate {
    parts: Vec<Part>,
    query: Vec<String>,
}

#[derive(Debug)]
enum Part {
    Literal(String),
    Simple(String),
    Reserved(String),
}

impl UriTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// In words, when it is none, or more than this module can match.
    pub(crate) fn parse(template: &str) -> Result<Self, String> {
        let mut this = Self {
            parts: Vec::new(),
            query: Vec::new(),
        };
        let mut rest = template;
        while let Some(open) = rest.find(['{', '}']) {
            if !this.query.is_empty() {
                return Err("nothing can follow `{?…}`".to_owned());
            }
            if open > 0 {
                this.parts.push(Part::Literal(rest[..open].to_owned()));
            }
            let (expression, after) = rest[open..]
                .strip_prefix('{')
                .and_then(|tail| tail.split_once('}'))
                .ok_or("a brace has no partner")?;
            this.take(expression)?;
            rest = after;
        }
        match (rest.is_empty(), this.query.is_empty()) {
            (false, false) => Err("nothing can follow `{?…}`".to_owned()),
            (true, _) => Ok(this),
            (false, true) => {
                this.parts.push(Part::Literal(rest.to_owned()));
                Ok(this)
            }
        }
    }

    fn take(&mut self, expression: &str) -> Result<(), String> {
        if let Some(names) = expression.strip_prefix('?') {
            self.query = names.split(',').map(str::to_owned).collect();
            return self.query.iter().try_for_each(|name| check_variable(name));
        }
        let (name, reserved) = match expression.strip_prefix('+') {
            Some(name) => (name, true),
            None => (expression, false),
        };
        check_variable(name)?;
        if reserved
            && self
                .parts
                .iter()
                .any(|part| matches!(part, Part::Reserved(_)))
        {
            return Err("it has `{+…}` twice".to_owned());
        }
        if matches!(self.parts.last(), Some(Part::Simple(_) | Part::Reserved(_))) {
            return Err(format!(
                "nothing stands between `{{{expression}}}` and the one before"
            ));
        }
        let name = name.to_owned();
        self.parts.push(match reserved {
            true => Part::Reserved(name),
            false => Part::Simple(name),
        });
        Ok(())
    }

    /// The names of its variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let parts = self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Simple(name) | Part::Reserved(name) => Some(name.as_str()),
        });
        parts.chain(self.query.iter().map(String::as_str))
    }

    /// How many characters outside of expressions it has: the more, the narrower it is.
    pub(crate) fn literals(&self) -> usize {
        let length = |part: &Part| match part {
            Part::Literal(text) => text.len(),
            Part::Simple(_) | Part::Reserved(_) => 0,
        };
        self.parts.iter().map(length).sum()
    }

    /// The variables, decoded, when the template can expand to this URI.
    pub(crate) fn variables_of(&self, uri: &str) -> Option<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        let path = match (self.query.is_empty(), uri.split_once('?')) {
            (false, Some((path, query))) => {
                self.read_query(query, &mut found)?;
                path
            }
            (false, None) | (true, _) => uri,
        };
        match_parts(&self.parts, path, &mut found).then_some(found)
    }

    fn read_query(&self, query: &str, found: &mut BTreeMap<String, String>) -> Option<()> {
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = self.query.iter().find(|known| *known == name)?;
            found.insert(name.clone(), decode(value)?);
        }
        Some(())
    }
}

/// A simple expression ends where the text after it first stands: no later place could do better,
/// because what comes next may hold everything that a simple expression may. Only `{+…}` is tried
/// at every place, and there is one.
fn match_parts(parts: &[Part], text: &str, found: &mut BTreeMap<String, String>) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        return text.is_empty();
    };
    match part {
        Part::Literal(literal) => text
            .strip_prefix(literal.as_str())
            .is_some_and(|text| match_parts(rest, text, found)),
        Part::Simple(name) => {
            let limit = text.find(['/', '?', '#']).unwrap_or(text.len());
            let end = match rest {
                [] => Some(text.len()),
                [Part::Literal(last)] => text.strip_suffix(last.as_str()).map(str::len),
                [Part::Literal(next), ..] => first_after(text, next),
                [Part::Simple(_) | Part::Reserved(_), ..] => None,
            };
            end.is_some_and(|end| {
                (1..=limit).contains(&end)
                    && keep(name, &text[..end], found)
                    && match_parts(rest, &text[end..], found)
            })
        }
        Part::Reserved(name) => {
            let ends = text
                .char_indices()
                .map(|(at, letter)| at + letter.len_utf8());
            ends.rev().any(|end| {
                match_parts(rest, &text[end..], found) && keep(name, &text[..end], found)
            })
        }
    }
}

/// Where `next` first stands behind at least one character.
fn first_after(text: &str, next: &str) -> Option<usize> {
    let first = text.chars().next()?.len_utf8();
    text[first..].find(next).map(|at| at + first)
}

fn keep(name: &str, value: &str, found: &mut BTreeMap<String, String>) -> bool {
    match decode(value) {
        Some(value) => {
            found.insert(name.to_owned(), value);
            true
        }
        None => false,
    }
}

fn decode(value: &str) -> Option<String> {
    let decoded = percent_decode_str(value).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

fn check_variable(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match !name.is_empty() && name.bytes().all(allowed) {
        true => Ok(()),
        false => Err(format!(
            "`{name}` is no variable: take letters, digits and `_`, alone or after `+` or `?`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(template: &str, uri: &str) -> Option<Vec<(String, String)>> {
        let template = UriTemplate::parse(template).unwrap();
        Some(template.variables_of(uri)?.into_iter().collect())
    }

    #[test]
    fn variables_are_found_and_decoded() {
        for (template, uri, expected) in [
            (
                "test://template/{id}/data",
                "test://template/123/data",
                vec![("id", "123")],
            ),
            ("a:{x}-{y}", "a:1-2-3", vec![("x", "1"), ("y", "2-3")]),
            ("a:{x}.txt", "a:b%20c.txt.txt", vec![("x", "b c.txt")]),
            (
                "f:{+path}/{name}",
                "f:a/b/c",
                vec![("name", "c"), ("path", "a/b")],
            ),
            (
                "s:{kind}{?q,page}",
                "s:x?page=2&q=a%26b",
                vec![("kind", "x"), ("page", "2"), ("q", "a&b")],
            ),
            ("s:all{?q}", "s:all", vec![]),
            ("plain:x", "plain:x", vec![]),
        ] {
            let expected = expected.into_iter();
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(
                variables(template, uri),
                Some(expected.collect()),
                "{template}"
            );
        }
    }

    #[test]
    fn what_the_template_does_not_stand_for_is_not_matched() {
        for (template, uri) in [
            ("test://template/{id}/data", "test://template//data"),
            ("test://template/{id}/data", "test://template/1/2/data"),
            ("test://template/{id}/data", "test://template/1/data/"),
            ("a:{x}", "a:"),
            ("a:{x}", "a:%FF"),
            ("s:all{?q}", "s:all?other=1"),
        ] {
            assert_eq!(variables(template, uri), None, "{template} {uri}");
        }
    }

    #[test]
    fn templates_that_cannot_be_read_back_are_refused() {
        for template in [
            "a:{x",
            "a:x}",
            "{x}{y}",
            "{+a}/{+b}",
            "{?q}x",
            "{?q}{x}",
            "{#x}",
            "{x*}",
            "{}",
        ] {
            assert!(UriTemplate::parse(template).is_err(), "{template}");
        }
    }
}
