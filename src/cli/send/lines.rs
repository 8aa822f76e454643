//! The lines of a file of events: one event a line, blank lines and comments left out.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::super::failure::Failure;

/// A line that holds an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Its bytes, without the blanks around them.
    pub text: Vec<u8>,
}

/// Reads lines from a file or from stdin.
pub(super) struct Lines {
    from: From,
    number: u64,
    /// A line whose end has not been written yet.
    begun: Vec<u8>,
}

enum From {
    Stdin(BufReader<std::io::Stdin>),
    File {
        path: PathBuf,
        file: BufReader<File>,
    },
}

impl Lines {
    /// Opens a file; `-` is stdin.
    pub(super) fn open(path: &str) -> Result<Self, Failure> {
        let from = match path {
            "-" => From::Stdin(BufReader::new(std::io::stdin())),
            path => {
                let file = File::open(path).map_err(|error| unreadable(path, &error))?;
                From::File {
                    path: path.into(),
                    file: BufReader::new(file),
                }
            }
        };
        Ok(Self {
            from,
            number: 0,
            begun: Vec::new(),
        })
    }

    /// The next line with an event. `None`: there is none yet. A last line without its newline may
    /// still be written, and is one only when `is_final`.
    pub(super) fn next(&mut self, is_final: bool) -> Result<Option<Line>, Failure> {
        loop {
            let read = match &mut self.from {
                From::Stdin(stdin) => stdin.read_until(b'\n', &mut self.begun),
                From::File { file, .. } => file.read_until(b'\n', &mut self.begun),
            };
            read.map_err(|error| unreadable(&self.name(), &error))?;
            let is_whole = self.begun.ends_with(b"\n");
            if !is_whole && (!is_final || self.begun.is_empty()) {
                return Ok(None);
            }
            self.number += 1;
            let line = std::mem::take(&mut self.begun);
            let text = line.trim_ascii();
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            if !text.is_empty() && !text.starts_with(b"#") {
                return Ok(Some(Line {
                    number: self.number,
                    text: text.to_owned(),
                }));
            }
        }
    }

    /// Begins anew when the file has been cut short, or another one has taken its place. `true` says
    /// so.
    pub(super) fn follow(&mut self) -> Result<bool, Failure> {
        let From::File { path, file } = &mut self.from else {
            return Ok(false);
        };
        // A file that is being replaced is not there for a moment.
        let Ok(there) = std::fs::metadata(&*path) else {
            return Ok(false);
        };
        let name = path.display().to_string();
        let unreadable = |error| unreadable(&name, &error);
        let here = file.get_ref().metadata().map_err(unreadable)?;
        let is_same = (there.dev(), there.ino()) == (here.dev(), here.ino());
        if is_same && there.len() >= file.stream_position().map_err(unreadable)? {
            return Ok(false);
        }
        *file = BufReader::new(File::open(&*path).map_err(unreadable)?);
        self.number = 0;
        self.begun.clear();
        Ok(true)
    }

    /// How many bytes there are and how many have been read, of a file.
    pub(super) fn progress(&mut self) -> Option<(u64, u64)> {
        match &mut self.from {
            From::Stdin(_) => None,
            From::File { file, .. } => {
                let length = file.get_ref().metadata().ok()?.len();
                Some((file.stream_position().ok()?, length))
            }
        }
    }

    fn name(&self) -> String {
        match &self.from {
            From::Stdin(_) => "stdin".to_owned(),
            From::File { path, .. } => path.display().to_string(),
        }
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("cannot read `{path}`: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use super::*;

    fn rest(lines: &mut Lines, is_final: bool) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        while let Some(line) = lines.next(is_final).unwrap() {
            all.push((line.number, String::from_utf8(line.text).unwrap()));
        }
        all
    }

    fn append(path: &Path, text: &str) {
        let mut file = File::options().append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn blank_lines_and_comments_are_counted_and_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        std::fs::write(&path, "\u{feff}{1}\n\n  # not this\r\n {2} \r\n{3}").unwrap();
        let mut lines = Lines::open(path.to_str().unwrap()).unwrap();
        let expected = [(1, "{1}"), (4, "{2}"), (5, "{3}")];
        let expected = expected.map(|(number, text)| (number, text.to_owned()));
        assert_eq!(rest(&mut lines, true), expected);
        assert!(Lines::open("/no/such/file").is_err());
    }

    #[test]
    fn what_is_appended_is_read_when_its_line_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        std::fs::write(&path, "{1}\n{2").unwrap();
        let mut lines = Lines::open(path.to_str().unwrap()).unwrap();
        assert_eq!(rest(&mut lines, false), [(1, "{1}".to_owned())]);
        append(&path, "}\n{3}\n");
        let more = [(2, "{2}".to_owned()), (3, "{3}".to_owned())];
        assert_eq!(rest(&mut lines, false), more);
        assert!(!lines.follow().unwrap());

        std::fs::write(&path, "{4}\n").unwrap();
        assert!(lines.follow().unwrap());
        assert_eq!(rest(&mut lines, false), [(1, "{4}".to_owned())]);

        let other = dir.path().join("other");
        std::fs::write(&other, "{5}\n{6}\n").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(lines.follow().unwrap());
        assert_eq!(rest(&mut lines, false).len(), 2);
        std::fs::remove_file(&path).unwrap();
        assert!(!lines.follow().unwrap());
    }
}
