//! Reads AgentPool files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_saphyr::SnippetMode;

use crate::document::Document;
use crate::field::Invalid;
use crate::locate::{field_at, locate};
use crate::pool::Pool;

/// No file is read beyond this.
const LARGEST: u64 = 1024 * 1024;

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The good pools, by file and place in the file.
    pub pools: Vec<PoolFile>,
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

/// Where a text is no AgentPool, and why.
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
    /// It holds no AgentPool.
    #[error("{}:{error}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: ParseError,
    },
    /// Another file has a pool of the same name, which was kept.
    #[error(
        "{}: pool `{name}` is already in {}: rename or remove one of them",
        path.display(),
        kept.display()
    )]
    Duplicate {
        /// The pool's name.
        name: String,
        /// The file whose pool was left out.
        path: PathBuf,
        /// The file whose pool was kept.
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
    let mut kept: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in paths {
        match load(&path) {
            Ok(pools) => {
                for pool in pools {
                    add(&mut loaded, &mut kept, path.clone(), pool);
                }
            }
            Err(error) => loaded.errors.push(error),
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

fn load(path: &Path) -> Result<Vec<Pool>, LoadError> {
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
            "it has {length} bytes, an AgentPool file has at most {LARGEST}"
        )));
    }
    std::fs::read_to_string(path)
}

fn add(loaded: &mut Loaded, kept: &mut BTreeMap<String, PathBuf>, path: PathBuf, pool: Pool) {
    let name = pool.name.to_string();
    match kept.get(&name) {
        Some(other) => loaded.errors.push(LoadError::Duplicate {
            name,
            path,
            kept: other.clone(),
        }),
        None => {
            kept.insert(name, path.clone());
            loaded.pools.push(PoolFile { path, pool });
        }
    }
}

/// Reads the AgentPools of a text; several are separated by `---`.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<Vec<Pool>, ParseError> {
    let documents: Vec<Document> =
        serde_saphyr::from_multiple(text).map_err(|error| in_words(text, &error))?;
    documents
        .into_iter()
        .enumerate()
        .map(|(index, document)| {
            Pool::from_document(document).map_err(|invalid| at_its_place(text, index, &invalid))
        })
        .collect()
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

fn at_its_place(text: &str, document: usize, invalid: &Invalid) -> ParseError {
    let (line, column) = locate(text, document, &invalid.field);
    ParseError {
        line,
        column,
        reason: invalid.to_string(),
    }
}
