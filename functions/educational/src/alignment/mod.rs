//! The tool `curriculum-alignment`: which standards a lesson or an exercise serves, and by which
//! words. It needs no model and no network, and gives the same answer every time.

mod rank;
mod standards;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grade::Grade;
pub use standards::{Error, Standard};

/// What an agent reads about the tool.
pub const DESCRIPTION: &str = "Finds the curriculum standards that an English text (a lesson, an \
    exercise) serves: ranked matches with scores and the shared words. Compares with the given \
    standards, with a CSV or JSON file of them, or with a small sample set for grades 1 to 8.";

/// Arguments of `curriculum-alignment`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Args {
    /// The lesson, exercise or other text to align.
    #[schemars(length(min = 1, max = 500_000))]
    text: String,
    /// The standards to compare with. Without these and without `standardsFile`, the sample set.
    standards: Option<Vec<Standard>>,
    /// A CSV file with the columns id, text and optionally subject and grade, or a JSON list of
    /// such objects; absolute, or relative to the function's working directory. At most 4 MiB.
    standards_file: Option<PathBuf>,
    /// At most this many matches.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 100))]
    limit: usize,
    /// Only standards of this grade, e.g. `4`, `"6-8"` or `"K"`.
    grade: Option<Grade>,
    /// Only standards whose subject contains this, in upper or lower case.
    subject: Option<String>,
}

fn default_limit() -> usize {
    5
}

/// The result of `curriculum-alignment`.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Alignment {
    /// One sentence about the outcome.
    pub summary: String,
    /// The best matches first; empty when no standard shares a word with the text.
    pub matches: Vec<Match>,
    /// How many standards were compared, after the filters.
    pub considered: usize,
}

/// One standard that shares words with the text.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Match {
    /// From 1.
    pub rank: usize,
    /// The standard's code.
    pub id: String,
    /// The standard's text.
    pub text: String,
    /// The standard's subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The standard's grade or span of grades.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
    /// The BM25 score: higher is better, comparable within this answer only.
    pub score: f64,
    /// The shared words as the given text writes them, the weightiest first.
    pub terms: Vec<String>,
}

/// Ranks the standards against the text. Reads a file when the arguments name one: call it where
/// blocking is allowed.
///
/// # Errors
/// Those of reading the standards.
pub fn align(args: Args, root: Option<&Path>) -> Result<Alignment, Error> {
    let (source, mut set) = match (args.standards, args.standards_file) {
        (Some(_), Some(_)) => return Err(Error::Both),
        (Some(given), None) => ("given standards", standards::inline(given)?),
        (None, Some(file)) => ("standards in the file", standards::open(&file, root)?),
        (None, None) => ("sample standards", standards::sample()?),
    };
    let total = set.len();
    let wanted = args.subject.map(|subject| subject.trim().to_lowercase());
    set.retain(|standard| {
        is_of_grade(standard, args.grade.as_ref()) && is_of_subject(standard, wanted.as_deref())
    });
    // Equal scores keep this order.
    set.sort_by(|one, two| one.id.cmp(&two.id));

    let texts: Vec<&str> = set.iter().map(|standard| standard.text.as_str()).collect();
    let ranked = rank::rank(&args.text, &texts);
    let summary = summarize(source, total, set.len(), ranked.len());
    let matches = ranked
        .into_iter()
        .take(args.limit)
        .enumerate()
        .map(|(place, ranked)| to_match(place + 1, &set[ranked.index], ranked.score, ranked.terms))
        .collect();
    Ok(Alignment {
        summary,
        matches,
        considered: set.len(),
    })
}

fn is_of_grade(standard: &Standard, wanted: Option<&Grade>) -> bool {
    wanted.is_none_or(|wanted| {
        let grade = standard.grade.as_ref();
        grade.is_some_and(|grade| grade.meets(wanted))
    })
}

fn is_of_subject(standard: &Standard, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| {
        let subject = standard.subject.as_ref();
        subject.is_some_and(|subject| subject.to_lowercase().contains(wanted))
    })
}

fn to_match(rank: usize, standard: &Standard, score: f64, terms: Vec<String>) -> Match {
    Match {
        rank,
        id: standard.id.clone(),
        text: standard.text.clone(),
        subject: standard.subject.clone(),
        grade: standard.grade.as_ref().map(ToString::to_string),
        score,
        terms,
    }
}

fn summarize(source: &str, total: usize, considered: usize, matched: usize) -> String {
    match (considered, matched) {
        (0, _) => format!(
            "None of the {total} {source} is of the wanted grade and subject, so nothing was \
             compared: widen or drop the filters."
        ),
        (_, 0) => {
            format!("None of the {considered} {source} compared shares a word with the text.")
        }
        (_, 1) => format!("1 of {considered} {source} shares words with the text."),
        (_, _) => format!("{matched} of {considered} {source} share words with the text."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(args: serde_json::Value) -> Alignment {
        align(serde_json::from_value(args).unwrap(), None).unwrap()
    }

    fn ids(alignment: &Alignment) -> Vec<&str> {
        let ids = alignment.matches.iter().map(|found| found.id.as_str());
        ids.collect()
    }

    const LESSON: &str = "Pupils fold paper strips to compare fractions. They find equivalent \
        fractions with different denominators and explain their models.";

    #[test]
    fn a_lesson_finds_its_standard_in_the_sample_set() {
        let found = run(json!({"text": LESSON, "limit": 3}));
        assert_eq!(found.matches.len(), 3);
        assert_eq!(found.matches[0].id, "MA.4.1");
        assert_eq!(found.matches[0].rank, 1);
        let terms = &found.matches[0].terms;
        assert!(terms.contains(&"fractions".to_owned()), "{terms:?}");
        assert!(found.summary.contains("sample standards"));
    }

    #[test]
    fn grade_and_subject_narrow_what_is_considered() {
        let found = run(json!({"text": LESSON, "grade": 4, "subject": "MATH"}));
        assert_eq!(found.considered, 3);
        assert!(ids(&found).iter().all(|id| id.starts_with("MA.4.")));
        let none = run(json!({"text": LESSON, "grade": "12"}));
        assert_eq!((none.considered, none.matches.len()), (0, 0));
        assert!(none.summary.contains("drop the filters"));
    }

    #[test]
    fn ties_are_ordered_by_id_and_no_match_is_said_in_words() {
        let standards = json!([
            {"id": "B", "text": "Solve equations"},
            {"id": "A", "text": "Solve equations"},
            {"id": "C", "text": "Read maps"},
        ]);
        let found = run(json!({"text": "equation", "standards": standards}));
        assert_eq!(ids(&found), ["A", "B"]);
        let none = run(json!({"text": "volcano", "standards": standards}));
        assert!(none.matches.is_empty());
        assert!(none.summary.contains("None of the 3 given standards"));
    }

    #[test]
    fn two_sources_at_once_are_refused() {
        let args = json!({"text": "x", "standards": [], "standardsFile": "a.csv"});
        let refused = align(serde_json::from_value(args).unwrap(), None);
        assert!(matches!(refused, Err(Error::Both)));
    }
}
