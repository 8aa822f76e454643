//! School grades as people write them: `4`, `"4"`, `"Grade 4"`, `"K"`, `"6-8"`, or any other name.

use std::fmt;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Deserialize;

/// A grade, a span of grades, or the name of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(from = "Written")]
#[schemars(with = "Written")]
pub struct Grade(String);

/// The ways a grade may stand in JSON.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Written {
    Number(u8),
    Text(String),
}

impl From<Written> for Grade {
    fn from(written: Written) -> Self {
        match written {
            Written::Number(number) => Self(number.to_string()),
            Written::Text(text) => Self::new(&text),
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Grade {
    /// A grade as it was written, without the space around it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the two have a grade in common: `7` and `6-8` do. Stages that are not numbered
    /// (`"Year 4"`, `"Sekundarstufe I"`) only meet themselves, in upper or lower case.
    pub fn meets(&self, other: &Self) -> bool {
        match (self.span(), other.span()) {
            (Some(one), Some(two)) => one.start() <= two.end() && two.start() <= one.end(),
            (None, _) | (_, None) => self.0.to_lowercase() == other.0.to_lowercase(),
        }
    }

    /// The numbered grades it stands for; kindergarten is 0.
    fn span(&self) -> Option<RangeInclusive<u8>> {
        let text = self.0.to_lowercase();
        let text = text
            .trim_start_matches("grades")
            .trim_start_matches("grade")
            .trim();
        let number = |text: &str| match text.trim() {
            "k" => Some(0),
            digits => digits.parse().ok(),
        };
        match text.split_once(['-', '–']) {
            Some((first, last)) => Some(number(first)?..=number(last)?),
            None => number(text).map(|grade| grade..=grade),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_meet_by_number_and_stages_by_name() {
        for (one, two, expected) in [
            ("4", "Grade 4", true),
            ("7", "6-8", true),
            ("Grades 6–8", "8", true),
            ("5", "6-8", false),
            ("K", "K-2", true),
            ("Year 4", "4", false),
            ("oberstufe", "Oberstufe", true),
        ] {
            let (one, two) = (Grade::new(one), Grade::new(two));
            assert_eq!(one.meets(&two), expected, "{one} and {two}");
            assert_eq!(two.meets(&one), expected, "{two} and {one}");
        }
    }

    #[test]
    fn json_numbers_and_texts_are_read() {
        let read = |json| serde_json::from_str::<Grade>(json).unwrap().to_string();
        assert_eq!((read("4"), read(r#"" 6-8 ""#)), ("4".into(), "6-8".into()));
    }
}
