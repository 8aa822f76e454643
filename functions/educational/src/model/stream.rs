//! Reads a chat completion: as server-sent events while it is written, or whole.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use sse_stream::SseByteStream;

use super::error::{Detail, Error};
use super::{OnText, root_cause};

/// The longest text that is accepted, in bytes.
const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// The most that is read for it, in bytes: each token comes in an envelope of some 200.
const MAX_WIRE_BYTES: usize = 64 * MAX_TEXT_BYTES;

/// The event that ends a stream.
const DONE: &str = "[DONE]";

/// What the model wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The text; never empty.
    pub text: String,
    /// Why it ends where it ends.
    pub finish: Finish,
}

/// Why a text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model was done.
    Done,
    /// The endpoint's limit of tokens was reached.
    Length,
    /// The endpoint's filter cut it.
    Filtered,
}

/// A chunk of a stream, or a whole completion: the two differ in one member's name.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    text: String,
    refusal: String,
    finish: Option<Finish>,
    events: usize,
}

/// Whether there is more to come.
#[derive(Debug, PartialEq, Eq)]
enum Flow {
    More,
    End,
}

/// Why no more bytes come.
#[derive(Debug, thiserror::Error)]
enum Wire {
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
    #[error("too long")]
    TooLong,
}

/// Reads a stream of events. `silence` bounds the wait for each piece.
///
/// # Errors
/// A stream that breaks off, falls silent, reports an error or is none.
pub async fn read<S, B>(
    bytes: S,
    silence: Duration,
    key: Option<&str>,
    on_text: &mut OnText<'_>,
) -> Result<Completion, Error>
where
    S: Stream<Item = Result<B, reqwest::Error>> + Unpin + Send,
    B: AsRef<[u8]> + bytes::Buf + Send,
{
    let mut events = SseByteStream::new(bounded(bytes));
    let mut reading = Reading::default();
    loop {
        let next = tokio::time::timeout(silence, events.next()).await;
        let event = match next.map_err(|_| Error::Silent(silence))? {
            Some(Ok(event)) => event,
            Some(Err(error)) => return reading.broken(&error),
            None => return reading.end("the connection was closed before the end"),
        };
        let Some(data) = event.data else { continue };
        let before = reading.text.len();
        if reading.take(&data, key)? == Flow::End {
            return reading.end("");
        }
        if reading.text.len() > before {
            on_text(&reading.text);
        }
    }
}

/// Reads a completion that comes in one piece.
///
/// # Errors
/// An answer that breaks off, falls silent, or is no completion.
pub async fn read_whole<S, B>(
    bytes: S,
    silence: Duration,
    key: Option<&str>,
    on_text: &mut OnText<'_>,
) -> Result<Completion, Error>
where
    S: Stream<Item = Result<B, reqwest::Error>> + Unpin + Send,
    B: AsRef<[u8]> + bytes::Buf + Send,
{
    let mut parts = std::pin::pin!(bounded(bytes));
    let mut body = Vec::new();
    loop {
        let next = tokio::time::timeout(silence, parts.next()).await;
        match next.map_err(|_| Error::Silent(silence))? {
            Some(Ok(part)) => body.extend_from_slice(part.as_ref()),
            Some(Err(Wire::TooLong)) => return Err(Error::TooLong(MAX_WIRE_BYTES)),
            Some(Err(Wire::Broken(error))) => {
                return Err(Error::Cut {
                    received: 0,
                    reason: root_cause(&error),
                });
            }
            None => break,
        }
    }
    let mut reading = Reading::default();
    reading.take(&String::from_utf8_lossy(&body), key)?;
    if reading.events == 0 {
        return Err(Error::Rubbish("it has no choices".to_owned()));
    }
    // A whole answer has its end, said or not.
    reading.finish.get_or_insert(Finish::Done);
    on_text(&reading.text);
    reading.end("")
}

fn bounded<S, B>(bytes: S) -> impl Stream<Item = Result<B, Wire>> + Unpin + Send
where
    S: Stream<Item = Result<B, reqwest::Error>> + Unpin + Send,
    B: AsRef<[u8]> + Send,
{
    let mut left = MAX_WIRE_BYTES;
    bytes.map(move |part| {
        let part = part?;
        left = left.checked_sub(part.as_ref().len()).ok_or(Wire::TooLong)?;
        Ok(part)
    })
}

impl Reading {
    /// Takes one event's data.
    fn take(&mut self, data: &str, key: Option<&str>) -> Result<Flow, Error> {
        if data.trim() == DONE {
            self.finish.get_or_insert(Finish::Done);
            return Ok(Flow::End);
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| {
            Error::Rubbish(format!(
                "it holds something else than the expected JSON ({error})"
            ))
        })?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(Error::Reported(Detail::new(&words_of(&error), key)));
        }
        // More than one choice is never asked for.
        let Some(choice) = chunk.choices.into_iter().next() else {
            return Ok(Flow::More);
        };
        self.events += 1;
        let delta = choice.delta.unwrap_or_default();
        self.text
            .push_str(delta.content.as_deref().unwrap_or_default());
        self.refusal
            .push_str(delta.refusal.as_deref().unwrap_or_default());
        if self.text.len() + self.refusal.len() > MAX_TEXT_BYTES {
            return Err(Error::TooLong(MAX_TEXT_BYTES));
        }
        match choice.finish_reason.as_deref() {
            None | Some("") => {}
            Some("length") => self.finish = Some(Finish::Length),
            Some("content_filter") => self.finish = Some(Finish::Filtered),
            Some(_) => self.finish = Some(Finish::Done),
        }
        Ok(Flow::More)
    }

    /// Judges what there is once no more comes.
    fn end(self, reason: &str) -> Result<Completion, Error> {
        if self.events == 0 && self.finish.is_none() {
            return Err(Error::Rubbish("it has no events".to_owned()));
        }
        let Some(finish) = self.finish else {
            return Err(Error::Cut {
                received: self.text.chars().count(),
                reason: reason.to_owned(),
            });
        };
        if !self.refusal.trim().is_empty() {
            return Err(Error::Declined(Detail::new(&self.refusal, None)));
        }
        match (self.text.trim().is_empty(), finish) {
            (true, Finish::Filtered) => {
                let filtered = "its endpoint's content filter removed the answer";
                Err(Error::Declined(Detail::new(filtered, None)))
            }
            (true, Finish::Done | Finish::Length) => Err(Error::Silence),
            (false, finish) => Ok(Completion {
                text: self.text,
                finish,
            }),
        }
    }

    fn broken(self, error: &sse_stream::Error) -> Result<Completion, Error> {
        if let sse_stream::Error::Body(inner) = error
            && matches!(inner.downcast_ref(), Some(Wire::TooLong))
        {
            return Err(Error::TooLong(MAX_WIRE_BYTES));
        }
        // What counts was said when the end was announced.
        if self.finish.is_some() {
            return self.end("");
        }
        Err(Error::Cut {
            received: self.text.chars().count(),
            reason: root_cause(error),
        })
    }
}

/// What an endpoint's error object says; servers differ in where they put it.
pub fn words_of(json: &Value) -> String {
    let places = [
        "/error/message",
        "/message",
        "/error",
        "/detail/message",
        "/detail",
        "",
    ];
    let words = places
        .iter()
        .find_map(|place| json.pointer(place).and_then(Value::as_str));
    words.unwrap_or_default().to_owned()
}
