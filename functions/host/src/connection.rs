//! One HTTP/1.1 connection to an instance.
//!
//! The connection is driven by whoever has a request on it, in the same task, and by nobody while
//! it is idle: no task of its own, no hop between tasks. Dropping an exchange half-way closes the
//! connection, so the function sees that nobody waits any more.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::socket::{Address, Stream};

/// The largest answer that is taken from a function.
pub(crate) const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

type Driver = http1::Connection<TokioIo<Watched>, Full<Bytes>>;

/// An open connection with nothing on its way.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once the connection has ended. hyper hands a request that it never took up back only
    /// when this is dropped.
    driver: Option<Box<Driver>>,
    ledger: Arc<Ledger>,
    used: bool,
    idle_since: Instant,
}

/// Why an exchange gave no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was written; here is the request again.
    Unsent(Box<Request<Bytes>>, String),
    /// Nothing was written.
    Unwritten(String),
    /// Something was written: the function may have seen it.
    Broken(String),
}

/// What a connection's stream knows that hyper does not tell.
#[derive(Default)]
struct Ledger {
    /// Bytes that the kernel took.
    written: AtomicU64,
    /// Set when an idle connection is taken up again: ask the kernel before anything is written.
    doubted: AtomicBool,
}

impl Connection {
    /// Connects. The other side need not have accepted yet.
    pub(crate) async fn open(address: &Address) -> io::Result<Self> {
        let ledger = Arc::new(Ledger::default());
        let stream = Watched {
            stream: address.connect().await?,
            ledger: Arc::clone(&ledger),
        };
        let (sender, driver) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Self {
            sender,
            driver: Some(Box::new(driver)),
            ledger,
            used: false,
            idle_since: Instant::now(),
        })
    }

    /// Whether a request has been answered on it.
    pub(crate) fn is_used(&self) -> bool {
        self.used
    }

    /// Since when nothing is on its way.
    pub(crate) fn idle_since(&self) -> Instant {
        self.idle_since
    }

    /// Sends a request and takes the whole answer; hands the connection back when it can carry
    /// another.
    pub(crate) async fn exchange(
        mut self,
        request: Request<Bytes>,
    ) -> Result<(Response<Bytes>, Option<Self>), Failure> {
        let before = self.ledger.written.load(Ordering::Relaxed);
        self.ledger.doubted.store(self.used, Ordering::Relaxed);
        let (head, body) = match self.send(request.map(Full::new)).await {
            Ok(response) => response.into_parts(),
            Err(mut error) => {
                return Err(self.failure(before, error.take_message(), error.error()));
            }
        };
        let body = self.collect(body).await.map_err(Failure::Broken)?;
        self.used = true;
        // Lets hyper notice that the answer is complete.
        poll_fn(|cx| {
            drive(&mut self.driver, cx);
            Poll::Ready(())
        })
        .await;
        let back = (self.driver.is_some() && self.sender.is_ready()).then(|| {
            self.idle_since = Instant::now();
            self
        });
        Ok((Response::from_parts(head, body), back))
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|cx| {
            drive(&mut self.driver, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    fn failure(
        &self,
        before: u64,
        unsent: Option<Request<Full<Bytes>>>,
        error: &hyper::Error,
    ) -> Failure {
        let words = in_words(error);
        let untouched = self.ledger.written.load(Ordering::Relaxed) == before;
        match unsent {
            Some(request) if untouched => Failure::Unsent(
                Box::new(request.map(|body| body.into_inner().unwrap_or_default())),
                words,
            ),
            None if untouched => Failure::Unwritten(words),
            Some(_) | None => Failure::Broken(words),
        }
    }

    async fn collect(&mut self, body: Incoming) -> Result<Bytes, String> {
        let mut body = pin!(body);
        if body.size_hint().lower() > LARGEST_ANSWER as u64 {
            return Err(too_large());
        }
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        loop {
            let frame = poll_fn(|cx| {
                drive(&mut self.driver, cx);
                body.as_mut().poll_frame(cx)
            });
            let Some(frame) = frame.await else { break };
            let frame = frame.map_err(|error| in_words(&error))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if first.len() + rest.len() + data.len() > LARGEST_ANSWER {
                return Err(too_large());
            }
            if first.is_empty() {
                first = data;
            } else {
                rest.extend_from_slice(&data);
            }
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let mut whole = BytesMut::with_capacity(first.len() + rest.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&rest);
        Ok(whole.freeze())
    }
}

/// Lets hyper read and write what there is.
fn drive(driver: &mut Option<Box<Driver>>, cx: &mut Context<'_>) {
    if let Some(running) = driver
        && Pin::new(running).poll(cx).is_ready()
    {
        *driver = None;
    }
}

fn in_words(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error);
    match cause {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn too_large() -> String {
    format!(
        "its answer is larger than {} MiB",
        LARGEST_ANSWER / 1024 / 1024
    )
}

/// A stream that keeps the ledger.
struct Watched {
    stream: Stream,
    ledger: Arc<Ledger>,
}

impl Watched {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.ledger
                .written
                .fetch_add(bytes as u64, Ordering::Relaxed);
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // hyper reads before it takes up a queued request: an end of stream here makes it hand the
        // request back unwritten.
        if self.ledger.doubted.load(Ordering::Relaxed) {
            self.ledger.doubted.store(false, Ordering::Relaxed);
            if self.stream.is_closed() {
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
