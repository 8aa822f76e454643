//! Whose turn it is: all pools' lanes, and the bound over all of them.
//!
//! Plain data in memory, rebuilt from the store at start; the store remains the queue.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::lane::{Lane, Pause, Waiting};
use crate::task::Millis;

/// All pools' lanes and the bound over all of them.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: HashMap<Arc<str>, Lane>,
    /// The pools that may have work to hand out, by name.
    hungry: BTreeSet<Arc<str>>,
    running: usize,
    max_running: usize,
    /// Nothing is handed out.
    held: bool,
    /// The pool that was served last: the next in order is served first.
    served: Arc<str>,
}

impl Lanes {
    pub(crate) fn new(max_running: usize) -> Self {
        Self {
            lanes: HashMap::new(),
            hungry: BTreeSet::new(),
            running: 0,
            max_running,
            held: false,
            served: "".into(),
        }
    }

    pub(crate) fn get(&self, pool: &str) -> Option<&Lane> {
        self.lanes.get(pool)
    }

    /// Hands out nothing more, or goes on.
    pub(crate) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Lane)> {
        self.lanes.iter()
    }

    pub(crate) fn lane(&mut self, pool: &Arc<str>) -> &mut Lane {
        self.hungry.insert(Arc::clone(pool));
        self.lanes.entry(Arc::clone(pool)).or_default()
    }

    /// Whether a new task of this pool may run at once.
    pub(crate) fn is_free(&self, pool: &str, now: Millis) -> bool {
        self.has_room() && self.lanes.get(pool).is_some_and(|lane| lane.is_free(now))
    }

    /// Hands out nothing of this pool before this time. It is not taken back with the batch: what is
    /// known of the pool stays true.
    pub(crate) fn pause(&mut self, pool: &Arc<str>, until: Millis, why: String) {
        self.lane(pool).pause = Some(Pause { until, why });
    }

    /// Why a pool gets nothing, if it is left alone.
    pub(crate) fn paused(&self, pool: &str) -> Option<&str> {
        let pause = self.lanes.get(pool)?.pause.as_ref()?;
        Some(&pause.why)
    }

    fn has_room(&self) -> bool {
        !self.held && self.running < self.max_running
    }

    /// How many tasks of events wait, delayed and held ones included.
    pub(crate) fn events_waiting(&self) -> usize {
        self.lanes.values().map(Lane::events_waiting).sum()
    }

    pub(crate) fn start(&mut self, pool: &Arc<str>) {
        self.running += 1;
        if let Some(lane) = self.lanes.get_mut(pool) {
            lane.running += 1;
        }
    }

    pub(crate) fn finish(&mut self, pool: &Arc<str>) {
        self.running -= 1;
        if let Some(lane) = self.lanes.get_mut(pool) {
            lane.running -= 1;
        }
    }

    /// The next task of any pool that has a free slot; pools take turns by name.
    pub(crate) fn pop(&mut self, now: Millis) -> Option<(Arc<str>, Waiting)> {
        if !self.has_room() {
            return None;
        }
        let after = self.hungry.iter().filter(|pool| self.served < **pool);
        let until = self.hungry.iter().filter(|pool| self.served >= **pool);
        let in_turn: Vec<Arc<str>> = after.chain(until).cloned().collect();
        for pool in in_turn {
            let Some(lane) = self.lanes.get_mut(&pool) else {
                continue;
            };
            if let Some(waiting) = lane.next(now) {
                self.served = Arc::clone(&pool);
                return Some((pool, waiting));
            }
            if lane.waiting() == 0 {
                self.hungry.remove(&pool);
            }
        }
        None
    }

    /// When a delayed task of an open pool is due next; while everything is taken, nothing is.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        if !self.has_room() {
            return None;
        }
        self.hungry
            .iter()
            .filter_map(|pool| self.lanes.get(pool))
            .filter_map(Lane::next_due)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::tests::{open, waiting};

    #[test]
    fn a_delayed_task_waits_and_can_be_removed() {
        let mut lanes = Lanes::new(10);
        let pool: Arc<str> = "p".into();
        *lanes.lane(&pool) = open(5);
        let (early, late) = (waiting("a"), waiting("a"));
        lanes.lane(&pool).push(late.clone(), 200, 0);
        lanes.lane(&pool).push(early.clone(), 100, 0);
        assert_eq!(lanes.pop(99), None);
        assert_eq!(lanes.next_due(), Some(100));
        assert!(lanes.lane(&pool).remove(&late));
        assert_eq!(lanes.pop(300), Some((pool, early)));
        assert_eq!(lanes.pop(300), None);
    }

    #[test]
    fn a_pool_that_is_left_alone_gets_nothing_until_the_pause_is_over() {
        let mut lanes = Lanes::new(10);
        let pool: Arc<str> = "p".into();
        *lanes.lane(&pool) = open(5);
        lanes.pause(&pool, 100, String::new());
        assert!(!lanes.is_free("p", 99) && lanes.is_free("p", 100));
        let tasks = [waiting("a"), waiting("a")];
        lanes.lane(&pool).push(tasks[0].clone(), 50, 0);
        assert_eq!(lanes.next_due(), Some(100));
        lanes.lane(&pool).push(tasks[1].clone(), 0, 0);
        assert_eq!((lanes.pop(99), lanes.next_due()), (None, Some(100)));
        let popped = [100, 100].map(|now| lanes.pop(now).map(|(_, waiting)| waiting));
        assert!(
            tasks
                .iter()
                .all(|task| popped.contains(&Some(task.clone())))
        );
        assert_eq!(lanes.next_due(), None);
    }

    #[test]
    fn slots_bound_a_pool_and_the_platform() {
        let mut lanes = Lanes::new(2);
        let pools: [Arc<str>; 2] = ["p".into(), "q".into()];
        for pool in &pools {
            *lanes.lane(pool) = open(1);
            for _ in 0..3 {
                lanes.lane(pool).push(waiting("a"), 0, 0);
            }
        }
        let mut started = Vec::new();
        while let Some((pool, _)) = lanes.pop(0) {
            lanes.start(&pool);
            started.push(pool);
        }
        assert_eq!(started, pools);
        lanes.finish(&pools[1]);
        assert_eq!(
            lanes.pop(0).map(|(pool, _)| pool),
            Some(Arc::clone(&pools[1]))
        );
        assert!(!lanes.is_free("p", 0));
    }

    #[test]
    fn a_busy_pool_leaves_the_others_their_turn() {
        let mut lanes = Lanes::new(1);
        for name in ["a", "z"] {
            let pool: Arc<str> = name.into();
            for _ in 0..3 {
                lanes.lane(&pool).push(waiting("w"), 0, 0);
            }
            let lane = lanes.lane(&pool);
            (lane.open, lane.slots) = (true, 5);
        }
        let order: Vec<_> = std::iter::from_fn(|| lanes.pop(0))
            .map(|(pool, _)| pool)
            .collect();
        assert_eq!(
            order.iter().map(|pool| &**pool).collect::<String>(),
            "azazaz"
        );
    }
}
