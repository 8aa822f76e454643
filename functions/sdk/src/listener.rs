//! Where requests come from: a listener that the host hands over as standard input, or a port.
//!
//! With the listener as standard input a request waits in the kernel while the process starts:
//! nobody has to ask whether it is ready yet.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::error::StartError;

/// A listening stream socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix stream socket, by path or abstract.
    #[cfg(unix)]
    Unix(UnixListener),
}

pub(crate) enum Connection {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

#[cfg(unix)]
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.fmt(out),
                Err(_) => out.write_str("a TCP port"),
            },
            #[cfg(unix)]
            Self::Unix(_) => out.write_str("a Unix socket"),
        }
    }
}

impl Listener {
    /// Listens on a port of all addresses, as containers do, or only on loopback.
    pub(crate) async fn bind(port: u16, to_all: bool) -> Result<Self, StartError> {
        let address = if to_all {
            Ipv4Addr::UNSPECIFIED
        } else {
            Ipv4Addr::LOCALHOST
        };
        TcpListener::bind((address, port))
            .await
            .map(Self::Tcp)
            .map_err(|error| StartError::Bind { port, error })
    }

    pub(crate) async fn accept(&self) -> io::Result<Connection> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Answers are written whole: waiting for more to send only delays them. A
                // connection that is already gone says so when it is read.
                let _ = stream.set_nodelay(true);
                Ok(Connection::Tcp(stream))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Connection::Unix(listener.accept().await?.0)),
        }
    }

    /// The listener that came as standard input; `None` when standard input is something else.
    #[cfg(unix)]
    pub(crate) fn inherited() -> io::Result<Option<Self>> {
        use std::os::fd::AsFd as _;

        use rustix::net::{AddressFamily, SocketType, sockopt};

        let stdin = io::stdin();
        let fd = stdin.as_fd();
        // Refused for what is no socket.
        if !sockopt::socket_acceptconn(fd).unwrap_or(false) {
            return Ok(None);
        }
        if sockopt::socket_type(fd)? != SocketType::STREAM {
            return Err(io::Error::other("it is no stream socket"));
        }
        let family = local_family(fd)?;
        let own = fd.try_clone_to_owned()?;
        // A handler that reads standard input, or a child that inherits it, must not find the
        // listener there.
        let null = std::fs::File::open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        match family {
            AddressFamily::UNIX => {
                let listener = std::os::unix::net::UnixListener::from(own);
                listener.set_nonblocking(true)?;
                Ok(Some(Self::Unix(UnixListener::from_std(listener)?)))
            }
            AddressFamily::INET | AddressFamily::INET6 => {
                let listener = std::net::TcpListener::from(own);
                listener.set_nonblocking(true)?;
                Ok(Some(Self::Tcp(TcpListener::from_std(listener)?)))
            }
            other => Err(io::Error::other(format!(
                "address family {other:?} is not served"
            ))),
        }
    }

    /// Where there are no descriptors to inherit, functions listen on a port.
    #[cfg(not(unix))]
    pub(crate) fn inherited() -> io::Result<Option<Self>> {
        Ok(None)
    }
}

#[cfg(unix)]
fn local_family(fd: std::os::fd::BorrowedFd<'_>) -> io::Result<rustix::net::AddressFamily> {
    Ok(rustix::net::getsockname(fd)?.address_family())
}
