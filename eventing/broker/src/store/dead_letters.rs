//! The statements about dead letters.

use rusqlite::{Result, params};

use super::{Store, read};
use crate::record::{DeadLetter, TaskFilter};
use crate::task::TaskId;

/// So many dead letters are redriven or discarded at a time.
const MOST: usize = 1_000;

/// What has become of a failed task, in `tasks.dead`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is no dead letter.
    None,
    /// It is one.
    Dead,
    /// It runs again as another task.
    Redriven,
    /// Nobody wants it any more.
    Discarded,
    /// It was sent on to its dead letter sink.
    Forwarded,
}

impl Fate {
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Dead => 1,
            Self::Redriven => 2,
            Self::Discarded => 3,
            Self::Forwarded => 4,
        }
    }

    /// As people see it.
    pub(crate) fn dead_letter(code: i64) -> Option<DeadLetter> {
        match code {
            1 => Some(DeadLetter::Open),
            2 => Some(DeadLetter::Redriven),
            3 => Some(DeadLetter::Discarded),
            4 => Some(DeadLetter::Forwarded),
            _ => None,
        }
    }
}

impl Store {
    /// Says what becomes of an open dead letter. `false`: it is none.
    pub(crate) fn set_fate(
        &self,
        task: TaskId,
        fate: Fate,
        redriven_as: Option<TaskId>,
        history: &str,
    ) -> Result<bool> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE tasks SET dead = ?2, redriven_as = ?3, history = history || ?4
                 WHERE id = ?1 AND dead = 1",
            )?
            .execute(params![
                task.as_bytes(),
                fate.code(),
                redriven_as.as_ref().map(TaskId::as_bytes),
                history
            ])?;
        Ok(changed == 1)
    }

    /// The open dead letters that match, the oldest first, so that what has an order keeps it.
    pub(crate) fn dead_letters(&self, filter: &TaskFilter) -> Result<Vec<TaskId>> {
        let filter = TaskFilter {
            dead: true,
            limit: Some(filter.limit.unwrap_or(MOST).min(MOST)),
            ..filter.clone()
        };
        read::oldest(&self.conn, &filter)
    }

    /// Gives a redriven task what the one before asked, was answered and stepped.
    pub(crate) fn copy_replay(&self, old: TaskId, new: TaskId) -> Result<()> {
        self.conn
            .prepare_cached(
                "INSERT INTO suspensions (task, asks, answers, revision, due)
                 SELECT ?2, asks, answers, revision, NULL FROM suspensions WHERE task = ?1",
            )?
            .execute(params![old.as_bytes(), new.as_bytes()])?;
        self.conn
            .prepare_cached(
                "INSERT INTO steps (task, name, result)
                 SELECT ?2, name, result FROM steps WHERE task = ?1",
            )?
            .execute(params![old.as_bytes(), new.as_bytes()])
            .map(drop)
    }

    /// Lets the idempotency key of a task lead to its redrive.
    pub(crate) fn move_key(&self, old: TaskId, new: TaskId) -> Result<()> {
        self.conn
            .prepare_cached(
                "UPDATE keys SET task = ?2
                 WHERE task = ?1 AND (principal, pool, capability, key) IN
                     (SELECT principal, pool, capability, key FROM tasks WHERE id = ?1)",
            )?
            .execute(params![old.as_bytes(), new.as_bytes()])
            .map(drop)
    }
}
