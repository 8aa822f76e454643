//! Listeners for instances, and the streams that lead to them.
//!
//! On Linux a listener is a Unix socket with a random name in the abstract namespace: nothing is
//! left in the file system whatever dies, and it is faster than TCP. Any process in the same
//! network namespace may connect to it (the name is in `/proc/net/unix`), which is why deliveries
//! carry a secret. Elsewhere it is TCP on 127.0.0.1.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Where an instance listens.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    /// The name in the abstract namespace, with the leading NUL byte that stands for it.
    #[cfg(target_os = "linux")]
    Abstract(std::path::PathBuf),
    Tcp(SocketAddr),
}

/// A listening socket that connections may queue at from now on. It is in blocking mode, as
/// programs expect of a standard input.
#[cfg(target_os = "linux")]
pub(crate) fn listen() -> io::Result<(OwnedFd, Address)> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStringExt as _;

    let name = format!("dormouse-{:032x}", rand::random::<u128>());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name)?;
    let listener = std::os::unix::net::UnixListener::bind_addr(&address)?;
    let path = std::ffi::OsString::from_vec([b"\0", name.as_bytes()].concat());
    Ok((listener.into(), Address::Abstract(path.into())))
}

/// A listening socket that connections may queue at from now on. It is in blocking mode, as
/// programs expect of a standard input.
#[cfg(not(target_os = "linux"))]
pub(crate) fn listen() -> io::Result<(OwnedFd, Address)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = Address::Tcp(listener.local_addr()?);
    Ok((listener.into(), address))
}

/// The ports that are given to instances now: the kernel may offer one again before the program
/// that was told it has bound it.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port of 127.0.0.1 that nobody else here is given meanwhile.
pub(crate) struct Port(u16);

impl Port {
    /// A port that was free a moment ago.
    pub(crate) fn choose() -> io::Result<Self> {
        // Kept until one is found, so that the kernel offers another one each time.
        let mut tried = Vec::new();
        loop {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = listener.local_addr()?.port();
            tried.push(listener);
            if lock(&GIVEN).insert(port) {
                return Ok(Self(port));
            }
        }
    }

    pub(crate) fn number(&self) -> u16 {
        self.0
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        lock(&GIVEN).remove(&self.0);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Address {
    /// Where a program listens that was given this port.
    pub(crate) fn of_port(port: &Port) -> Self {
        Self::Tcp((Ipv4Addr::LOCALHOST, port.number()).into())
    }

    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Abstract(path) => UnixStream::connect(path).await.map(Stream::Unix),
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
        }
    }
}

/// A connection to an instance.
pub(crate) enum Stream {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "Linux only"))]
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    /// Whether the other side has closed it, as the kernel knows it now; the runtime may not have
    /// heard of it yet.
    pub(crate) fn is_closed(&self) -> bool {
        use rustix::net::{RecvFlags, recv};
        let mut byte = [0_u8; 1];
        match recv(self, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, received)) => received == 0,
            Err(error) => error != rustix::io::Errno::AGAIN && error != rustix::io::Errno::INTR,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
