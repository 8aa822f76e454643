//! Sets of curriculum standards: what stands in a call, a CSV or JSON file, or the sample set.
//!
//! Error texts name file, row and column, and never quote a cell: whoever calls the tool is not
//! always allowed to read the machine's files.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::grade::Grade;

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The most standards in one set.
pub const MAX_STANDARDS: usize = 20_000;

/// The sample set, written for this project.
const SAMPLE: &str = include_str!("sample.csv");

/// One curriculum standard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    /// Its code; unique in its set.
    #[schemars(length(min = 1))]
    pub id: String,
    /// What learners should know or be able to do.
    #[schemars(length(min = 1))]
    pub text: String,
    /// The subject, e.g. `mathematics`.
    pub subject: Option<String>,
    /// A grade or a span of grades, e.g. `4` or `6-8`.
    pub grade: Option<Grade>,
}

/// Why a set of standards is of no use. All of them are for the caller to put right.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two sets where one is meant.
    #[error("both `standards` and `standardsFile` are given: leave one of them out")]
    Both,
    /// No file of that name, or it may not be read.
    #[error(
        "cannot read the standards file {path}: {reason}. Give an absolute path, or one relative to {base}"
    )]
    Unreadable {
        path: PathBuf,
        base: PathBuf,
        reason: String,
    },
    /// Not one of the two formats, going by the name.
    #[error("{0} is neither .csv nor .json: save the standards as one of the two")]
    Format(PathBuf),
    /// Outside of the folder that the operator has set.
    #[error(
        "{path} is outside of {root}, and STANDARDS_DIR allows files of that folder only: move the file there"
    )]
    Outside { path: PathBuf, root: PathBuf },
    /// More than [`MAX_FILE_BYTES`].
    #[error("{0} is larger than 4 MiB: split it by subject or grade")]
    TooLarge(PathBuf),
    /// More than [`MAX_STANDARDS`].
    #[error("{0} has more than 20000 standards: split it by subject or grade")]
    TooMany(String),
    /// No standards at all.
    #[error("{0} holds no standards: give at least one with `id` and `text`")]
    Empty(String),
    /// A CSV file without a column that is needed.
    #[error(
        "{file}, row 1: there is no column `{column}`. The header must name `id` and `text`, and may name `subject` and `grade`"
    )]
    Column { file: String, column: &'static str },
    /// One row or entry is wrong.
    #[error("{file}, {place}: {reason}")]
    Row {
        file: String,
        place: Place,
        reason: String,
    },
    /// Two standards with one id.
    #[error("{file}: {first} and {second} have the same `id`; each standard needs its own")]
    Duplicate {
        file: String,
        first: Place,
        second: Place,
    },
}

/// Where in a set something stands; counted from 1, a CSV file's header being row 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A row of a CSV file.
    Row(usize),
    /// An entry of a JSON list.
    Entry(usize),
    /// A line and a column of a JSON file.
    Line(usize, usize),
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Row(number) => write!(out, "row {number}"),
            Self::Entry(number) => write!(out, "entry {number}"),
            Self::Line(line, column) => write!(out, "line {line}, column {column}"),
        }
    }
}

/// The set that ships: mathematics, science and language for grades 1 to 8.
///
/// # Errors
/// Never, as a test shows.
pub fn sample() -> Result<Vec<Standard>, Error> {
    read_csv("the sample set", SAMPLE.as_bytes())
}

/// Checks standards that stand in the call itself.
///
/// # Errors
/// None at all, too many, an empty `id` or `text`, one `id` twice.
pub fn inline(standards: Vec<Standard>) -> Result<Vec<Standard>, Error> {
    let placed = standards
        .into_iter()
        .enumerate()
        .map(|(index, standard)| (Place::Entry(index + 1), standard))
        .collect();
    checked("`standards`", placed)
}

/// Reads a file of standards. A relative `path` starts at `root`, else at the working directory;
/// with a `root`, files outside of it are refused, wherever links lead.
///
/// # Errors
/// All of [`Error`].
pub fn open(path: &Path, root: Option<&Path>) -> Result<Vec<Standard>, Error> {
    let base = root.map_or_else(
        || std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        Path::to_path_buf,
    );
    let full = base.join(path);
    let extension = full.extension().and_then(|extension| extension.to_str());
    let read: fn(&str, &[u8]) -> Result<Vec<Standard>, Error> =
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => read_csv,
            Some("json") => read_json,
            Some(_) | None => return Err(Error::Format(full)),
        };
    let unreadable_as = |reason: String| Error::Unreadable {
        path: full.clone(),
        base: base.clone(),
        reason,
    };
    let unreadable = |error: std::io::Error| unreadable_as(error.kind().to_string());
    let real = full.canonicalize().map_err(unreadable)?;
    if let Some(root) = root {
        let root = root.canonicalize().map_err(unreadable)?;
        if !real.starts_with(&root) {
            return Err(Error::Outside { path: full, root });
        }
    }
    // A pipe or device would keep us waiting for ever.
    if !real.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable_as("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(&real)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Error::TooLarge(full));
    }
    let name = full.display().to_string();
    read(&name, bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes))
}

/// Reads CSV with a header; the separator is whichever of `,`, `;` and tab the header has most.
fn read_csv(file: &str, bytes: &[u8]) -> Result<Vec<Standard>, Error> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator(bytes))
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let at = |error: &csv::Error| Error::Row {
        file: file.to_owned(),
        place: Place::Row(row_of(error.position())),
        reason: in_words(error),
    };
    let header = reader.headers().map_err(|error| at(&error))?.clone();
    let column = |name: &str| {
        header
            .iter()
            .position(|cell| cell.eq_ignore_ascii_case(name))
    };
    let needed = |name: &'static str| {
        column(name).ok_or_else(|| Error::Column {
            file: file.to_owned(),
            column: name,
        })
    };
    let (id, text) = (needed("id")?, needed("text")?);
    let (subject, grade) = (column("subject"), column("grade"));
    let mut placed = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| at(&error))?;
        let cell = |index: usize| record.get(index).unwrap_or_default().to_owned();
        let filled = |index: Option<usize>| index.map(cell).filter(|cell| !cell.is_empty());
        let standard = Standard {
            id: cell(id),
            text: cell(text),
            subject: filled(subject),
            grade: filled(grade).map(|grade| Grade::new(&grade)),
        };
        placed.push((Place::Row(row_of(record.position())), standard));
    }
    checked(file, placed)
}

/// Spreadsheets in many countries write `;` into files that they call CSV.
fn separator(bytes: &[u8]) -> u8 {
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or(bytes);
    let count = |wanted: u8| header.iter().filter(|byte| **byte == wanted).count();
    let mut best = b',';
    for candidate in [b';', b'\t'] {
        if count(candidate) > count(best) {
            best = candidate;
        }
    }
    best
}

fn row_of(position: Option<&csv::Position>) -> usize {
    position.map_or(1, |position| {
        usize::try_from(position.record()).unwrap_or(usize::MAX - 1) + 1
    })
}

fn in_words(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => format!(
            "column {} is not UTF-8: save the file with that encoding",
            err.field() + 1
        ),
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!(
            "it has {len} columns where the header has {expected_len}: put texts with separators into double quotes"
        ),
        _ => "it is not valid CSV".to_owned(),
    }
}

/// Reads a JSON list of standards, or an object with such a list as `standards`.
fn read_json(file: &str, bytes: &[u8]) -> Result<Vec<Standard>, Error> {
    let wrong = |place: Place, reason: String| Error::Row {
        file: file.to_owned(),
        place,
        reason,
    };
    let json: Value = serde_json::from_slice(bytes).map_err(|error| Error::Row {
        file: file.to_owned(),
        place: Place::Line(error.line(), error.column()),
        reason: "this is not valid JSON".to_owned(),
    })?;
    let list = match json {
        Value::Array(list) => list,
        Value::Object(mut object) => match object.remove("standards") {
            Some(Value::Array(list)) => list,
            Some(_) | None => return Err(Error::Empty(file.to_owned())),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(Error::Empty(file.to_owned()));
        }
    };
    let mut placed = Vec::with_capacity(list.len());
    for (index, entry) in list.iter().enumerate() {
        let place = Place::Entry(index + 1);
        let standard = from_entry(entry).map_err(|reason| wrong(place, reason))?;
        placed.push((place, standard));
    }
    checked(file, placed)
}

/// Written out, because serde's own messages quote the values that they refuse.
fn from_entry(entry: &Value) -> Result<Standard, String> {
    let Value::Object(entry) = entry else {
        return Err("it must be an object with `id` and `text`".to_owned());
    };
    let member = |name: &str| match entry.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(format!("`{name}` must be a string"))
        }
    };
    Ok(Standard {
        id: member("id")?.unwrap_or_default(),
        text: member("text")?.unwrap_or_default(),
        subject: member("subject")?,
        grade: member("grade")?.map(|grade| Grade::new(&grade)),
    })
}

fn checked(file: &str, placed: Vec<(Place, Standard)>) -> Result<Vec<Standard>, Error> {
    if placed.is_empty() {
        return Err(Error::Empty(file.to_owned()));
    }
    if placed.len() > MAX_STANDARDS {
        return Err(Error::TooMany(file.to_owned()));
    }
    let mut places: HashMap<&str, Place> = HashMap::with_capacity(placed.len());
    for (place, standard) in &placed {
        for (column, cell) in [("id", &standard.id), ("text", &standard.text)] {
            if cell.trim().is_empty() {
                return Err(Error::Row {
                    file: file.to_owned(),
                    place: *place,
                    reason: format!("column `{column}` is empty: every standard needs it"),
                });
            }
        }
        if let Some(first) = places.insert(&standard.id, *place) {
            return Err(Error::Duplicate {
                file: file.to_owned(),
                first,
                second: *place,
            });
        }
    }
    Ok(placed.into_iter().map(|(_, standard)| standard).collect())
}

#[cfg(test)]
#[path = "standards_tests.rs"]
mod tests;
