//! Server-sent events: messages as events, comments as signs of life.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use tokio::time::{Instant, Sleep};

use crate::http::Body;
use crate::outbox::Outbox;

/// A sign of life; clients overlook it.
pub(crate) const COMMENT: &str = ": \n\n";

/// A response that streams these pieces.
pub(crate) fn response(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let mut response = Response::new(Body::stream(pieces));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Asks proxies not to hold events back (2026-07-28, "Receiving Messages").
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// Appends a message as one event. JSON may hold line breaks between its tokens, and each line of
/// an event's data is prefixed.
pub(crate) fn write_event(message: &str, out: &mut String) {
    out.reserve(message.len() + 32);
    out.push_str("event: message\n");
    if message.contains(['\n', '\r']) {
        for line in message.split(['\n', '\r']).filter(|line| !line.is_empty()) {
            out.push_str("data: ");
            out.push_str(line);
            out.push('\n');
        }
    } else {
        out.push_str("data: ");
        out.push_str(message);
        out.push('\n');
    }
    out.push('\n');
}

/// A message as one event.
pub(crate) fn event(message: &str) -> Bytes {
    let mut text = String::new();
    write_event(message, &mut text);
    text.into()
}

/// The stream of one POST: what the call tells meanwhile, then its answer.
pub(crate) struct Events<F> {
    /// `None` when the answer has been given.
    answer: Option<F>,
    outbox: Arc<Outbox>,
    /// Messages that were there before the stream began.
    first: VecDeque<String>,
    interval: Duration,
    timer: Pin<Box<Sleep>>,
}

impl<F: Future<Output = Option<String>> + Unpin> Events<F> {
    pub fn new(
        answer: Option<F>,
        outbox: Arc<Outbox>,
        first: Option<String>,
        interval: Duration,
    ) -> Self {
        Self {
            answer,
            outbox,
            first: first.into_iter().collect(),
            interval,
            timer: Box::pin(tokio::time::sleep(interval)),
        }
    }
}

impl<F: Future<Output = Option<String>> + Unpin> Stream for Events<F> {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        let mut text = String::new();
        let mut answer = None;
        if let Some(future) = &mut this.answer
            && let Poll::Ready(last) = Pin::new(future).poll(cx)
        {
            this.answer = None;
            answer = last;
        }
        // What was told before the answer goes before it.
        while let Some(message) = this.first.pop_front().or_else(|| this.outbox.pop()) {
            write_event(&message, &mut text);
        }
        if let Some(answer) = answer {
            write_event(&answer, &mut text);
        }
        if text.is_empty() && this.answer.is_some() && this.timer.as_mut().poll(cx).is_ready() {
            text.push_str(COMMENT);
        }
        if !text.is_empty() {
            let next = Instant::now() + this.interval;
            this.timer.as_mut().reset(next);
            return Poll::Ready(Some(text.into()));
        }
        if this.answer.is_none() {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;
    use std::future::ready;

    #[test]
    fn every_line_of_a_message_is_data() {
        let mut out = String::new();
        write_event("{}", &mut out);
        write_event("{\"a\":\r\n 1}", &mut out);
        assert_eq!(
            out,
            "event: message\ndata: {}\n\nevent: message\ndata: {\"a\":\ndata:  1}\n\n"
        );
    }

    #[tokio::test]
    async fn notices_go_before_the_answer_which_ends_the_stream() {
        let outbox = Arc::new(Outbox::default());
        outbox.notice("2".to_owned());
        let answer = Some(ready(Some("3".to_owned())));
        let events = Events::new(
            answer,
            outbox,
            Some("1".to_owned()),
            Duration::from_secs(60),
        );
        let pieces: Vec<Bytes> = events.collect().await;
        let text = String::from_utf8(pieces.concat()).unwrap();
        let data: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        assert_eq!(data, ["1", "2", "3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_call_shows_that_it_lives() {
        let answer = Box::pin(async {
            tokio::time::sleep(Duration::from_secs(25)).await;
            Some("done".to_owned())
        });
        let events = Events::new(Some(answer), Arc::default(), None, Duration::from_secs(10));
        let pieces: Vec<Bytes> = events.collect().await;
        assert_eq!(pieces[..2], [COMMENT, COMMENT]);
        assert_eq!(pieces.len(), 3);
    }

    #[tokio::test]
    async fn a_cancelled_call_ends_without_an_answer() {
        let events = Events::new(
            Some(ready(None)),
            Arc::default(),
            None,
            Duration::from_secs(60),
        );
        assert_eq!(events.count().await, 0);
    }
}
