//! What processes print: log lines with the pool's name, and the last words of those that fail.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::task::JoinHandle;

/// The rest of a longer line is left out.
const LONGEST_LINE: usize = 8 * 1024;

/// So many lines are kept for the words of a failure.
const KEPT_LINES: usize = 5;

/// How long a dead process's output is still waited for: descendants may hold it open.
const PATIENCE: Duration = Duration::from_millis(250);

/// The last lines of a process's standard error.
#[derive(Default)]
pub(crate) struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    pub(crate) fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The last lines, to be put behind the words of a failure.
    pub(crate) fn said(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() {
            return "; it printed nothing on standard error".to_owned();
        }
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        format!("; its last words: {}", lines.join(" | "))
    }
}

/// The output of one process, as it is read.
pub(crate) struct Output {
    tail: Arc<Tail>,
    readers: Vec<JoinHandle<()>>,
}

impl Output {
    /// Turns everything that a process prints into log lines.
    pub(crate) fn follow(
        child: &mut tokio::process::Child,
        pool: &Arc<str>,
        instance: &str,
    ) -> Self {
        let tail = Arc::new(Tail::default());
        let mut readers = Vec::with_capacity(2);
        if let Some(pipe) = child.stdout.take() {
            let line = logger(pool, instance, "stdout");
            readers.push(tokio::spawn(read_lines(pipe, line)));
        }
        if let Some(pipe) = child.stderr.take() {
            let (log, tail) = (logger(pool, instance, "stderr"), Arc::clone(&tail));
            let line = move |line: String| {
                log(line.clone());
                tail.push(line);
            };
            readers.push(tokio::spawn(read_lines(pipe, line)));
        }
        Self { tail, readers }
    }

    /// The words of a failure with the last lines behind them, once everything has been read.
    pub(crate) async fn after(&mut self, words: &str) -> String {
        let readers = std::mem::take(&mut self.readers);
        let all = futures_util::future::join_all(readers);
        let _ = tokio::time::timeout(PATIENCE, all).await;
        format!("{words}{}", self.tail.said())
    }
}

fn logger(pool: &Arc<str>, instance: &str, stream: &'static str) -> impl Fn(String) + use<> {
    let (pool, instance) = (Arc::clone(pool), instance.to_owned());
    move |line| {
        tracing::info!(target: "dormouse_host::output", %pool, %instance, stream, "{line}");
    }
}

/// Calls `each` with every line, without its end. Bytes that are no UTF-8 are replaced.
pub(crate) async fn read_lines(pipe: impl AsyncRead + Unpin, mut each: impl FnMut(String)) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Line::default();
    loop {
        let available = match pipe.fill_buf().await {
            Ok(available) if !available.is_empty() => available,
            Ok(_) | Err(_) => break,
        };
        let length = available.len();
        for part in available.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(part) => {
                    line.push(part);
                    each(line.take());
                }
                None => line.push(part),
            }
        }
        pipe.consume(length);
    }
    if !line.is_empty() {
        each(line.take());
    }
}

#[derive(Default)]
struct Line {
    kept: Vec<u8>,
    dropped: usize,
}

impl Line {
    fn push(&mut self, part: &[u8]) {
        let room = LONGEST_LINE - self.kept.len();
        let (kept, dropped) = part.split_at(part.len().min(room));
        self.kept.extend_from_slice(kept);
        self.dropped += dropped.len();
    }

    fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn take(&mut self) -> String {
        let bytes = self.kept.strip_suffix(b"\r").unwrap_or(&self.kept);
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if self.dropped > 0 {
            text.push_str(&format!("… ({} bytes more)", self.dropped));
        }
        *self = Self::default();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        read_lines(bytes, |line| lines.push(line)).await;
        lines
    }

    #[tokio::test]
    async fn lines_are_told_apart() {
        assert_eq!(
            lines(b"a\r\n\nb\xff\nlast").await,
            ["a", "", "b\u{fffd}", "last"]
        );
        assert!(lines(b"").await.is_empty());
    }

    #[tokio::test]
    async fn a_long_line_is_cut_and_says_so() {
        let mut bytes = vec![b'x'; LONGEST_LINE * 3];
        bytes.extend_from_slice(b"\nnext\n");
        let lines = lines(&bytes).await;
        let more = format!("… ({} bytes more)", LONGEST_LINE * 2);
        assert_eq!(lines[0], "x".repeat(LONGEST_LINE) + &more);
        assert_eq!(lines[1], "next");
    }

    #[test]
    fn the_last_words_are_the_last_lines() {
        let tail = Tail::default();
        assert!(tail.said().contains("printed nothing"));
        (0..9).for_each(|line| tail.push(line.to_string()));
        assert_eq!(tail.said(), "; its last words: 4 | 5 | 6 | 7 | 8");
    }
}
