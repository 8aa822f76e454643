//! Durations as people write them: `250ms`, `5s`, `2m`, `1h`, or ISO 8601 as in Knative (`PT5S`).
//!
//! For serde: `#[serde(with = "dormouse_contract::duration")]`, or [`option`] for optional ones.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration: write `500ms`, `5s`, `2m`, `1h` or ISO 8601 such as `PT5S`")]
pub struct InvalidDuration(String);

/// How a duration looks in a JSON Schema, for `#[schemars(with = "DurationText")]`: a text such as
/// `500ms`, `5s`, `2m` or `1h`, or ISO 8601 such as `PT5S`.
#[derive(JsonSchema)]
#[schemars(rename = "Duration", extend("examples" = ["5s"], "pattern" = PATTERN, "maxLength" = 64))]
pub struct DurationText(#[expect(dead_code, reason = "only its shape is used")] String);

/// Takes whatever [`parse`] takes, and little else.
const PATTERN: &str = r"^([0-9]+(ms|s|m|h|d)|P[Tt]([0-9]+([.,][0-9]+)?[HhMmSs])+)$";

/// Reads a duration.
///
/// # Errors
/// When the text is in neither form, is negative, or names calendar units (years, months).
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || InvalidDuration(text.to_owned());
    if text.starts_with('P') {
        let span: jiff::SignedDuration = text.parse().map_err(|_| invalid())?;
        let duration: Duration = span.try_into().map_err(|_| invalid())?;
        // What the short form could not write again is of no use.
        return match u64::try_from(duration.as_millis()) {
            Ok(_) => Ok(duration),
            Err(_) => Err(invalid()),
        };
    }
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .ok_or_else(invalid)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| invalid())?;
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(86_400_000),
        _ => None,
    };
    millis.map(Duration::from_millis).ok_or_else(invalid)
}

/// Writes a duration in the short form, in its largest whole unit.
#[must_use]
pub fn format(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

/// For serde's `with`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format(*duration))
}

/// For serde's `with`.
///
/// # Errors
/// When the value is no string or [`parse`] refuses it.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
    parse(&text).map_err(D::Error::custom)
}

/// The same for `Option<Duration>`; combine with `#[serde(default)]`.
pub mod option {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    /// For serde's `with`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, to),
            None => to.serialize_none(),
        }
    }

    /// For serde's `with`.
    ///
    /// # Errors
    /// When the value is no string or [`parse`](super::parse) refuses it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Wrapped(#[serde(with = "super")] Duration);
        Ok(Option::<Wrapped>::deserialize(from)?.map(|wrapped| wrapped.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        for (text, millis) in [
            ("250ms", 250),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("PT5S", 5_000),
            ("PT0.2S", 200),
            ("PT1M30S", 90_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_in_words() {
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "1.5s",
            "P1M",
            "-PT5S",
            "5 s",
            "PT9000000000000000000S",
            "99999999999999999999s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("5").unwrap_err().to_string().contains("PT5S"));
    }

    #[test]
    fn what_is_written_reads_back() {
        for millis in [0, 1, 999, 1_000, 90_000, 60_000, 7_200_000] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
