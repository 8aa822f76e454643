//! The broker's decisions, one command at a time, on the writer's thread.
//!
//! Every method changes rows inside the open transaction, the picture in memory ([`Lanes`], live
//! attempts) and the list of [`Effect`]s. [`Ledger::commit`] makes all of it hold and tells it;
//! [`Ledger::rollback`] takes the picture back to what the store says.

mod accept;
mod recover;
mod settle;
mod suspend;
mod sweep;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use dormouse_contract::policy::Delivery;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::effect::Effect;
use crate::history::{Actor, append};
use crate::lanes::{Lanes, Waiting};
use crate::retry::millis;
use crate::store::{Row, Store, is_unreadable};
use crate::task::{AttemptToken, Claim, Millis, NewTask, Standing, State, TaskId};
use crate::waiters::Hub;

pub(crate) use suspend::Given;
pub(crate) use sweep::Sweep;

/// An attempt in a dispatcher's hands.
#[derive(Debug, Clone)]
struct Live {
    pool: Arc<str>,
    principal: Arc<str>,
    round: u32,
    attempt: u32,
    token: AttemptToken,
    started_at: Millis,
    deadline: Millis,
    is_event: bool,
    delivery: Arc<Delivery>,
    /// The task itself, while it has no row (`stored: lazily`).
    unstored: Option<Arc<NewTask>>,
}

/// How the picture in memory is taken back when a batch cannot be committed.
#[derive(Debug)]
enum Undo {
    Started(TaskId),
    Finished(TaskId, Live),
    Queued(Arc<str>, Waiting),
    Unqueued(Arc<str>, Waiting),
    FloorMoved(TaskId),
    /// It got its row in this batch.
    Stored(TaskId, Arc<NewTask>),
}

/// The state of the broker.
#[derive(Debug)]
pub(crate) struct Ledger {
    store: Store,
    config: Config,
    lanes: Lanes,
    live: HashMap<TaskId, Live>,
    undo: Vec<Undo>,
    effects: Vec<Effect>,
    hub: Hub,
    claims: mpsc::UnboundedSender<Claim>,
    policies: Vec<(Arc<Delivery>, i64)>,
    stopping: bool,
    /// As stored: no task with a smaller id runs.
    floor: TaskId,
    /// Something has run since the floor was looked at.
    has_run: bool,
    /// No suspended task expires before.
    next_expiry: Millis,
    /// Rows that could not be read, each told once.
    unreadable: HashSet<TaskId>,
}

impl Ledger {
    pub(crate) fn new(
        store: Store,
        config: Config,
        hub: Hub,
        claims: mpsc::UnboundedSender<Claim>,
    ) -> Self {
        Self {
            lanes: Lanes::new(config.max_running),
            store,
            config,
            live: HashMap::new(),
            undo: Vec::new(),
            effects: Vec::new(),
            hub,
            claims,
            policies: Vec::new(),
            stopping: false,
            floor: TaskId::from_bytes([0; 16]),
            has_run: false,
            next_expiry: Millis::MAX,
            unreadable: HashSet::new(),
        }
    }

    pub(crate) fn begin(&self) -> rusqlite::Result<()> {
        self.store.begin()
    }

    /// Makes the batch hold, then tells what came of it.
    pub(crate) fn commit(&mut self) -> rusqlite::Result<()> {
        self.store.commit()?;
        self.undo.clear();
        for effect in self.effects.drain(..) {
            effect.tell(&self.hub, &self.claims);
        }
        Ok(())
    }

    /// Takes the whole batch back and tells so.
    pub(crate) fn rollback(&mut self, why: &rusqlite::Error) {
        tracing::error!(error = %why, "the store failed; the calls of this batch are refused");
        if let Err(error) = self.store.rollback() {
            tracing::error!(%error, "rolling back failed");
        }
        // One of them may have been entered in this very batch.
        self.policies.clear();
        // The store knows.
        self.next_expiry = 0;
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Started(task) => {
                    if let Some(live) = self.live.remove(&task) {
                        self.lanes.finish(&live.pool);
                    }
                }
                Undo::Finished(task, live) => {
                    self.lanes.start(&live.pool);
                    self.live.insert(task, live);
                }
                Undo::Queued(pool, waiting) => {
                    self.lanes
                        .lane(&pool)
                        .remove(waiting.task, &waiting.principal);
                }
                Undo::Unqueued(pool, waiting) => self.lanes.lane(&pool).put_back(waiting),
                Undo::FloorMoved(before) => self.floor = before,
                Undo::Stored(task, unstored) => {
                    if let Some(live) = self.live.get_mut(&task) {
                        live.unstored = Some(unstored);
                    }
                }
            }
        }
        let why = why.to_string();
        self.effects.drain(..).for_each(|effect| effect.fail(&why));
    }

    pub(crate) fn tell(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    pub(crate) fn open_pool(&mut self, pool: &Arc<str>, slots: usize, limit: usize) {
        let lane = self.lanes.lane(pool);
        lane.open = true;
        lane.slots = slots;
        lane.limit = limit;
    }

    pub(crate) fn close_pool(&mut self, pool: &Arc<str>) {
        self.lanes.lane(pool).open = false;
    }

    /// Accepts and hands out nothing more.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.stopping && self.live.is_empty()
    }

    /// Hands out waiting tasks while slots are free.
    pub(crate) fn fill(&mut self, now: Millis) -> rusqlite::Result<()> {
        while !self.stopping
            && let Some((pool, waiting)) = self.lanes.pop(now)
        {
            let task = waiting.task;
            self.undo.push(Undo::Unqueued(pool, waiting));
            if let Some(row) = self.row(task)?
                && row.state == State::Accepted
            {
                self.claim(row, now)?;
            }
        }
        Ok(())
    }

    fn claim(&mut self, row: Row, now: Millis) -> rusqlite::Result<()> {
        let token = AttemptToken::random();
        let deadline = now + millis(row.delivery.timeout);
        let attempt = row.attempt + 1;
        let mut history = String::new();
        append(
            &mut history,
            now,
            State::Running,
            Actor::Broker,
            &format!("attempt {attempt}"),
        );
        if !self.store.claim(row.id, token, deadline, &history, now)? {
            return Ok(());
        }
        self.start(
            row.id,
            Live {
                pool: Arc::clone(&row.pool),
                principal: Arc::clone(&row.principal),
                round: row.round,
                attempt,
                token,
                started_at: row.started_at.unwrap_or(now),
                deadline,
                is_event: matches!(row.work, crate::task::Work::Event { .. }),
                delivery: row.delivery.clone(),
                unstored: None,
            },
        )?;
        // Nothing is left of what has never run.
        let has_run = row.round > 1 || row.attempt > 0;
        let replay = match has_run {
            true => self.store.replay(row.id)?.map(Arc::new),
            false => None,
        };
        self.effects.push(Effect::Claimed(Box::new(Claim {
            task: row.id,
            pool: row.pool,
            capability: row.capability,
            work: row.work,
            principal: row.principal,
            affinity: row.affinity,
            trace: row.trace,
            delivery: row.delivery,
            round: row.round,
            attempt,
            token,
            accepted_at: row.accepted_at,
            deadline,
            replay,
            cancelled: CancellationToken::new(),
        })));
        Ok(())
    }

    /// A task's row; one that cannot be read is left alone, so that the others go on.
    fn row(&mut self, task: TaskId) -> rusqlite::Result<Option<Row>> {
        match self.store.row(task) {
            Err(error) if is_unreadable(&error) => {
                if self.unreadable.insert(task) {
                    tracing::error!(%task, %error, "the task's row cannot be read; it is left alone");
                }
                Ok(None)
            }
            row => row,
        }
    }

    /// A running task that has no row.
    pub(crate) fn unstored(&self, task: TaskId) -> Option<Standing> {
        let live = self.live.get(&task)?;
        let unstored = live.unstored.as_ref()?;
        Some(Standing {
            principal: Arc::clone(&live.principal),
            pool: Arc::clone(&live.pool),
            capability: Arc::clone(&unstored.capability),
            state: State::Running,
            round: live.round,
            asks: None,
            ending: None,
            reply_to: unstored.reply_to.clone(),
            accepted_at: live.started_at,
            changed_at: live.started_at,
            work: unstored.work.clone(),
        })
    }

    fn start(&mut self, task: TaskId, live: Live) -> rusqlite::Result<()> {
        if task < self.floor && live.unstored.is_none() {
            self.move_floor(task)?;
        }
        self.has_run = true;
        self.lanes.start(&live.pool);
        self.live.insert(task, live);
        self.undo.push(Undo::Started(task));
        Ok(())
    }

    fn move_floor(&mut self, floor: TaskId) -> rusqlite::Result<()> {
        self.store.set_floor(floor)?;
        self.undo.push(Undo::FloorMoved(self.floor));
        self.floor = floor;
        Ok(())
    }

    fn finish(&mut self, task: TaskId) -> Option<Live> {
        let live = self.live.remove(&task)?;
        self.lanes.finish(&live.pool);
        self.undo.push(Undo::Finished(task, live.clone()));
        Some(live)
    }

    fn enqueue(&mut self, pool: &Arc<str>, waiting: Waiting, not_before: Millis, now: Millis) {
        self.undo
            .push(Undo::Queued(Arc::clone(pool), waiting.clone()));
        self.lanes.lane(pool).push(waiting, not_before, now);
    }

    fn dequeue(&mut self, pool: &Arc<str>, waiting: Waiting) {
        if self
            .lanes
            .lane(pool)
            .remove(waiting.task, &waiting.principal)
        {
            self.undo.push(Undo::Unqueued(Arc::clone(pool), waiting));
        }
    }

    /// The number of a policy in the store; the few that are in use are kept.
    fn policy(&mut self, delivery: &Arc<Delivery>) -> rusqlite::Result<i64> {
        const KEPT: usize = 64;
        if let Some((_, number)) = self.policies.iter().find(|(known, _)| known == delivery) {
            return Ok(*number);
        }
        let number = self
            .store
            .policy(&serde_json::to_string(&**delivery).unwrap_or_default())?;
        if self.policies.len() == KEPT {
            self.policies.remove(0);
        }
        self.policies.push((Arc::clone(delivery), number));
        Ok(number)
    }
}
