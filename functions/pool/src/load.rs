//! Reads files of AgentPools and event sources.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::SnippetMode;

use crate::document::Document;
use crate::field::{Field, Invalid};
use crate::locate::{field_at, locate};
use crate::pool::Pool;
use crate::source::{DeclaredSource, EventSourceSpec, PING_KIND, PingSpec, SourceDocument};
use crate::split;
use crate::{KIND, SOURCE_KIND};

/// No file is read beyond this.
const LARGEST: u64 = 1024 * 1024;

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The good pools, by file and place in the file.
    pub pools: Vec<PoolFile>,
    /// The good sources, likewise.
    pub sources: Vec<SourceFile>,
    /// What is wrong with the rest.
    pub errors: Vec<LoadError>,
}

/// A pool and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolFile {
    /// The file.
    pub path: PathBuf,
    /// The pool.
    pub pool: Pool,
}

/// A source and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The file.
    pub path: PathBuf,
    /// The source.
    pub source: DeclaredSource,
}

/// What one file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// Its AgentPools.
    pub pools: Vec<Pool>,
    /// Its event sources.
    pub sources: Vec<DeclaredSource>,
}

/// Where a text is neither an AgentPool nor an event source, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {reason}")]
pub struct ParseError {
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{}:{error}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: ParseError,
    },
    /// Another document of the same kind has the same name and was kept.
    #[error(
        "{}: {what} `{name}` is already in {}: rename or remove one of them",
        path.display(),
        kept.display()
    )]
    Duplicate {
        /// `pool` or `source`.
        what: &'static str,
        /// The name.
        name: String,
        /// The file whose document was left out.
        path: PathBuf,
        /// The file whose document was kept.
        kept: PathBuf,
    },
}

/// Reads every `*.yaml` and `*.yml` of a folder, in the order of their names. Hidden files and
/// folders in it are left alone.
#[must_use]
pub fn load_dir(folder: &Path) -> Loaded {
    let mut loaded = Loaded::default();
    let paths = match list(folder) {
        Ok(paths) => paths,
        Err(source) => {
            loaded.errors.push(LoadError::Unreadable {
                path: folder.to_owned(),
                source,
            });
            return loaded;
        }
    };
    let (mut pools, mut sources) = (Kept::of("pool"), Kept::of("source"));
    for path in paths {
        let file = match load(&path) {
            Ok(file) => file,
            Err(error) => {
                loaded.errors.push(error);
                continue;
            }
        };
        for pool in file.pools {
            match pools.keep(pool.name.as_str(), &path) {
                Ok(path) => loaded.pools.push(PoolFile { path, pool }),
                Err(error) => loaded.errors.push(error),
            }
        }
        for source in file.sources {
            match sources.keep(&source.source.name, &path) {
                Ok(path) => loaded.sources.push(SourceFile { path, source }),
                Err(error) => loaded.errors.push(error),
            }
        }
    }
    loaded
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !hidden && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn load(path: &Path) -> Result<File, LoadError> {
    let text = read(path).map_err(|source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|error| LoadError::Invalid {
        path: path.to_owned(),
        error,
    })
}

fn read(path: &Path) -> io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    if length > LARGEST {
        return Err(io::Error::other(format!(
            "it has {length} bytes, and such a file has at most {LARGEST}"
        )));
    }
    std::fs::read_to_string(path)
}

/// Which names of a kind are taken, and by which file.
struct Kept {
    what: &'static str,
    files: BTreeMap<String, PathBuf>,
}

impl Kept {
    fn of(what: &'static str) -> Self {
        Self {
            what,
            files: BTreeMap::new(),
        }
    }

    fn keep(&mut self, name: &str, path: &Path) -> Result<PathBuf, LoadError> {
        if let Some(kept) = self.files.get(name) {
            return Err(LoadError::Duplicate {
                what: self.what,
                name: name.to_owned(),
                path: path.to_owned(),
                kept: kept.clone(),
            });
        }
        self.files.insert(name.to_owned(), path.to_owned());
        Ok(path.to_owned())
    }
}

/// What every document says first.
#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
}

/// Reads the AgentPools and event sources of a text; several are separated by `---`.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<File, ParseError> {
    let mut file = File::default();
    for document in split::documents(text) {
        let head: Head = read_yaml(&document)?;
        match head.kind.as_deref() {
            Some(KIND) | None => {
                let pool = Pool::from_document(read_yaml::<Document>(&document)?);
                file.pools.push(at_its_place(&document, pool)?);
            }
            Some(SOURCE_KIND) => {
                let source = read_yaml::<SourceDocument<EventSourceSpec>>(&document)?.check();
                file.sources.push(at_its_place(&document, source)?);
            }
            Some(PING_KIND) => {
                let source = read_yaml::<SourceDocument<PingSpec>>(&document)?.check();
                file.sources.push(at_its_place(&document, source)?);
            }
            Some(other) => {
                let unknown = Field::of(&["kind"]).invalid(format!(
                    "`{}` is not known here: write `{KIND}`, `{SOURCE_KIND}` or `{PING_KIND}`",
                    other.escape_debug()
                ));
                at_its_place(&document, Err(unknown))?;
            }
        }
    }
    Ok(file)
}

fn read_yaml<T: DeserializeOwned>(document: &str) -> Result<T, ParseError> {
    serde_saphyr::from_str(document).map_err(|error| in_words(document, &error))
}

fn in_words(text: &str, error: &serde_saphyr::Error) -> ParseError {
    let (line, column) = error
        .location()
        .map_or((1, 1), |place| (place.line(), place.column()));
    let plain = error
        .without_snippet()
        .render_with_options(serde_saphyr::render_options! {
            snippets: SnippetMode::Off,
        });
    let reason = plain.replace(&format!(" at line {line}, column {column}"), "");
    let reason = match reason.strip_prefix("invalid ") {
        Some("u32" | "u64" | "usize") => "a whole number, 0 or more, is expected".to_owned(),
        Some(_) | None => reason,
    };
    let field = field_at(text, line, column).map(|field| field.to_string());
    ParseError {
        line,
        column,
        reason: match field {
            Some(field) if !field.is_empty() => format!("{field}: {reason}"),
            Some(_) | None => reason,
        },
    }
}

fn at_its_place<T>(document: &str, checked: Result<T, Invalid>) -> Result<T, ParseError> {
    checked.map_err(|invalid| {
        let (line, column) = locate(document, &invalid.field);
        ParseError {
            line,
            column,
            reason: invalid.to_string(),
        }
    })
}
