//! Output that survives a closed pipe: results on stdout, everything else on stderr.

use std::io::{ErrorKind, Write as _};

use super::failure::Failure;

/// Writes bytes to stdout as they are.
pub(super) fn result(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::PipeClosed),
        Err(error) => Err(Failure::Output(error)),
    }
}

/// Writes a text to stdout, or the bytes of an answer, and sees to it that it ends with a newline.
pub(super) fn lines(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let text = text.as_ref();
    if text.is_empty() || text.ends_with(b"\n") {
        return result(text);
    }
    result(&[text, b"\n"].concat())
}

/// Writes a line to stderr; nobody listening there is no failure.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
