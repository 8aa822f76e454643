//! The SQLite store: every statement that changes or reads a task.
//!
//! One connection writes, on the writer's thread; what it does between [`Store::begin`] and
//! [`Store::commit`] stands or falls together. [`read`] has the queries of other threads.

mod claim;
mod dead_letters;
mod events;
pub(crate) mod log;
mod open;
pub(crate) mod read;
mod row;
mod suspensions;
mod waits;

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Result, params};

pub(crate) use claim::Taken;
pub(crate) use dead_letters::Fate;
pub(crate) use events::LogRow;
pub(crate) use open::{Lock, checkpoint, connect, open};
pub(crate) use row::{KeyRow, Row, is_unreadable};
pub(crate) use suspensions::Kept;

use crate::event::Seq;
use crate::lane::{Order, Turn, Waiting};
use crate::ledger::Origin;
use crate::task::{Idempotency, Millis, NewTask, State, TaskId, Work};

/// Requests larger than this stand in a table of their own.
const INLINE: usize = 2_048;

/// The writing connection.
#[derive(Debug)]
pub(crate) struct Store {
    conn: Connection,
}

/// How a row begins: waiting, or already running when a slot was free.
pub(crate) struct Insert<'a> {
    pub(crate) task: &'a NewTask,
    pub(crate) origin: &'a Origin,
    pub(crate) policy: i64,
    pub(crate) state: State,
    pub(crate) attempt: u32,
    pub(crate) tokens: &'a [u8],
    pub(crate) due: Millis,
    pub(crate) expires_at: Millis,
    pub(crate) history: &'a str,
    pub(crate) now: Millis,
}

/// A change of a row that is in state `from`.
pub(crate) struct Update<'a> {
    pub(crate) task: TaskId,
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) due: Millis,
    pub(crate) ending: Option<&'a [u8]>,
    pub(crate) fate: Fate,
    pub(crate) history: &'a str,
    pub(crate) now: Millis,
}

impl Store {
    pub(crate) fn new(conn: Connection) -> Self {
        conn.set_prepared_statement_cache_capacity(48);
        Self { conn }
    }

    pub(crate) fn begin(&self) -> Result<()> {
        self.conn
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute([])
            .map(drop)
    }

    pub(crate) fn commit(&self) -> Result<()> {
        self.conn.prepare_cached("COMMIT")?.execute([]).map(drop)
    }

    pub(crate) fn rollback(&self) -> Result<()> {
        if self.conn.is_autocommit() {
            return Ok(());
        }
        self.conn.prepare_cached("ROLLBACK")?.execute([]).map(drop)
    }

    pub(crate) fn insert(&self, insert: &Insert<'_>) -> Result<()> {
        let (task, origin) = (insert.task, insert.origin);
        // What stands in the log is not written again.
        let is_own = origin.event.is_none() || origin.has_own_attributes;
        let (attributes, request) = match &task.work {
            Work::Call(data) => (None, Some(data)),
            Work::Event {
                attributes, data, ..
            } => (
                is_own.then_some(&attributes[..]),
                origin.event.is_none().then_some(data),
            ),
        };
        let inline = request.filter(|request| request.len() <= INLINE);
        if let Some(request) = request
            && inline.is_none()
        {
            self.conn
                .prepare_cached("INSERT INTO payloads (task, data) VALUES (?1, ?2)")?
                .execute(params![task.id.as_bytes(), &request[..]])?;
        }
        let key = task.idempotency.as_ref().map(|given| given.key.as_str());
        let started_at = (insert.state == State::Running).then_some(insert.now);
        self.conn
            .prepare_cached(
                "INSERT INTO tasks (id, state, pool, capability, principal, round, attempt, tokens,
                     accepted_at, started_at, changed_at, due, expires_at, policy, trace,
                     reply_to, affinity, key, attributes, request, history, event, via_trigger,
                     ordering, seen, redrive_of)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?8, ?10, ?11, ?12, ?13, ?14, ?15,
                     ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
            )?
            .execute(params![
                task.id.as_bytes(),
                insert.state.code(),
                &*task.pool,
                &*task.capability,
                &*task.principal,
                insert.attempt,
                insert.tokens,
                insert.now,
                started_at,
                insert.due,
                insert.expires_at,
                insert.policy,
                task.trace.to_string(),
                task.reply_to.as_deref(),
                task.affinity.as_deref(),
                key.or(origin.key.as_deref()),
                attributes,
                inline.map(|request| &request[..]),
                insert.history,
                origin.event.map(Seq::to_sql),
                origin.trigger.as_deref(),
                origin.order.map(|order| order.0),
                origin.seen.to_sql(),
                origin.redrive_of.as_ref().map(TaskId::as_bytes),
            ])
            .map(drop)
    }

    /// The number of a policy, which is entered when it is new.
    pub(crate) fn policy(&self, json: &str) -> Result<i64> {
        self.conn
            .prepare_cached("INSERT OR IGNORE INTO policies (policy) VALUES (?1)")?
            .execute([json])?;
        self.conn
            .prepare_cached("SELECT id FROM policies WHERE policy = ?1")?
            .query_row([json], |row| row.get(0))
    }

    /// Changes a row's state. `false`: the row is no longer in the state expected.
    pub(crate) fn update(&self, update: &Update<'_>) -> Result<bool> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE tasks SET state = ?3, due = ?4, ending = ?5, dead = ?6,
                     history = history || ?7, changed_at = ?8
                 WHERE id = ?1 AND state = ?2",
            )?
            .execute(params![
                update.task.as_bytes(),
                update.from.code(),
                update.to.code(),
                update.due,
                update.ending,
                update.fate.code(),
                update.history,
                update.now,
            ])?;
        Ok(changed == 1)
    }

    pub(crate) fn row(&self, task: TaskId) -> Result<Option<Row>> {
        row::load(&self.conn, task)
    }

    pub(crate) fn key(&self, task: &NewTask, key: &str) -> Result<Option<KeyRow>> {
        self.conn
            .prepare_cached(
                "SELECT task, arguments, at FROM keys
                 WHERE principal = ?1 AND pool = ?2 AND capability = ?3 AND key = ?4",
            )?
            .query_row(
                params![&*task.principal, &*task.pool, &*task.capability, key],
                |row| {
                    Ok(KeyRow {
                        task: TaskId::from_bytes(row.get(0)?),
                        arguments: row.get(1)?,
                        at: row.get(2)?,
                    })
                },
            )
            .optional()
    }

    pub(crate) fn put_key(
        &self,
        task: &NewTask,
        idempotency: &Idempotency,
        now: Millis,
    ) -> Result<()> {
        self.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO keys
                     (principal, pool, capability, key, task, arguments, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                &*task.principal,
                &*task.pool,
                &*task.capability,
                idempotency.key,
                task.id.as_bytes(),
                &idempotency.arguments,
                now
            ])
            .map(drop)
    }

    /// Frees the key of a task that surely did not run.
    pub(crate) fn release_key(&self, row: &Row) -> Result<()> {
        self.conn
            .prepare_cached(
                "DELETE FROM keys WHERE principal = ?1 AND pool = ?2 AND capability = ?3
                     AND key = ?4 AND task = ?5",
            )?
            .execute(params![
                &*row.principal,
                &*row.pool,
                &*row.capability,
                row.key,
                row.id.as_bytes()
            ])
            .map(drop)
    }

    /// Tells of each task that waits, oldest first: its pool, the task, not before.
    pub(crate) fn each_waiting(
        &self,
        mut tell: impl FnMut(&str, Waiting, Millis),
    ) -> Result<usize> {
        let mut turns: HashMap<(String, bool), Turn> = HashMap::new();
        let mut query = self.conn.prepare(
            "SELECT id, pool, principal, event IS NOT NULL OR attributes IS NOT NULL, ordering, due
             FROM tasks INDEXED BY waiting WHERE state = 0 ORDER BY id",
        )?;
        let mut rows = query.query([])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let key: (String, bool) = (row.get(2)?, row.get(3)?);
            let turn = turns
                .entry(key)
                .or_insert_with_key(|(principal, is_event)| Turn {
                    principal: principal.as_str().into(),
                    is_event: *is_event,
                });
            let waiting = Waiting {
                task: TaskId::from_bytes(row.get(0)?),
                turn: turn.clone(),
                order: row.get::<_, Option<i64>>(4)?.map(Order),
            };
            tell(row.get_ref(1)?.as_str()?, waiting, row.get(5)?);
            count += 1;
        }
        Ok(count)
    }

    /// The newest task.
    pub(crate) fn newest(&self) -> Result<Option<TaskId>> {
        self.conn
            .query_row("SELECT id FROM tasks ORDER BY id DESC LIMIT 1", [], |row| {
                row.get(0).map(TaskId::from_bytes)
            })
            .optional()
    }

    /// The tasks that a process before left running, from the floor on.
    pub(crate) fn running(&self, floor: TaskId) -> Result<Vec<TaskId>> {
        self.conn
            .prepare("SELECT id FROM tasks WHERE id >= ?1 AND state = 1 ORDER BY id")?
            .query_map([floor.as_bytes()], |row| row.get(0).map(TaskId::from_bytes))?
            .collect()
    }

    pub(crate) fn floor(&self) -> Result<TaskId> {
        self.conn.query_row("SELECT id FROM floor", [], |row| {
            row.get(0).map(TaskId::from_bytes)
        })
    }

    pub(crate) fn set_floor(&self, floor: TaskId) -> Result<()> {
        self.conn
            .prepare_cached("UPDATE floor SET id = ?1")?
            .execute([floor.as_bytes()])
            .map(drop)
    }

    /// Waiting tasks whose time is over: the queue's, counted anew from when a retry was due.
    pub(crate) fn expired(&self, now: Millis) -> Result<Vec<TaskId>> {
        self.conn
            .prepare_cached(
                "SELECT id FROM tasks INDEXED BY waiting
                 WHERE state = 0 AND expires_at < ?1
                     AND due + (expires_at - accepted_at) < ?1 LIMIT 500",
            )?
            .query_map([now], |row| row.get(0).map(TaskId::from_bytes))?
            .collect()
    }

    /// Deletes ended tasks that are kept no longer, looking at no more than 1,000 rows after
    /// `cursor`. Returns where to go on; `None` when all old rows have been seen.
    pub(crate) fn forget(
        &self,
        cursor: TaskId,
        ended_before: Millis,
        failed_before: Millis,
    ) -> Result<Option<TaskId>> {
        let page: Vec<(TaskId, i64, Millis, Millis)> = self
            .conn
            .prepare_cached(
                "SELECT id, state, changed_at, accepted_at FROM tasks WHERE id > ?1
                 ORDER BY id LIMIT 1000",
            )?
            .query_map([cursor.as_bytes()], |row| {
                Ok((
                    TaskId::from_bytes(row.get(0)?),
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                ))
            })?
            .collect::<Result<_>>()?;
        let newest = ended_before.max(failed_before);
        let mut last = None;
        for &(task, code, changed_at, accepted_at) in &page {
            if accepted_at > newest {
                return Ok(None);
            }
            let old = match State::from_code(code) {
                Some(State::Completed | State::Cancelled) => changed_at < ended_before,
                Some(State::Failed) => changed_at < failed_before,
                Some(State::Accepted | State::Running | State::Suspended) | None => false,
            };
            if old {
                for sql in [
                    "DELETE FROM tasks WHERE id = ?1",
                    "DELETE FROM payloads WHERE task = ?1",
                    "DELETE FROM suspensions WHERE task = ?1",
                    "DELETE FROM steps WHERE task = ?1",
                ] {
                    self.conn.prepare_cached(sql)?.execute([task.as_bytes()])?;
                }
            }
            last = Some(task);
        }
        Ok(last.filter(|_| page.len() == 1_000))
    }

    pub(crate) fn forget_keys(&self, before: Millis) -> Result<usize> {
        self.conn
            .prepare_cached("DELETE FROM keys WHERE at < ?1")?
            .execute([before])
    }
}
