//! Bloom's taxonomy in its revised form (Anderson and Krathwohl, 2001): six levels, from
//! remembering to creating.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A level, the lowest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Level {
    /// Recall facts and terms.
    Remember,
    /// Explain in one's own words.
    Understand,
    /// Use it in a new situation.
    Apply,
    /// Take apart and relate the parts.
    #[serde(alias = "analyse")]
    Analyze,
    /// Judge by criteria.
    Evaluate,
    /// Make something new of it.
    Create,
}

impl Level {
    /// All levels, the lowest first.
    pub const ALL: [Self; 6] = [
        Self::Remember,
        Self::Understand,
        Self::Apply,
        Self::Analyze,
        Self::Evaluate,
        Self::Create,
    ];

    /// Its name as it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Remember => "remember",
            Self::Understand => "understand",
            Self::Apply => "apply",
            Self::Analyze => "analyze",
            Self::Evaluate => "evaluate",
            Self::Create => "create",
        }
    }

    /// What a question of this level asks of the learner, with its typical verbs.
    pub fn asks(self) -> &'static str {
        match self {
            Self::Remember => "recall facts and terms (name, list, define, recognise)",
            Self::Understand => "show understanding (explain, summarise, give an example)",
            Self::Apply => "use it in a situation that is new (solve, calculate, carry out)",
            Self::Analyze => "take it apart and relate the parts (compare, order, find causes)",
            Self::Evaluate => "judge by stated criteria and give reasons (assess, justify, choose)",
            Self::Create => "make something new with it (design, plan, write, invent)",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// How many questions of each level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Counts {
    #[schemars(range(max = 20))]
    remember: usize,
    #[schemars(range(max = 20))]
    understand: usize,
    #[schemars(range(max = 20))]
    apply: usize,
    #[serde(alias = "analyse")]
    #[schemars(range(max = 20))]
    analyze: usize,
    #[schemars(range(max = 20))]
    evaluate: usize,
    #[schemars(range(max = 20))]
    create: usize,
}

impl Counts {
    /// `total` questions over all levels as evenly as it goes; what is left over goes to the
    /// lower levels.
    pub fn spread(total: usize) -> Self {
        let mut counts = Self::default();
        for (place, level) in Level::ALL.into_iter().enumerate() {
            let left_over = usize::from(place < total % Level::ALL.len());
            *counts.at(level) = total / Level::ALL.len() + left_over;
        }
        counts
    }

    /// How many of this level.
    pub fn of(mut self, level: Level) -> usize {
        *self.at(level)
    }

    /// How many altogether.
    pub fn total(self) -> usize {
        Level::ALL.into_iter().map(|level| self.of(level)).sum()
    }

    /// The levels with at least one question, and how many.
    pub fn wanted(self) -> impl Iterator<Item = (Level, usize)> {
        let counted = Level::ALL
            .into_iter()
            .map(move |level| (level, self.of(level)));
        counted.filter(|(_, count)| *count > 0)
    }

    fn at(&mut self, level: Level) -> &mut usize {
        match level {
            Level::Remember => &mut self.remember,
            Level::Understand => &mut self.understand,
            Level::Apply => &mut self.apply,
            Level::Analyze => &mut self.analyze,
            Level::Evaluate => &mut self.evaluate,
            Level::Create => &mut self.create,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_spread_from_the_lowest_level() {
        for (total, expected) in [
            (6, [1, 1, 1, 1, 1, 1]),
            (8, [2, 2, 1, 1, 1, 1]),
            (2, [1, 1, 0, 0, 0, 0]),
        ] {
            let counts = Counts::spread(total);
            assert_eq!(Level::ALL.map(|level| counts.of(level)), expected);
            assert_eq!(counts.total(), total);
        }
    }

    #[test]
    fn counts_are_read_by_level_in_both_spellings() {
        let counts: Counts = serde_json::from_str(r#"{"analyse":2,"create":1}"#).unwrap();
        let wanted: Vec<_> = counts.wanted().collect();
        assert_eq!(wanted, [(Level::Analyze, 2), (Level::Create, 1)]);
        assert!(serde_json::from_str::<Counts>(r#"{"recall":1}"#).is_err());
    }
}
