//! Whether tasks are handed out: not while the platform starts, and not while it, or their pool, is
//! drained. All three are kept here, so that the end of one is not the end of another.

use std::collections::BTreeSet;

use dormouse_broker::Error;
use tokio::sync::{Mutex, watch};

use crate::registry::Coordinator;

/// What holds tasks back.
#[derive(Debug, Default)]
pub(crate) struct Drains {
    state: watch::Sender<State>,
    /// Who changes it waits for whoever does so already: broker and state must not come apart.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Not all pools are there yet.
    is_starting: bool,
    is_drained: bool,
    pools: BTreeSet<String>,
}

impl Coordinator {
    /// While held, events wait at the door and no task is handed out: for as long as not all pools
    /// are registered, since an event, or the reply to one, is matched once, when it comes in.
    pub async fn hold(&self, held: bool) {
        let drains = self.drains();
        let _turn = drains.turn.lock().await;
        drains.state.send_modify(|state| state.is_starting = held);
        let held = held || drains.state.borrow().is_drained;
        // An error means that the broker has stopped: it hands out nothing more.
        let _ = self.broker().hold(None, held).await;
    }

    /// Returns when events may come in.
    pub(crate) async fn admitted(&self) {
        // The sender is in `self`.
        let mut state = self.drains().state.subscribe();
        let _ = state.wait_for(|state| !state.is_starting).await;
    }

    /// Hands out nothing more of a pool (`None`: of any), or goes on. When this returns, the numbers
    /// of [`Broker::depths`](dormouse_broker::Broker::depths) are those of a time afterwards.
    pub(crate) async fn drain(&self, pool: Option<&str>, drained: bool) -> Result<(), Error> {
        let drains = self.drains();
        let _turn = drains.turn.lock().await;
        let held = drained || (pool.is_none() && drains.state.borrow().is_starting);
        // Numbers are published after a batch has been answered: when a second one is answered,
        // those of the first are there.
        for _ in 0..2 {
            self.broker().hold(pool.map(Into::into), held).await?;
        }
        drains.state.send_modify(|state| match pool {
            None => state.is_drained = drained,
            Some(pool) if drained => drop(state.pools.insert(pool.to_owned())),
            Some(pool) => drop(state.pools.remove(pool)),
        });
        tracing::info!(pool, drained, "draining");
        Ok(())
    }

    /// A pool that is gone is not drained any more, so that another one of its name is not.
    pub(crate) async fn lift_drain(&self, pool: &str) -> Result<(), Error> {
        let is_drained = self.drains().state.borrow().pools.contains(pool);
        match is_drained {
            true => self.drain(Some(pool), false).await,
            false => Ok(()),
        }
    }

    /// Whether the platform is drained.
    pub(crate) fn is_drained(&self) -> bool {
        self.drains().state.borrow().is_drained
    }

    /// Whether a pool is, by itself or with the platform.
    pub(crate) fn is_pool_drained(&self, pool: &str) -> bool {
        let state = self.drains().state.borrow();
        state.is_drained || state.pools.contains(pool)
    }
}
