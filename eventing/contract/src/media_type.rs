//! Media types (RFC 2045, section 5.1), as far as events need them: what is a valid one, whether it
//! says JSON, and in which character set its text is.

use std::borrow::Cow;

/// A media type that is well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaType<'a> {
    /// `type/subtype`, in the case in which it came.
    essence: &'a str,
    /// The parameter `charset`, without quotes.
    charset: Option<Cow<'a, str>>,
}

impl<'a> MediaType<'a> {
    /// `None` when the text is no media type.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t']);
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let essence = essence.trim_end_matches([' ', '\t']);
        let (kind, subtype) = essence.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut parsed = Self {
            essence,
            charset: None,
        };
        let mut rest = parameters;
        while let Some((name, value, after)) = next_parameter(rest)? {
            if name.eq_ignore_ascii_case("charset") {
                parsed.charset.get_or_insert(value);
            }
            rest = after;
        }
        Some(parsed)
    }

    /// `type/subtype` in lower case.
    pub(crate) fn essence(&self) -> String {
        self.essence.to_ascii_lowercase()
    }

    /// Whether it is `*/json` or `*/*+json`, in any case (JSON event format, section 3.1.1).
    pub(crate) fn is_json(&self) -> bool {
        let subtype = self.essence.rsplit('/').next().unwrap_or_default();
        let suffix = subtype.rsplit('+').next().unwrap_or_default();
        suffix.eq_ignore_ascii_case("json")
    }

    /// The character set that is not UTF-8, if it names one.
    pub(crate) fn foreign_charset(&self) -> Option<&str> {
        let charset = self.charset.as_deref()?;
        let is_ours = ["utf-8", "utf8", "us-ascii"]
            .iter()
            .any(|ours| charset.eq_ignore_ascii_case(ours));
        (!is_ours).then_some(charset)
    }
}

type Parameter<'a> = (&'a str, Cow<'a, str>, &'a str);

/// The next parameter of a list that semicolons divide, and what follows it. The outer `None` says
/// that it is malformed; HTTP lets parameters be empty (RFC 9110, section 5.6.6).
fn next_parameter(text: &str) -> Option<Option<Parameter<'_>>> {
    let text = text.trim_start_matches([' ', '\t', ';']);
    if text.is_empty() {
        return Some(None);
    }
    let (name, text) = text.split_once('=')?;
    if !is_token(name) {
        return None;
    }
    let (value, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted_value(quoted)?,
        None => {
            let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
            let (value, rest) = text.split_at(end);
            if !is_token(value) {
                return None;
            }
            (value.into(), rest)
        }
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    (rest.is_empty() || rest.starts_with(';')).then_some(Some((name, value, rest)))
}

/// What a quoted string says, and what follows it; `text` starts behind the opening quote.
fn quoted_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value.into(), &text[at + 1..])),
            '\\' => value.push(
                letters
                    .next()
                    .map(|(_, letter)| letter)
                    .filter(is_quotable)?,
            ),
            letter if is_quotable(&letter) => value.push(letter),
            _ => return None,
        }
    }
    None
}

fn is_quotable(letter: &char) -> bool {
    matches!(letter, ' '..='~')
}

/// RFC 2045, section 5.1: visible ASCII without the `tspecials`.
fn is_token(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_types_are_taken_and_others_are_not() {
        for good in [
            "application/json",
            "text/plain; charset=utf-8",
            "text/plain;charset=\"utf-8\"",
            "Multipart/Mixed ; boundary=\"a \\\" b\" ; x=y",
            "application/vnd.example+json;",
            "application/x-{y}",
        ] {
            assert!(MediaType::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "xyz",
            "/json",
            "application/",
            "a/b/c",
            "text plain/x",
            "text/plain charset=utf-8",
            "text/plain; charset",
            "text/plain; charset=",
            "text/plain; =utf-8",
            "text/plain; charset=\"utf-8",
            "text/plain; a=\"\u{7f}\"",
            "text/plain; a=\"b\"c",
            "text/plain, text/html",
            "tëxt/plain",
        ] {
            assert_eq!(MediaType::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn json_is_known_by_its_subtype_or_suffix_in_any_case() {
        let is_json = |text| MediaType::parse(text).is_some_and(|media| media.is_json());
        assert!(is_json("Application/JSON; charset=utf-8"));
        assert!(is_json("text/json") && is_json("application/vnd.example+Json"));
        assert!(!is_json("application/jsonx") && !is_json("application/xml"));
    }

    #[test]
    fn only_other_character_sets_are_foreign() {
        let foreign = |text| {
            let media = MediaType::parse(text).unwrap();
            media.foreign_charset().map(str::to_owned)
        };
        assert_eq!(foreign("a/b"), None);
        assert_eq!(foreign("a/b; Charset=\"UTF-8\""), None);
        assert_eq!(foreign("a/b; x=y; charset=utf-16"), Some("utf-16".into()));
    }
}
