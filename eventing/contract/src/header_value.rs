//! Attribute values as HTTP header values (CloudEvents HTTP binding, section 3.1.3.2).

use std::borrow::Cow;

use http::header::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Space, double quote, percent and all outside printable ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// Percent-encodes a value, in upper case.
pub(crate) fn encode(value: &str) -> HeaderValue {
    let text: Cow<'_, str> = utf8_percent_encode(value, ENCODED).into();
    HeaderValue::from_str(&text).expect("percent-encoded text is a valid header value")
}

/// Undoes quotes, then one round of percent-encoding. `None` when what comes out is no UTF-8.
///
/// UTF-8 that was not encoded is taken as it is, and so is a `%` that begins no encoding: senders
/// that follow earlier versions of the binding leave both.
pub(crate) fn decode(value: &HeaderValue) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(value.as_bytes()).ok()?;
    match unquoted(text) {
        Cow::Borrowed(text) => percent_decode_str(text).decode_utf8().ok(),
        Cow::Owned(text) => {
            let decoded = percent_decode_str(&text).decode_utf8().ok()?;
            Some(decoded.into_owned().into())
        }
    }
}

/// What a quoted string says (RFC 7230, section 3.2.6). A text that is not one, whole and well
/// formed, says itself.
fn unquoted(text: &str) -> Cow<'_, str> {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.into();
    };
    let mut inner = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    loop {
        match letters.next() {
            Some('"') if letters.as_str().is_empty() => return inner.into(),
            Some('\\') => match letters.next() {
                Some(letter) => inner.push(letter),
                None => return text.into(),
            },
            Some('"') | None => return text.into(),
            Some(letter) => inner.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(value: &[u8]) -> Option<String> {
        let value = HeaderValue::from_bytes(value).unwrap();
        decode(&value).map(Cow::into_owned)
    }

    #[test]
    fn what_must_be_encoded_is_and_nothing_else() {
        assert_eq!(encode("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(encode("100% \"x\""), "100%25%20%22x%22");
        assert_eq!(encode("\u{7f}\n"), "%7F%0A");
        let plain: String = ('!'..='~').filter(|it| !"\"%".contains(*it)).collect();
        assert_eq!(encode(&plain), plain.as_str());
    }

    #[test]
    fn decoding_takes_either_case_and_what_needed_no_encoding() {
        for (value, text) in [
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
            ("Euro%20%e2%82%ac%20%f0%9f%98%80", "Euro € 😀"),
            ("%61b%63", "abc"),
            ("100%", "100%"),
            ("50%/2%zz", "50%/2%zz"),
            ("%2525", "%25"),
            ("a b", "a b"),
            ("Euro €", "Euro €"),
            ("", ""),
        ] {
            assert_eq!(decoded(value.as_bytes()).as_deref(), Some(text), "{value}");
        }
    }

    #[test]
    fn decoding_undoes_quotes_first() {
        for (value, text) in [
            (r#""Euro €""#, "Euro €"),
            (r#""a \"b\" \\ c""#, r#"a "b" \ c"#),
            (r#""%22quoted%22""#, r#""quoted""#),
            (r#""%5C%22""#, r#"\""#),
            (r#""""#, ""),
            // No quoted strings: they stay what they are.
            (r#"""#, r#"""#),
            (r#""a" and "b""#, r#""a" and "b""#),
            (r#""a\""#, r#""a\""#),
            (r#"a "b""#, r#"a "b""#),
        ] {
            assert_eq!(decoded(value.as_bytes()).as_deref(), Some(text), "{value}");
        }
    }

    #[test]
    fn what_is_no_utf_8_is_refused() {
        let overlong = b"%C0%A0";
        let surrogate = b"%ED%A0%80";
        for value in [
            &overlong[..],
            surrogate,
            b"%FF",
            b"a%E2%82",
            b"\xff",
            b"\"%C0%A0\"",
        ] {
            assert_eq!(decoded(value), None, "{value:?}");
        }
    }
}
