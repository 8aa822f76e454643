//! Values that are given on the line, or in a file by `@PATH`, or on stdin by `@-`.

use std::io::Read as _;

use super::failure::Failure;

/// Reads a value: itself, or the file or stdin that it names. `@@` at the start stands for one
/// `@` that names nothing.
pub(super) fn read(given: &str) -> Result<Vec<u8>, Failure> {
    match given.strip_prefix('@') {
        None => Ok(given.as_bytes().to_vec()),
        Some(literal) if literal.starts_with('@') => Ok(literal.as_bytes().to_vec()),
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .map_err(|error| Failure::Usage(format!("cannot read stdin: {error}")))?;
            Ok(bytes)
        }
        Some(path) => std::fs::read(path).map_err(|error| {
            Failure::Usage(format!(
                "cannot read `{path}`: {error}; a value that starts with @ names a file (write @@ for an @ of its own)"
            ))
        }),
    }
}

/// The same, for values that must be text.
pub(super) fn read_text(given: &str) -> Result<String, Failure> {
    String::from_utf8(read(given)?)
        .map_err(|_| Failure::Usage(format!("`{given}` holds bytes that are no UTF-8 text")))
}

/// Splits `NAME=VALUE`, for clap.
pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write it as NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_itself_or_a_files_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lesson.txt");
        std::fs::write(&path, "two\nlines\n").unwrap();
        let named = format!("@{}", path.display());
        assert_eq!(read_text(&named).unwrap(), "two\nlines\n");
        assert_eq!(read_text("plain").unwrap(), "plain");
        assert_eq!(read_text("@@handle").unwrap(), "@handle");
        assert!(
            read("@/nowhere/at/all")
                .unwrap_err()
                .to_string()
                .contains("@@")
        );
        std::fs::write(&path, [0xff]).unwrap();
        assert!(read_text(&named).is_err());
    }

    #[test]
    fn only_the_first_equals_sign_splits() {
        assert_eq!(name_and_value("k=a=b"), Ok(("k".into(), "a=b".into())));
        assert!(name_and_value("k").is_err() && name_and_value("=v").is_err());
    }
}
