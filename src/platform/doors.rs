//! The three ports: bound before anything else, so that a taken one is said at once.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, bail};
use dormouse_contract::door::{Door, Token};
use tokio::net::TcpListener;

use super::PlatformArgs;

/// The bound ports.
pub struct Doors {
    /// MCP clients.
    pub mcp: TcpListener,
    /// Health, metrics, sessions.
    pub admin: TcpListener,
    /// The coordinator's API and event ingress.
    pub coordinator: TcpListener,
}

/// Where the ports are, once bound.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Addresses {
    /// MCP clients.
    pub mcp: SocketAddr,
    /// Health, metrics, sessions.
    pub admin: SocketAddr,
    /// The coordinator's API and event ingress.
    pub coordinator: SocketAddr,
}

impl Doors {
    /// Binds all three.
    pub async fn open(
        args: &PlatformArgs,
        host: IpAddr,
        token: Option<&Token>,
    ) -> anyhow::Result<Self> {
        if !host.is_loopback() && token.is_none() {
            bail!(
                "refusing to listen on {host} without authentication: anybody who reaches this \
                 machine could call your tools. Set DORMOUSE_TOKEN or --token-file, or use --host \
                 127.0.0.1"
            );
        }
        Ok(Self {
            mcp: bind(host, args.port, "MCP clients", "--port").await?,
            admin: bind(host, args.admin_port, "health and metrics", "--admin-port").await?,
            coordinator: bind(
                host,
                args.coordinator_port,
                "the coordinator's API",
                "--coordinator-port",
            )
            .await?,
        })
    }

    /// Where they are.
    pub fn addresses(&self) -> anyhow::Result<Addresses> {
        Ok(Addresses {
            mcp: self.mcp.local_addr()?,
            admin: self.admin.local_addr()?,
            coordinator: self.coordinator.local_addr()?,
        })
    }
}

async fn bind(host: IpAddr, port: u16, whom: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port)).await.with_context(|| {
        format!(
            "port {port}, which {whom} need, cannot be opened on {host}: is another dormouse \
             running? Stop it, or choose another port with {flag}"
        )
    })
}

/// Who may come in: loopback names, the address itself, and what was allowed by name.
pub fn door(args: &PlatformArgs, host: IpAddr, token: Option<Token>) -> Door {
    let mut hosts = args.allow_hosts.clone();
    if !host.is_unspecified() {
        hosts.push(match host {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
    }
    Door::new(token, hosts)
}

/// How a program on this machine reaches a port.
pub fn local(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        return format!("127.0.0.1:{}", address.port());
    }
    address.to_string()
}

/// Two listeners at one port.
pub fn share(listener: TcpListener) -> anyhow::Result<(TcpListener, TcpListener)> {
    let first = listener.into_std()?;
    let second = first.try_clone()?;
    Ok((
        TcpListener::from_std(first)?,
        TcpListener::from_std(second)?,
    ))
}
