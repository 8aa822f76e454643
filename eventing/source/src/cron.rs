//! Cron expressions and time zones, checked when they are read.

use std::fmt;
use std::str::FromStr;

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// When something happens, in the words of cron: `minute hour day-of-month month day-of-week`,
/// with `second` before them where there are six, or `@hourly`, `@daily`, `@weekly`, `@monthly`,
/// `@yearly`.
///
/// Days of the week are 0 (Sunday) to 7 (Sunday) or `SUN` … `SAT`. When both days are given, each
/// is enough; with `+` before the day of the week, both must hold. `L` is the last day of the
/// month, `15W` the weekday next to the 15th, `MON#2` the second Monday.
///
/// **When clocks change** (as Vixie cron does): an expression without `*` or `/` in its seconds,
/// minutes and hours names times of day. Its run in an hour that is skipped happens when the hour
/// is over, and in an hour that comes twice it runs the first time only. Any other expression
/// follows the clock: what is skipped is skipped, what comes twice runs twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    written: String,
    parsed: croner::Cron,
}

/// The text is no cron expression, or one that never happens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no schedule: {why}; write `minute hour day month weekday`, such as `30 2 * * *`"
)]
pub struct InvalidCron {
    text: String,
    why: String,
}

impl Cron {
    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The first time after this one. `None` when there is none in this age.
    pub(crate) fn next(&self, after: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let after = after.to_zoned(zone.zone.clone());
        let next = self.parsed.find_next_occurrence(&after, false).ok()?;
        Some(next.timestamp())
    }

    /// The last time before this one, or this one itself where `is_included`.
    pub(crate) fn previous(
        &self,
        before: Timestamp,
        is_included: bool,
        zone: &Zone,
    ) -> Option<Timestamp> {
        let before = before.to_zoned(zone.zone.clone());
        let previous = self
            .parsed
            .find_previous_occurrence(&before, is_included)
            .ok()?;
        Some(previous.timestamp())
    }
}

impl FromStr for Cron {
    type Err = InvalidCron;

    fn from_str(text: &str) -> Result<Self, InvalidCron> {
        let invalid = |why: String| InvalidCron {
            text: text.escape_debug().to_string(),
            why,
        };
        if text.contains("@every") || text.contains("TZ=") {
            return Err(invalid(
                "`@every` and `TZ=` are not known here (the time zone has a field of its own)"
                    .to_owned(),
            ));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        let parsed = parser.parse(text).map_err(|error| {
            let words = error.to_string();
            let words = words.split_once(": ").map_or(&*words, |(_, words)| words);
            invalid(words.trim_end_matches('.').to_owned())
        })?;
        let cron = Self {
            written: text.trim().to_owned(),
            parsed,
        };
        match cron.next(Timestamp::UNIX_EPOCH, &Zone::default()) {
            Some(_) => Ok(cron),
            None => Err(invalid("no day is ever like that".to_owned())),
        }
    }
}

/// A time zone, by its IANA name. Default: UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// There is no such time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone: write an IANA name such as `Europe/Berlin` or `UTC`")]
pub struct InvalidZone(String);

impl Zone {
    /// The zone's name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            name: "UTC".to_owned(),
            zone: TimeZone::UTC,
        }
    }
}

impl FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(name: &str) -> Result<Self, InvalidZone> {
        match TimeZone::get(name) {
            Ok(zone) => Ok(Self {
                name: name.to_owned(),
                zone,
            }),
            Err(_) => Err(InvalidZone(name.escape_debug().to_string())),
        }
    }
}

macro_rules! written_as_text {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

written_as_text!(Cron Zone);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_cron_writes_them() {
        for (text, next) in [
            ("30 2 * * *", "1970-01-01T02:30:00Z"),
            ("*/15 * * * * *", "1970-01-01T00:00:15Z"),
            ("@hourly", "1970-01-01T01:00:00Z"),
            ("0 9 * * MON-FRI", "1970-01-01T09:00:00Z"),
            ("0 0 1 * sun", "1970-01-04T00:00:00Z"),
            ("0 0 1 * +sun", "1970-02-01T00:00:00Z"),
            ("0 0 L * *", "1970-01-31T00:00:00Z"),
            ("0 0 29 2 *", "1972-02-29T00:00:00Z"),
        ] {
            let cron: Cron = text.parse().unwrap();
            let found = cron.next(Timestamp::UNIX_EPOCH, &Zone::default());
            assert_eq!(found, Some(next.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn others_are_refused_in_words() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "0 0 30 2 *",
            "@every 5s",
            "TZ=UTC * * * * *",
            "0 0 0 1 1 * 2030",
            "@never",
        ] {
            let error = text.parse::<Cron>().unwrap_err().to_string();
            assert!(error.contains("30 2 * * *"), "{text}: {error}");
        }
        let error = "Mars/Olympus".parse::<Zone>().unwrap_err().to_string();
        assert!(error.contains("Mars/Olympus") && error.contains("Europe/Berlin"));
    }
}
