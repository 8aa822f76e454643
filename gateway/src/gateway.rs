//! The gateway's handle: made once, serving as many listeners as it is given.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use dormouse_broker::Broker;
use dormouse_contract::announcement::Announcement;
use dormouse_contract::registration::Registrations;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, RenderMetrics};
use crate::catalogue::{Entry, Remark};
use crate::config::Config;
use crate::core::{self, Core};
use crate::http;
use crate::own;
use crate::store::Store;

/// How long to wait after the system refused a connection: most often it is out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A handle on the gateway; clones share it.
#[derive(Debug, Clone)]
pub struct Gateway {
    core: Arc<Core>,
}

impl Gateway {
    /// A gateway that offers what `pools` do, stores calls with `broker` and sessions in `store`,
    /// and tells subscribers of the resources that `announcements` are about. A metrics recorder,
    /// if there is to be one, must be installed before.
    ///
    /// # Panics
    /// Outside a Tokio runtime: it follows the pools in the background.
    #[must_use]
    pub fn new(
        config: Config,
        broker: Broker,
        store: Store,
        pools: watch::Receiver<Registrations>,
        announcements: broadcast::Receiver<Announcement>,
    ) -> Self {
        let mut pools = pools;
        let registrations = pools.borrow_and_update().clone();
        let core = Arc::new(Core::new(config, broker, store, &registrations));
        let types = core.types.subscribe();
        tokio::spawn(core::follow_pools(Arc::downgrade(&core), pools, types));
        let arrivals = core.broker.arrivals();
        tokio::spawn(own::types::follow(Arc::downgrade(&core), arrivals));
        tokio::spawn(core::follow_announcements(
            Arc::downgrade(&core),
            announcements,
        ));
        tokio::spawn(core::sweep_sessions(Arc::downgrade(&core)));
        Self { core }
    }

    /// Serves MCP until `stop`: then no connection is accepted any more, running calls end,
    /// WebSockets are closed with 1001, and what takes longer than [`Config::drain`] is cut.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Without it, small answers would wait for the client's acknowledgement.
                        if let Err(error) = stream.set_nodelay(true) {
                            tracing::debug!(%error, "cannot set TCP_NODELAY");
                        }
                        connections.spawn(http::serve(self.core.clone(), stream, stop.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.core.config.drain, drained)
            .await
            .is_err()
        {
            tracing::warn!(
                "calls that still ran were cut: their clients may come back for them by idempotency key"
            );
        }
        connections.shutdown().await;
    }

    /// Serves the admin door until `stop`; `render_metrics` writes `/metrics`.
    ///
    /// # Errors
    /// Those of the listener.
    pub async fn serve_admin(
        &self,
        listener: TcpListener,
        render_metrics: RenderMetrics,
        stop: CancellationToken,
    ) -> io::Result<()> {
        axum::serve(listener, admin::router(self.core.clone(), render_metrics))
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
    }

    /// Every tool that is offered, in the order of registration.
    #[must_use]
    pub fn tools(&self) -> Vec<Entry> {
        self.core.catalogue().tools()
    }

    /// What people should know of the catalogue: names that collided, what was left out.
    #[must_use]
    pub fn remarks(&self) -> Vec<Remark> {
        self.core.catalogue().remarks().to_vec()
    }
}
