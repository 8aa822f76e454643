//! Patterns of `LIKE` (specification, section 3.4.3), matched in linear time.
//!
//! A pattern is cut at each `%` into parts. The first part is looked for at the start of the text,
//! the last at its end, and each one between where it first occurs: later places could only leave
//! less room for what follows, so nothing is ever taken back.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::work::{TooMuch, Work};

/// The pattern of a `LIKE`, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// As written, escapes included: for printing.
    source: Box<str>,
    first: Part,
    rest: Option<Rest>,
}

/// What stands behind the first `%`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rest {
    middle: Box<[Part]>,
    last: Part,
}

/// A piece of a pattern without `%`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Exactly this text.
    Text(Box<str>),
    /// Characters, `None` for any one.
    Gapped(Box<[Option<char>]>),
}

impl Pattern {
    pub(crate) fn new(source: &str) -> Self {
        let mut parts = Vec::new();
        let mut part = Vec::new();
        let mut letters = source.chars().peekable();
        while let Some(letter) = letters.next() {
            match (letter, letters.peek()) {
                ('\\', Some('%' | '_')) => part.push(letters.next()),
                ('%', _) => parts.push(Part::new(&core::mem::take(&mut part))),
                ('_', _) => part.push(None),
                (letter, _) => part.push(Some(letter)),
            }
        }
        parts.push(Part::new(&part));
        let last = if parts.len() > 1 { parts.pop() } else { None };
        let mut parts = parts.into_iter();
        Self {
            source: source.into(),
            first: parts.next().unwrap_or_else(|| Part::Text("".into())),
            rest: last.map(|last| Rest {
                middle: parts.filter(|part| !part.is_empty()).collect(),
                last,
            }),
        }
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// A part with `_` is compared at each place of the text, which costs a step for each character.
    pub(crate) fn matches(&self, text: &str, work: &mut Work) -> Result<bool, TooMuch> {
        let Some(mut left) = self.first.strip_from_start(text, work)? else {
            return Ok(false);
        };
        let Some(Rest { middle, last }) = &self.rest else {
            return Ok(left.is_empty());
        };
        // What the last part needs is set aside, so that no part between takes of it.
        let Some(end) = last.start_at_end(left, work)? else {
            return Ok(false);
        };
        left = &left[..end];
        for part in middle {
            match part.strip_first_occurrence(left, work)? {
                Some(behind) => left = behind,
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl Part {
    fn new(letters: &[Option<char>]) -> Self {
        match letters.iter().copied().collect::<Option<String>>() {
            Some(text) => Self::Text(text.into()),
            None => Self::Gapped(letters.into()),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Gapped(letters) => letters.is_empty(),
        }
    }

    /// What is left behind the part, when the text starts with it.
    fn strip_from_start<'a>(
        &self,
        text: &'a str,
        work: &mut Work,
    ) -> Result<Option<&'a str>, TooMuch> {
        let wanted = match self {
            Self::Text(part) => return Ok(text.strip_prefix(&**part)),
            Self::Gapped(wanted) => wanted,
        };
        let mut letters = text.chars();
        for wanted in wanted {
            work.spend(1)?;
            match letters.next() {
                Some(letter) if wanted.is_none_or(|wanted| wanted == letter) => {}
                Some(_) | None => return Ok(None),
            }
        }
        Ok(Some(letters.as_str()))
    }

    /// Where the part starts, when the text ends with it.
    fn start_at_end(&self, text: &str, work: &mut Work) -> Result<Option<usize>, TooMuch> {
        let wanted = match self {
            Self::Text(part) => return Ok(text.strip_suffix(&**part).map(str::len)),
            Self::Gapped(wanted) => wanted,
        };
        let mut letters = text.chars();
        for wanted in wanted.iter().rev() {
            work.spend(1)?;
            match letters.next_back() {
                Some(letter) if wanted.is_none_or(|wanted| wanted == letter) => {}
                Some(_) | None => return Ok(None),
            }
        }
        Ok(Some(letters.as_str().len()))
    }

    /// What is left behind the first place where the part occurs.
    fn strip_first_occurrence<'a>(
        &self,
        text: &'a str,
        work: &mut Work,
    ) -> Result<Option<&'a str>, TooMuch> {
        if let Self::Text(part) = self {
            return Ok(text.split_once(&**part).map(|(_, behind)| behind));
        }
        let mut letters = text.chars();
        loop {
            if let Some(behind) = self.strip_from_start(letters.as_str(), work)? {
                return Ok(Some(behind));
            }
            if letters.next().is_none() {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;
    use proptest::prelude::*;

    /// The definition, taken literally: every way to divide the text is tried.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', rest @ ..] => (0..=text.len()).any(|at| by_definition(rest, &text[at..])),
            ['_', rest @ ..] => !text.is_empty() && by_definition(rest, &text[1..]),
            ['\\', escaped @ ('%' | '_'), rest @ ..] => {
                text.first() == Some(escaped) && by_definition(rest, &text[1..])
            }
            [letter, rest @ ..] => text.first() == Some(letter) && by_definition(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_its_definition_says(
            pattern in "[ab%_\\\\é]{0,8}",
            text in "[ab%_\\\\é]{0,8}",
        ) {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                Pattern::new(&pattern).matches(&text, &mut Work::default()),
                Ok(by_definition(&letters(&pattern), &letters(&text))),
                "{} LIKE {}", text, pattern
            );
        }
    }

    #[test]
    fn the_steps_are_bounded() {
        let text = "a".repeat(100_000);
        let mut work = Work::default();
        work.allow(text.len());
        let hostile = Pattern::new(&("%".to_string() + &"a_".repeat(10_000) + "b%"));
        assert_eq!(hostile.matches(&text, &mut work), Err(TooMuch));
        let many_wildcards = Pattern::new(&("%a".repeat(10_000) + "%b"));
        assert_eq!(many_wildcards.matches(&text, &mut work), Ok(false));
    }

    #[test]
    fn what_people_write_stays_far_from_the_bound() {
        let pattern = Pattern::new("%/repos/____/issues/%");
        let text = "/repos/abc".repeat(100_000) + "/repos/mice/issues/1";
        let mut work = Work::of(4 * text.len());
        assert_eq!(pattern.matches(&text, &mut work), Ok(true));
    }
}
