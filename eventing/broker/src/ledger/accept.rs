//! Accepting: idempotency, bounds, and the claim in the same commit when a slot is free.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::policy::Stored;
use rusqlite::Result;
use tokio_util::sync::CancellationToken;

use super::{Ledger, Live, Origin, Stood, Undo};
use crate::effect::Effect;
use crate::error::Refusal;
use crate::history::{Actor, append};
use crate::lane::{Order, Turn, Waiting};
use crate::retry::millis;
use crate::store::{Insert, Row, is_unreadable};
use crate::task::{
    Accepted, AttemptToken, Claim, Idempotency, Millis, NewTask, State, TaskId, Work,
};

/// When a caller who found the queue full should come back.
const BUSY_FOR: Duration = Duration::from_secs(1);

impl Ledger {
    /// Accepts one task, or says why not. `Err`: the store failed and the batch is lost.
    pub(crate) fn accept(
        &mut self,
        task: NewTask,
        now: Millis,
    ) -> Result<std::result::Result<Accepted, Refusal>> {
        if let Some(idempotency) = &task.idempotency
            && let Some(answer) = self.known_call(&task, idempotency, now)?
        {
            return Ok(answer);
        }
        if let Err(refusal) = self
            .admit_to_disk(now)
            .and_then(|()| self.admit(&task.pool, 1, now))
        {
            return Ok(Err(refusal));
        }
        let origin = self.origin();
        self.insert(task, &origin, now)?;
        Ok(Ok(Accepted::New))
    }

    /// Whether so many more calls of a pool may come in.
    pub(super) fn admit(
        &self,
        pool: &str,
        count: usize,
        now: Millis,
    ) -> std::result::Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        let Some(lane) = self.lanes.get(pool).filter(|lane| lane.open) else {
            return Err(Refusal::UnknownPool(pool.to_owned()));
        };
        let runs_at_once = count == 1 && self.lanes.is_free(pool, now);
        if !runs_at_once && lane.calls_waiting() + count > lane.limit {
            return Err(Refusal::Busy {
                pool: pool.to_owned(),
                queued: lane.calls_waiting(),
                retry_after: BUSY_FOR,
            });
        }
        Ok(())
    }

    /// What the store knows of a call by its idempotency key; `None`: it is a new call.
    fn known_call(
        &mut self,
        task: &NewTask,
        idempotency: &Idempotency,
        now: Millis,
    ) -> Result<Option<std::result::Result<Accepted, Refusal>>> {
        let Some(known) = self.store.key(task, &idempotency.key)? else {
            return Ok(None);
        };
        if known.at + millis(self.config.keep_keys) < now {
            return Ok(None);
        }
        if known.arguments != idempotency.arguments {
            return Ok(Some(Err(Refusal::KeyReused)));
        }
        if self.live.contains_key(&known.task) {
            self.tell(Effect::Joined {
                from: task.id,
                to: known.task,
                asks: None,
            });
            return Ok(Some(Ok(Accepted::Joined(known.task))));
        }
        let row = match self.store.row(known.task) {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(None),
            // What became of the call is not known, so it must not run again.
            Err(error) if is_unreadable(&error) => {
                return Ok(Some(Err(Refusal::Storage(error.to_string()))));
            }
            Err(error) => return Err(error),
        };
        Ok(Some(Ok(match row.ending() {
            Some(ending) => {
                self.tell(Effect::Ended {
                    task: task.id,
                    of: row.id,
                    ending,
                });
                Accepted::Repeated(row.id)
            }
            None => {
                let asks = self.open_asks_of(&row)?;
                self.tell(Effect::Joined {
                    from: task.id,
                    to: row.id,
                    asks,
                });
                Accepted::Joined(row.id)
            }
        })))
    }

    /// The round and the open asks of a task, while it is suspended.
    fn open_asks_of(&self, row: &Row) -> Result<Option<(u32, Bytes)>> {
        if row.state != State::Suspended {
            return Ok(None);
        }
        let kept = self.store.suspension(row.id)?;
        Ok(kept.map(|kept| (row.round, kept.asks)))
    }

    /// Stores a new task, and hands it out at once where a slot is free.
    pub(super) fn insert(&mut self, task: NewTask, origin: &Origin, now: Millis) -> Result<()> {
        let lane = self.lanes.get(&task.pool);
        let must_wait = |order| lane.is_some_and(|lane| lane.is_busy(order));
        if !self.lanes.is_free(&task.pool, now) || origin.order.is_some_and(must_wait) {
            return self.store_and_queue(&task, origin, now);
        }
        if let Some(order) = origin.order {
            self.lanes.lane(&task.pool).begin(order);
            self.undo.push(Undo::Begun(Arc::clone(&task.pool), order));
        }
        let token = AttemptToken::random();
        let deadline = now + millis(task.delivery.timeout);
        // A key promises an answer that can be repeated, and a producer of events was told that
        // they are stored: both always have a row.
        if task.delivery.stored == Stored::Lazily
            && task.idempotency.is_none()
            && matches!(task.work, Work::Call(_))
        {
            let unstored = Some(Arc::new(task.clone()));
            return self.hand_out(task, unstored, None, token, deadline, now);
        }
        let history = begun(&task, now);
        let policy = self.policy(&task.delivery)?;
        self.store.insert(&Insert {
            task: &task,
            origin,
            policy,
            state: State::Running,
            attempt: 1,
            tokens: &token.to_bytes(),
            due: deadline,
            expires_at: now + millis(task.delivery.queue_expiry),
            history: &history,
            now,
        })?;
        self.put_key(&task, now)?;
        self.hand_out(task, None, origin.order, token, deadline, now)
    }

    /// Stores a task that waits for a slot.
    pub(super) fn store_and_queue(
        &mut self,
        task: &NewTask,
        origin: &Origin,
        now: Millis,
    ) -> Result<()> {
        self.store_apart(task, origin, now)?;
        let waiting = Waiting {
            task: task.id,
            turn: Turn {
                principal: Arc::clone(&task.principal),
                is_event: matches!(task.work, Work::Event { .. }),
            },
            order: origin.order,
        };
        self.enqueue(&task.pool, waiting, now, now);
        Ok(())
    }

    /// Stores a task that is in no queue yet.
    pub(super) fn store_apart(
        &mut self,
        task: &NewTask,
        origin: &Origin,
        now: Millis,
    ) -> Result<()> {
        let mut history = String::with_capacity(96);
        append(&mut history, now, State::Accepted, actor(task), "");
        let policy = self.policy(&task.delivery)?;
        self.store.insert(&Insert {
            task,
            origin,
            policy,
            state: State::Accepted,
            attempt: 0,
            tokens: &[],
            due: now,
            expires_at: now + millis(task.delivery.queue_expiry),
            history: &history,
            now,
        })?;
        self.moved(task.id, &task.pool, &task.capability, State::Accepted);
        self.put_key(task, now)
    }

    /// Gives a running task its row, if it has none yet.
    pub(super) fn store_live(&mut self, task: TaskId) -> Result<()> {
        let Some((unstored, live)) = self
            .live
            .get(&task)
            .and_then(|live| Some((live.unstored.clone()?, live.clone())))
        else {
            return Ok(());
        };
        let history = begun(&unstored, live.started_at);
        let origin = Origin {
            seen: live.seen,
            ..Origin::default()
        };
        let policy = self.policy(&live.delivery)?;
        self.store.insert(&Insert {
            task: &unstored,
            origin: &origin,
            policy,
            state: State::Running,
            attempt: live.attempt,
            tokens: &live.token.to_bytes(),
            due: live.deadline,
            expires_at: live.started_at + millis(live.delivery.queue_expiry),
            history: &history,
            now: live.started_at,
        })?;
        if task < self.floor {
            self.move_floor(task)?;
        }
        if let Some(live) = self.live.get_mut(&task) {
            live.unstored = None;
        }
        self.undo.push(Undo::Stored(task, unstored));
        Ok(())
    }

    fn put_key(&mut self, task: &NewTask, now: Millis) -> Result<()> {
        match &task.idempotency {
            Some(idempotency) => self.store.put_key(task, idempotency, now),
            None => Ok(()),
        }
    }

    fn hand_out(
        &mut self,
        task: NewTask,
        unstored: Option<Arc<NewTask>>,
        order: Option<Order>,
        token: AttemptToken,
        deadline: Millis,
        now: Millis,
    ) -> Result<()> {
        self.moved(task.id, &task.pool, &task.capability, State::Running);
        self.start(
            task.id,
            Live {
                pool: Arc::clone(&task.pool),
                capability: Arc::clone(&task.capability),
                order,
                seen: self.log_end,
                principal: Arc::clone(&task.principal),
                round: 1,
                attempt: 1,
                token,
                started_at: now,
                deadline,
                stood: Stood::since(now),
                is_event: matches!(task.work, Work::Event { .. }),
                delivery: task.delivery.clone(),
                unstored,
            },
        )?;
        self.tell(Effect::Claimed(Box::new(Claim {
            task: task.id,
            pool: task.pool,
            capability: task.capability,
            work: task.work,
            principal: task.principal,
            affinity: task.affinity,
            trace: task.trace,
            delivery: task.delivery,
            round: 1,
            attempt: 1,
            token,
            accepted_at: now,
            deadline,
            replay: None,
            cancelled: CancellationToken::new(),
        })));
        Ok(())
    }
}

/// The history of a task that was claimed in the moment of its acceptance.
fn begun(task: &NewTask, at: Millis) -> String {
    let mut history = String::with_capacity(160);
    append(&mut history, at, State::Accepted, actor(task), "");
    append(&mut history, at, State::Running, Actor::Broker, "attempt 1");
    history
}

fn actor(task: &NewTask) -> Actor {
    match task.work {
        Work::Call(_) => Actor::Caller,
        Work::Event { .. } => Actor::Broker,
    }
}
