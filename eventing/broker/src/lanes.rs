//! Who runs next: each pool's slots, its waiting tasks, and fairness between principals.
//!
//! Plain data in memory, rebuilt from the store at start; the store remains the queue. Within a
//! pool principals take turns, so that one caller's thousand tasks do not starve another's one.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::task::{Millis, TaskId};

/// A waiting task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) task: TaskId,
    pub(crate) principal: Arc<str>,
}

/// One pool's queue and slots.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Tasks are handed out only while the pool is open.
    pub(crate) open: bool,
    /// How many tasks may run at the same time.
    pub(crate) slots: usize,
    /// How many tasks may wait.
    pub(crate) limit: usize,
    /// How many run.
    pub(crate) running: usize,
    turns: VecDeque<Arc<str>>,
    queues: HashMap<Arc<str>, VecDeque<TaskId>>,
    ready: usize,
    delayed: BTreeMap<(Millis, TaskId), Arc<str>>,
    delays: HashMap<TaskId, Millis>,
}

impl Lane {
    /// How many tasks wait, delayed ones included.
    pub(crate) fn waiting(&self) -> usize {
        self.ready + self.delayed.len()
    }

    /// Whether a new task may run at once without overtaking one that waits.
    pub(crate) fn is_free(&self) -> bool {
        self.open && self.ready == 0 && self.running < self.slots
    }

    /// Whether a waiting task could be handed out now.
    pub(crate) fn has_work(&self) -> bool {
        self.open && self.ready > 0 && self.running < self.slots
    }

    pub(crate) fn push(&mut self, waiting: Waiting, not_before: Millis, now: Millis) {
        if not_before > now {
            self.delays.insert(waiting.task, not_before);
            self.delayed
                .insert((not_before, waiting.task), waiting.principal);
            return;
        }
        self.queue(waiting.principal).push_back(waiting.task);
    }

    /// Puts back what [`Lane::pop`] gave out, at the front.
    pub(crate) fn put_back(&mut self, waiting: Waiting) {
        self.queue(waiting.principal).push_front(waiting.task);
    }

    fn queue(&mut self, principal: Arc<str>) -> &mut VecDeque<TaskId> {
        self.ready += 1;
        if !self.queues.contains_key(&principal) {
            self.turns.push_back(Arc::clone(&principal));
        }
        self.queues.entry(principal).or_default()
    }

    /// The next task, by turns between principals.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let principal = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&principal)?;
        let task = queue.pop_front()?;
        self.ready -= 1;
        if queue.is_empty() {
            self.queues.remove(&principal);
        } else {
            self.turns.push_back(Arc::clone(&principal));
        }
        Some(Waiting { task, principal })
    }

    /// Takes a task out of the queue, wherever it stands. `false` when it does not wait here.
    pub(crate) fn remove(&mut self, task: TaskId, principal: &Arc<str>) -> bool {
        if let Some(at) = self.delays.remove(&task) {
            return self.delayed.remove(&(at, task)).is_some();
        }
        let Some(queue) = self.queues.get_mut(principal) else {
            return false;
        };
        let before = queue.len();
        queue.retain(|waiting| *waiting != task);
        let removed = queue.len() < before;
        if queue.is_empty() {
            self.queues.remove(principal);
            self.turns.retain(|turn| turn != principal);
        }
        self.ready -= usize::from(removed);
        removed
    }

    /// Moves tasks whose delay is over into the queue.
    fn ripen(&mut self, now: Millis) {
        while let Some((&(at, task), _)) = self.delayed.first_key_value()
            && at <= now
        {
            if let Some(principal) = self.delayed.remove(&(at, task)) {
                self.delays.remove(&task);
                self.queue(principal).push_back(task);
            }
        }
    }

    fn next_due(&self) -> Option<Millis> {
        self.delayed.first_key_value().map(|(&(at, _), _)| at)
    }
}

/// All pools' lanes and the bound over all of them.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: HashMap<Arc<str>, Lane>,
    /// The pools that may have work to hand out, oldest first.
    hungry: BTreeSet<Arc<str>>,
    running: usize,
    max_running: usize,
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
            served: "".into(),
        }
    }

    pub(crate) fn get(&self, pool: &str) -> Option<&Lane> {
        self.lanes.get(pool)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Lane)> {
        self.lanes.iter()
    }

    pub(crate) fn lane(&mut self, pool: &Arc<str>) -> &mut Lane {
        self.hungry.insert(Arc::clone(pool));
        self.lanes.entry(Arc::clone(pool)).or_default()
    }

    /// Whether a new task of this pool may run at once.
    pub(crate) fn is_free(&self, pool: &str) -> bool {
        self.running < self.max_running && self.lanes.get(pool).is_some_and(Lane::is_free)
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
        if self.running >= self.max_running {
            return None;
        }
        let after = self.hungry.iter().filter(|pool| self.served < **pool);
        let until = self.hungry.iter().filter(|pool| self.served >= **pool);
        let in_turn: Vec<Arc<str>> = after.chain(until).cloned().collect();
        for pool in in_turn {
            let Some(lane) = self.lanes.get_mut(&pool) else {
                continue;
            };
            lane.ripen(now);
            if lane.has_work()
                && let Some(waiting) = lane.pop()
            {
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
        if self.running >= self.max_running {
            return None;
        }
        self.hungry
            .iter()
            .filter_map(|pool| self.lanes.get(pool))
            .filter(|lane| lane.open)
            .filter_map(Lane::next_due)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(principal: &str) -> Waiting {
        Waiting {
            task: TaskId::new(),
            principal: principal.into(),
        }
    }

    fn open(slots: usize) -> Lane {
        Lane {
            open: true,
            slots,
            limit: 10,
            ..Lane::default()
        }
    }

    #[test]
    fn principals_take_turns_and_keep_their_own_order() {
        let mut lane = open(1);
        let tasks = [waiting("a"), waiting("a"), waiting("a"), waiting("b")];
        for task in &tasks {
            lane.push(task.clone(), 0, 0);
        }
        let order: Vec<_> = std::iter::from_fn(|| lane.pop()).collect();
        assert_eq!(order, [0, 3, 1, 2].map(|index| tasks[index].clone()));
        assert_eq!(lane.waiting(), 0);
    }

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
        assert!(lanes.lane(&pool).remove(late.task, &late.principal));
        assert_eq!(lanes.pop(300), Some((pool, early)));
        assert_eq!(lanes.pop(300), None);
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
        assert!(!lanes.is_free("p"));
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

    #[test]
    fn what_is_put_back_comes_first() {
        let mut lane = open(1);
        for _ in 0..2 {
            lane.push(waiting("a"), 0, 0);
        }
        let first = lane.pop().unwrap();
        lane.put_back(first.clone());
        assert_eq!(lane.pop(), Some(first));
    }
}
