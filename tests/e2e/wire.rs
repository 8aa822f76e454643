//! A wire between a client and the platform that can be cut.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle};

/// Passes connections on until it is dropped.
pub struct Wire {
    address: SocketAddr,
    listener: JoinHandle<()>,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Wire {
    /// To `platform` (`host:port`).
    pub async fn to(platform: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::<Mutex<Vec<AbortHandle>>>::default();
        let (taken, platform) = (connections.clone(), platform.to_owned());
        let listener = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let connection = tokio::spawn(pass_on(client, platform.clone()));
                let mut taken = taken.lock().expect("not poisoned");
                taken.push(connection.abort_handle());
            }
        });
        Self {
            address,
            listener,
            connections,
        }
    }

    /// Where clients connect, as `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Ends every connection that there is; new ones are taken as before.
    pub fn cut(&self) {
        let mut connections = self.connections.lock().expect("not poisoned");
        connections
            .drain(..)
            .for_each(|connection| connection.abort());
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}

async fn pass_on(mut client: TcpStream, platform: String) {
    if let Ok(mut server) = TcpStream::connect(platform).await {
        // Either side may be gone; then so is the other.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }
}
