//! Bodies of responses: none, one text, or a stream.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Frame, SizeHint};

/// A connection's requests that are being served, down to the last byte of their responses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Serving(Arc<AtomicUsize>);

/// One of them, until this is dropped.
#[derive(Debug)]
pub(crate) struct Served(Serving);

impl Serving {
    pub fn begin(&self) -> Served {
        self.0.fetch_add(1, Ordering::Relaxed);
        Served(self.clone())
    }

    pub fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A response's body while it is sent.
#[derive(Debug)]
pub(crate) struct Sent {
    body: Body,
    _served: Served,
}

impl Sent {
    pub fn new(body: Body, served: Served) -> Self {
        Self {
            body,
            _served: served,
        }
    }
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body.
pub(crate) enum Body {
    /// All of it; `None` when it is empty or has been read.
    Full(Option<Bytes>),
    /// Piece after piece.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

impl Body {
    pub fn empty() -> Self {
        Self::Full(None)
    }

    pub fn full(text: impl Into<Bytes>) -> Self {
        Self::Full(Some(text.into()))
    }

    pub fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self::Stream(Box::pin(pieces))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(text) => write!(out, "Full({})", text.as_ref().map_or(0, Bytes::len)),
            Self::Stream(_) => out.write_str("Stream"),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Full(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Stream(pieces) => pieces
                .as_mut()
                .poll_next(cx)
                .map(|piece| piece.map(|piece| Ok(Frame::data(piece)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
