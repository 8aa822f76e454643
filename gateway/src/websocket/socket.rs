//! A WebSocket whose memory shrinks again.
//!
//! The library's buffers grow with the largest message and stay so. After one, when the
//! socket is at rest (nothing begun to be read, everything written), the connection is taken out
//! and put into a new WebSocket with small buffers. That is safe at a frame boundary outside a
//! fragmented message, which [`Frames`] knows.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::{FutureExt as _, Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::websocket::frames::Frames;

/// The size of a resting socket's read buffer; what is larger makes it grow.
pub(crate) const BUFFER: usize = 4 << 10;

/// From which size on memory is given back at once.
const MUCH: usize = 16 << 10;

/// How many bytes may wait in the write buffer before they are written.
const WRITE_BUFFER: usize = 16 << 10;

/// The server's end of a WebSocket.
#[derive(Debug)]
pub(crate) struct Socket<S> {
    /// `None` only while it is being exchanged.
    inner: Option<WebSocketStream<Tracked<S>>>,
    max_message: usize,
    /// The largest message that was sent.
    sent_largest: usize,
    /// A close frame went one way or the other.
    closing: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// A WebSocket after its handshake; `early` are bytes that were read behind it.
    pub fn new(io: S, early: Bytes, max_message: usize) -> Self {
        let tracked = Tracked {
            io,
            early,
            frames: Frames::default(),
            heard: false,
        };
        Self {
            inner: open(tracked, max_message),
            max_message,
            sent_largest: 0,
            closing: false,
        }
    }

    /// The next message; `None` when the connection has ended. With `at_rest`, memory that a
    /// large message left behind is given back when there is none.
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        at_rest: bool,
    ) -> Poll<Option<Result<Message, Error>>> {
        loop {
            let Some(inner) = &mut self.inner else {
                return Poll::Ready(None);
            };
            match Pin::new(inner).poll_next(cx) {
                Poll::Ready(next) => {
                    self.closing |= !matches!(next, Some(Ok(ref message)) if !message.is_close());
                    return Poll::Ready(next);
                }
                // The new WebSocket must be polled: the connection wakes whom it saw last.
                Poll::Pending if at_rest && self.shrink(cx) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether a message can be given to [`send`](Self::send).
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll_ready(cx),
            None => Poll::Ready(Err(Error::ConnectionClosed)),
        }
    }

    /// Sends a message once [`poll_flush`](Self::poll_flush) is called.
    pub fn send(&mut self, message: Message) -> Result<(), Error> {
        self.sent_largest = self.sent_largest.max(message.len());
        self.closing |= message.is_close();
        match &mut self.inner {
            Some(inner) => Pin::new(inner).start_send(message),
            None => Err(Error::ConnectionClosed),
        }
    }

    /// Writes what was sent.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll_flush(cx),
            None => Poll::Ready(Err(Error::ConnectionClosed)),
        }
    }

    /// Whether a large message has left its size behind.
    pub fn has_grown(&self) -> bool {
        self.largest() > BUFFER
    }

    /// The largest message that either buffer held.
    fn largest(&self) -> usize {
        let read = self
            .inner
            .as_ref()
            .map_or(0, |inner| inner.get_ref().frames.largest());
        self.sent_largest
            .max(usize::try_from(read).unwrap_or(usize::MAX))
    }

    /// Whether memory should be given back when nothing goes on: at once where it is much, and
    /// else when it has been `quiet`, because making it anew costs more than keeping a little.
    pub fn is_to_shrink(&self, quiet: bool) -> bool {
        self.largest() > MUCH || (quiet && self.has_grown())
    }

    /// Whether anything came in since this was asked before, were it part of a message.
    pub fn take_heard(&mut self) -> bool {
        self.inner
            .as_mut()
            .is_some_and(|inner| std::mem::take(&mut inner.get_mut().heard))
    }

    /// The connection beneath.
    pub fn into_io(self) -> Option<S> {
        self.inner.map(|inner| inner.into_inner().io)
    }

    /// Exchanges the WebSocket for a new one if it has grown and nothing is in its buffers;
    /// whether it did. Called when reading is pending.
    fn shrink(&mut self, cx: &mut Context<'_>) -> bool {
        if self.closing || !self.has_grown() {
            return false;
        }
        if !matches!(self.poll_flush(cx), Poll::Ready(Ok(()))) {
            return false;
        }
        let is_empty = |inner: &WebSocketStream<Tracked<S>>| {
            let tracked = inner.get_ref();
            tracked.early.is_empty() && tracked.frames.at_boundary()
        };
        if !self.inner.as_ref().is_some_and(is_empty) {
            return false;
        }
        let Some(inner) = self.inner.take() else {
            return false;
        };
        let mut tracked = inner.into_inner();
        tracked.frames.forget_largest();
        self.inner = open(tracked, self.max_message);
        self.sent_largest = 0;
        true
    }
}

fn open<S: AsyncRead + AsyncWrite + Unpin>(
    tracked: Tracked<S>,
    max_message: usize,
) -> Option<WebSocketStream<Tracked<S>>> {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message));
    // Nothing is awaited in there: without a handshake it is ready at once.
    WebSocketStream::from_raw_socket(tracked, Role::Server, Some(config)).now_or_never()
}

/// A connection that follows the frames it reads.
#[derive(Debug)]
struct Tracked<S> {
    io: S,
    early: Bytes,
    frames: Frames,
    /// Something was read since this was asked.
    heard: bool,
}

impl<S: AsyncRead + Unpin> AsyncRead for Tracked<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if this.early.is_empty() {
            ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
        } else {
            let step = this.early.len().min(buffer.remaining());
            buffer.put_slice(&this.early[..step]);
            this.early.advance(step);
            if this.early.is_empty() {
                this.early = Bytes::new();
            }
        }
        let read = &buffer.filled()[before..];
        this.heard |= !read.is_empty();
        this.frames.pass(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tracked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::frames::tests::frame;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    const LIMIT: usize = 1 << 20;

    fn pair() -> (Socket<DuplexStream>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(4 << 20);
        (Socket::new(ours, Bytes::new(), LIMIT), theirs)
    }

    async fn next(socket: &mut Socket<DuplexStream>) -> Message {
        poll_fn(|cx| socket.poll_next(cx, true))
            .await
            .unwrap()
            .unwrap()
    }

    /// Polls once, as a connection at rest does.
    async fn rest(socket: &mut Socket<DuplexStream>) {
        poll_fn(|cx| {
            assert!(socket.poll_next(cx, true).is_pending());
            Poll::Ready(())
        })
        .await;
    }

    fn text(size: usize) -> Vec<u8> {
        frame(1, true, &vec![b'x'; size])
    }

    #[tokio::test]
    async fn a_large_message_leaves_nothing_behind() {
        let (mut socket, mut peer) = pair();
        peer.write_all(&text(500_000)).await.unwrap();
        assert_eq!(next(&mut socket).await.len(), 500_000);
        assert!(socket.has_grown());
        rest(&mut socket).await;
        assert!(!socket.has_grown());
        peer.write_all(&text(10)).await.unwrap();
        assert_eq!(next(&mut socket).await.len(), 10);
    }

    #[tokio::test]
    async fn nothing_is_lost_when_frames_follow_each_other_closely() {
        let (mut socket, mut peer) = pair();
        let mut bytes = text(300_000);
        bytes.extend(text(1));
        bytes.extend(text(200_000));
        let third_begins = bytes.len();
        bytes.extend(text(100_000));
        peer.write_all(&bytes[..third_begins + 3]).await.unwrap();
        for size in [300_000, 1, 200_000] {
            assert_eq!(next(&mut socket).await.len(), size);
        }
        // Part of the next frame's header is in the buffer: nothing may be exchanged now.
        rest(&mut socket).await;
        assert!(socket.has_grown());
        peer.write_all(&bytes[third_begins + 3..]).await.unwrap();
        assert_eq!(next(&mut socket).await.len(), 100_000);
        rest(&mut socket).await;
        assert!(!socket.has_grown());
    }

    #[tokio::test]
    async fn a_fragmented_message_is_not_torn() {
        let (mut socket, mut peer) = pair();
        peer.write_all(&frame(1, false, &[b'a'; 50_000]))
            .await
            .unwrap();
        rest(&mut socket).await;
        assert!(socket.has_grown());
        peer.write_all(&frame(9, true, b"ping")).await.unwrap();
        assert!(next(&mut socket).await.is_ping());
        rest(&mut socket).await;
        assert!(socket.has_grown());
        peer.write_all(&frame(0, true, &[b'b'; 50_000]))
            .await
            .unwrap();
        assert_eq!(next(&mut socket).await.len(), 100_000);
        rest(&mut socket).await;
        assert!(!socket.has_grown());
    }

    #[tokio::test]
    async fn a_large_answer_leaves_nothing_behind_once_it_is_written() {
        let (ours, mut peer) = tokio::io::duplex(1_000);
        let mut socket = Socket::new(ours, Bytes::new(), LIMIT);
        socket.send(Message::text("x".repeat(100_000))).unwrap();
        rest(&mut socket).await;
        assert!(socket.has_grown(), "it is not written yet");
        let mut read = vec![0; 100_000 + 10];
        let reader = tokio::spawn(async move {
            peer.read_exact(&mut read).await.unwrap();
            peer
        });
        poll_fn(|cx| socket.poll_flush(cx)).await.unwrap();
        rest(&mut socket).await;
        assert!(!socket.has_grown());
        reader.await.unwrap();
    }

    #[tokio::test]
    async fn bytes_behind_the_handshake_are_read_first() {
        let (ours, mut peer) = tokio::io::duplex(1_000);
        let mut bytes = text(3);
        bytes.extend(&text(4)[..3]);
        let mut socket = Socket::new(ours, bytes.into(), LIMIT);
        peer.write_all(&text(4)[3..]).await.unwrap();
        assert_eq!(next(&mut socket).await.len(), 3);
        assert_eq!(next(&mut socket).await.len(), 4);
    }

    #[tokio::test]
    async fn what_is_too_large_is_an_error() {
        let (mut socket, mut peer) = pair();
        peer.write_all(&text(LIMIT + 1)).await.unwrap();
        let next = poll_fn(|cx| socket.poll_next(cx, true)).await;
        assert!(matches!(next, Some(Err(Error::Capacity(_)))));
    }
}
