//! The rules for attributes: their names and their types (CloudEvents 1.0.2, "Naming Conventions"
//! and "Type System").

use crate::event::InvalidEvent;

/// What CloudEvents itself means by a name; no extension is called so.
const RESERVED: [&str; 9] = [
    "id",
    "source",
    "type",
    "specversion",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
];

/// Of a value that is refused, so many letters are shown.
const SHOWN: usize = 80;

/// Checks the name of an extension attribute.
///
/// # Errors
/// When it holds anything but `a-z` and `0-9`, is empty, or is one that CloudEvents itself uses.
pub fn check_name(name: &str) -> Result<(), InvalidEvent> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if name.is_empty() || !name.bytes().all(is_allowed) {
        return Err(InvalidEvent::Name(shown(name)));
    }
    match RESERVED.contains(&name) {
        true => Err(InvalidEvent::Reserved(name.to_owned())),
        false => Ok(()),
    }
}

/// Checks a value of type String, which is what every value is as text.
pub(crate) fn check_string(name: &str, value: &str) -> Result<(), InvalidEvent> {
    match value.chars().all(is_allowed) {
        true => Ok(()),
        false => Err(malformed(
            name,
            value,
            "a string without control characters and Unicode noncharacters",
        )),
    }
}

/// Rust has no unpaired surrogates, so two kinds of characters are left that a String has not.
fn is_allowed(letter: char) -> bool {
    let code = u32::from(letter);
    let is_noncharacter = (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE;
    !letter.is_control() && !is_noncharacter
}

/// Whether it is a URI-reference (RFC 3986, section 4.1).
pub(crate) fn is_uri_reference(text: &str) -> bool {
    fluent_uri::UriRef::parse(text).is_ok()
}

/// Whether it is an absolute URI (RFC 3986, section 4.3), which has no fragment.
pub(crate) fn is_absolute_uri(text: &str) -> bool {
    fluent_uri::Uri::parse(text).is_ok_and(|uri| !uri.has_fragment())
}

/// Whether it is a `date-time` of RFC 3339, section 5.6, that there is, too: the 30th of February
/// is not one, and a leap second stands at the end of a day in UTC.
pub(crate) fn is_timestamp(text: &str) -> bool {
    parse_timestamp(text.as_bytes()).is_some()
}

fn parse_timestamp(text: &[u8]) -> Option<()> {
    let (date_time, rest) = text.split_at_checked(19)?;
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b't'), (13, b':'), (16, b':')] {
        (date_time[at].to_ascii_lowercase() == mark).then_some(())?;
    }
    let field = |from: usize, to: usize| number(&date_time[from..to]);
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    let offset = offset(without_fraction(rest)?)?;
    let utc = (hour * 60 + minute - offset).rem_euclid(24 * 60);
    let seconds = if utc == 24 * 60 - 1 { 60 } else { 59 };
    let exists =
        (1..=days(year, month)?).contains(&day) && hour <= 23 && minute <= 59 && second <= seconds;
    exists.then_some(())
}

fn number(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i32::from(digit - b'0'))
    })
}

fn without_fraction(text: &[u8]) -> Option<&[u8]> {
    let Some(fraction) = text.strip_prefix(b".") else {
        return Some(text);
    };
    let digits = fraction.iter().take_while(|it| it.is_ascii_digit()).count();
    (digits > 0).then(|| &fraction[digits..])
}

/// Minutes ahead of UTC.
fn offset(text: &[u8]) -> Option<i32> {
    match text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            let ahead = hours * 60 + minutes;
            (hours <= 23 && minutes <= 59).then_some(if *sign == b'+' { ahead } else { -ahead })
        }
        _ => None,
    }
}

fn days(year: i32, month: i32) -> Option<i32> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

/// The error for a value that breaks its type's rule.
pub(crate) fn malformed(name: &str, value: &str, expected: &'static str) -> InvalidEvent {
    InvalidEvent::Malformed {
        name: name.to_owned(),
        value: shown(value),
        expected,
    }
}

/// What a sender wrote, short enough and readable for an error's text.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_and_digits() {
        for good in ["a", "7", "traceparent", "a1b2", "averyveryverylongname123"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "A", "a_b", "a-b", "a.b", "ä", "a b"] {
            assert!(
                matches!(check_name(bad), Err(InvalidEvent::Name(_))),
                "{bad}"
            );
        }
        for reserved in RESERVED {
            let error = check_name(reserved).unwrap_err();
            assert_eq!(error, InvalidEvent::Reserved(reserved.to_owned()));
        }
    }

    #[test]
    fn strings_have_neither_controls_nor_noncharacters() {
        for good in ["", " ", "zwölf €", "😀", "\u{fffd}", "\u{e000}", "\u{a0}"] {
            assert_eq!(check_string("id", good), Ok(()), "{good:?}");
        }
        for bad in [
            '\0',
            '\t',
            '\n',
            '\u{1f}',
            '\u{7f}',
            '\u{80}',
            '\u{9f}',
            '\u{fdd0}',
            '\u{fdef}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{1fffe}',
            '\u{10ffff}',
        ] {
            let error = check_string("subject", &format!("a{bad}b")).unwrap_err();
            assert!(error.to_string().contains("`subject`"), "{bad:?}: {error}");
        }
    }

    #[test]
    fn timestamps_are_those_of_rfc_3339() {
        for good in [
            "2018-04-05T17:31:00Z",
            "2018-04-05t17:31:00z",
            "2018-04-05T17:31:00.000000000001Z",
            "2018-04-05T17:31:00+23:59",
            "2018-04-05T17:31:00-00:00",
            "2000-02-29T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "1990-12-31T23:59:60Z",
            "1990-12-31T15:59:60-08:00",
        ] {
            assert!(is_timestamp(good), "{good}");
        }
        for bad in [
            "",
            "lunchtime",
            "2018-04-05",
            "2018-04-05T18:31Z",
            "2018-04-05T18:31:00",
            "2018-04-05 18:31:00Z",
            "2018-04-05T18:31:00X",
            "2018-04-05T18:31:00.Z",
            "2018-04-05T18:31:00+25:00",
            "2018-04-05T18:31:00+01:60",
            "2018-04-05T18:31:00+xx:00",
            "2018-04-05T18:31:00+05",
            "2018-04-05T18:31:00+0500",
            "2018-04-05T18:31:00Z[UTC]",
            "2018-04-05T24:00:00Z",
            "2018-04-05T18:60:00Z",
            "2018-04-05T18:31:60Z",
            "2018-13-05T18:31:00Z",
            "2018-00-05T18:31:00Z",
            "2018-04-31T18:31:00Z",
            "2018-04-00T18:31:00Z",
            "1900-02-29T18:31:00Z",
            "+2018-04-05T18:31:00Z",
            "18-04-05T18:31:00Z",
            "２018-04-05T18:31:00Z",
        ] {
            assert!(!is_timestamp(bad), "{bad}");
        }
    }

    #[test]
    fn uris_are_those_of_rfc_3986() {
        for good in ["/a", "a", "1-555-123-4567", "#f", "//h/p", "urn:uuid:6e8b"] {
            assert!(is_uri_reference(good), "{good}");
        }
        for bad in ["a b", "/zwölf", "http://[::1", "%zz", "a\"b", "1:2"] {
            assert!(!is_uri_reference(bad), "{bad}");
        }
        for good in ["https://h/schema?v=1", "urn:x:y", "mailto:a@b.example"] {
            assert!(is_absolute_uri(good), "{good}");
        }
        for bad in ["/a", "", "//h/p", "https://h/schema#part"] {
            assert!(!is_absolute_uri(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_of_a_value_is_short_and_readable() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(200)).chars().count(), SHOWN + 1);
    }
}
