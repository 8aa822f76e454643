//! The broker's decisions, one command at a time, on the writer's thread.
//!
//! Every method changes rows inside the open transaction, the picture in memory ([`Lanes`], live
//! attempts) and the list of [`Effect`]s. [`Ledger::commit`] makes all of it hold and tells it;
//! [`Ledger::rollback`] takes the picture back to what the store says.

mod accept;
mod awaiting;
mod failing;
mod ids;
mod live;
mod publish;
mod queue;
mod recover;
mod redrive;
mod settle;
mod suspend;
mod sweep;
mod undo;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use dormouse_contract::policy::Delivery;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::disk::Disk;
use crate::effect::Effect;
use crate::event::{Fact, Note, Seq};
use crate::feed::Feed;
use crate::history::{Actor, append};
use crate::lane::Order;
use crate::lanes::Lanes;
use crate::retry::millis;
use crate::store::{Row, Store, Taken, is_unreadable};
use crate::task::{AttemptToken, Claim, Millis, Standing, State, TaskId};
use crate::waiters::Hub;
use crate::waits::Waits;
use crate::window::Window;
use ids::Ids;
use publish::TypeNumbers;
use undo::Undo;

use live::Live;
pub(crate) use live::Stood;
pub(crate) use publish::Entry;
pub use redrive::{MOST_SAID, SINKS, Selection};
pub(crate) use suspend::Given;
pub(crate) use sweep::Sweep;

/// Where a task comes from, besides what its caller says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// The event of the log that it handles.
    pub(crate) event: Option<Seq>,
    /// The trigger that took the event.
    pub(crate) trigger: Option<Arc<str>>,
    /// Which tasks wait for each other.
    pub(crate) order: Option<Order>,
    /// The log's end when it was accepted.
    pub(crate) seen: Seq,
    /// The dead letter that it runs again.
    pub(crate) redrive_of: Option<TaskId>,
    /// The idempotency key of the dead letter.
    pub(crate) key: Option<String>,
    /// Its event has other attributes than the log's.
    pub(crate) has_own_attributes: bool,
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
    feed: Feed,
    /// Who waits for events.
    waits: Waits,
    policies: Vec<(Arc<Delivery>, i64)>,
    types: TypeNumbers,
    ids: Ids,
    window: Window,
    /// The place of the newest event.
    log_end: Seq,
    disk: Disk,
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
        feed: Feed,
    ) -> Self {
        Self {
            lanes: Lanes::new(config.max_running),
            window: Window::new(config.duplicate_window, config.most_known),
            disk: Disk::new(config.data_dir.clone(), config.disk_reserve),
            types: TypeNumbers::new(),
            ids: Ids::default(),
            log_end: Seq::default(),
            feed,
            waits: Waits::default(),
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
            effect.tell(&self.hub, &self.claims, &self.feed);
        }
        Ok(())
    }

    pub(crate) fn tell(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    pub(crate) fn put_note(&self, note: &Note) -> rusqlite::Result<()> {
        self.store.put_note(note)
    }

    /// What a new task has that comes from nowhere in particular.
    fn origin(&self) -> Origin {
        Origin {
            seen: self.log_end,
            ..Origin::default()
        }
    }

    /// Whether anybody follows what is committed.
    fn is_followed(&self) -> bool {
        self.feed.is_followed()
    }

    /// Tells those who look on that a task entered a state.
    fn moved(&mut self, task: TaskId, pool: &Arc<str>, capability: &Arc<str>, state: State) {
        if self.is_followed() {
            self.tell_moved(task, pool, capability, state, false);
        }
    }

    fn tell_moved(
        &mut self,
        id: TaskId,
        pool: &Arc<str>,
        capability: &Arc<str>,
        state: State,
        is_dead: bool,
    ) {
        self.tell(Effect::Moved(Fact::Task {
            id,
            pool: Arc::clone(pool),
            capability: Arc::clone(capability),
            state,
            is_dead,
        }));
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
        // What it waited for a slot since its last attempt is not part of its budget.
        let waited = (now - row.due).max(0);
        let started_at = row.started_at.map_or(now, |at| at + waited);
        let taken = Taken {
            token,
            deadline,
            started_at,
            history: &history,
            now,
        };
        if !self.store.claim(row.id, &taken)? {
            return Ok(());
        }
        self.moved(row.id, &row.pool, &row.capability, State::Running);
        self.start(
            row.id,
            Live {
                pool: Arc::clone(&row.pool),
                capability: Arc::clone(&row.capability),
                principal: Arc::clone(&row.principal),
                order: row.order,
                seen: row.seen,
                round: row.round,
                attempt,
                token,
                started_at,
                deadline,
                stood: Stood {
                    due: row.due,
                    started_at: row.started_at,
                },
                is_event: matches!(row.work, crate::task::Work::Event { .. }),
                delivery: row.delivery.clone(),
                unstored: None,
            },
        )?;
        // Nothing is left of what has never run.
        let has_run = row.round > 1 || row.attempt > 0 || row.redrive_of.is_some();
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
