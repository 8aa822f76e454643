//! How many tasks wait and run in each pool, for those who ask from other threads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::Gauge;

use crate::lanes::Lanes;

struct Pool {
    queued: usize,
    running: usize,
    queued_gauge: Gauge,
    running_gauge: Gauge,
}

/// The last published numbers; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Depths {
    commits: Arc<AtomicU64>,
    pools: Arc<Mutex<HashMap<Arc<str>, Pool>>>,
}

impl std::fmt::Debug for Depths {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.read()).finish()
    }
}

impl Depths {
    pub(crate) fn publish(&self, lanes: &Lanes) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, lane) in lanes.iter() {
            let (queued, running) = (lane.waiting(), lane.running);
            let pool = pools
                .entry(Arc::clone(name))
                .or_insert_with(|| Pool::new(name));
            if pool.queued != queued {
                pool.queued = queued;
                pool.queued_gauge.set(count(queued));
            }
            if pool.running != running {
                pool.running = running;
                pool.running_gauge.set(count(running));
            }
        }
    }

    pub(crate) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Pool, tasks waiting, tasks running.
    pub(crate) fn read(&self) -> Vec<(Arc<str>, usize, usize)> {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools
            .iter()
            .map(|(name, pool)| (Arc::clone(name), pool.queued, pool.running))
            .collect()
    }
}

impl Pool {
    fn new(name: &Arc<str>) -> Self {
        let label = name.to_string();
        let queued_gauge = metrics::gauge!("dormouse_queue_depth", "pool" => label.clone());
        let running_gauge = metrics::gauge!("dormouse_tasks_running", "pool" => label);
        queued_gauge.set(0.0);
        running_gauge.set(0.0);
        Self {
            queued: 0,
            running: 0,
            queued_gauge,
            running_gauge,
        }
    }
}

fn count(tasks: usize) -> f64 {
    u32::try_from(tasks).map_or(f64::from(u32::MAX), f64::from)
}
