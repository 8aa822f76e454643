//! Claims: a waiting row becomes a running one, and back when the claim reached nobody.

use rusqlite::{OptionalExtension as _, Result, params};

use super::Store;
use crate::history::without_last;
use crate::ledger::Stood;
use crate::task::{AttemptToken, Millis, TaskId};

/// What a claim makes of a row.
pub(crate) struct Taken<'a> {
    pub(crate) token: AttemptToken,
    pub(crate) deadline: Millis,
    pub(crate) started_at: Millis,
    /// The line that tells of it.
    pub(crate) history: &'a str,
    pub(crate) now: Millis,
}

impl Store {
    /// Takes a waiting task: the compare-and-set of a claim. `false`: it waits no more.
    pub(crate) fn claim(&self, task: TaskId, taken: &Taken<'_>) -> Result<bool> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE tasks SET state = 1, attempt = attempt + 1,
                     tokens = CAST(tokens || ?2 AS BLOB), started_at = ?6, changed_at = ?5,
                     due = ?3, history = history || ?4
                 WHERE id = ?1 AND state = 0",
            )?
            .execute(params![
                task.as_bytes(),
                &taken.token.to_bytes()[..],
                taken.deadline,
                taken.history,
                taken.now,
                taken.started_at,
            ])?;
        Ok(changed == 1)
    }

    /// Takes the last claim of a task back, with its line of the history: it waits as it stood.
    /// `false`: it does not run.
    pub(crate) fn unclaim(&self, task: TaskId, stood: Stood, now: Millis) -> Result<bool> {
        let history: Option<String> = self
            .conn
            .prepare_cached("SELECT history FROM tasks WHERE id = ?1 AND state = 1")?
            .query_row([task.as_bytes()], |row| row.get(0))
            .optional()?;
        let Some(history) = history else {
            return Ok(false);
        };
        self.conn
            .prepare_cached(
                "UPDATE tasks SET state = 0, attempt = attempt - 1,
                     tokens = substr(tokens, 1, length(tokens) - 16), started_at = ?2,
                     changed_at = ?3, due = ?4, history = ?5
                 WHERE id = ?1",
            )?
            .execute(params![
                task.as_bytes(),
                stood.started_at,
                now,
                stood.due,
                without_last(&history),
            ])?;
        Ok(true)
    }
}
