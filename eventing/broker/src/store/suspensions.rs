//! The statements about asks, answers and steps: tables of their own, which a task that neither
//! asks nor steps never touches.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::Store;
use crate::object;
use crate::task::{Millis, Replay, TaskId};

/// One row of `suspensions`: two JSON objects.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) asks: Bytes,
    pub(crate) answers: Bytes,
}

impl Store {
    pub(crate) fn suspension(&self, task: TaskId) -> Result<Option<Kept>> {
        load(&self.conn, task)
    }

    /// Enters the open asks; answers of earlier rounds stay.
    pub(crate) fn put_asks(
        &self,
        task: TaskId,
        asks: &[u8],
        revision: Option<&str>,
        due: Millis,
    ) -> Result<()> {
        self.conn
            .prepare_cached(
                "INSERT INTO suspensions (task, asks, answers, revision, due)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (task) DO UPDATE SET asks = ?2, revision = ?4, due = ?5,
                     behind = NULL",
            )?
            .execute(params![task.as_bytes(), asks, object::EMPTY, revision, due])
            .map(drop)
    }

    /// Enters answers, and the asks that are open still.
    pub(crate) fn put_answers(&self, task: TaskId, asks: &[u8], answers: &[u8]) -> Result<()> {
        self.conn
            .prepare_cached("UPDATE suspensions SET asks = ?2, answers = ?3 WHERE task = ?1")?
            .execute(params![task.as_bytes(), asks, answers])
            .map(drop)
    }

    /// The task sleeps no more, so nothing expires.
    pub(crate) fn wake(&self, task: TaskId) -> Result<()> {
        self.conn
            .prepare_cached("UPDATE suspensions SET due = NULL WHERE task = ?1")?
            .execute([task.as_bytes()])
            .map(drop)
    }

    /// Lets a suspended task wait for its next round: the compare-and-set of an answer. `false`:
    /// the round is over.
    pub(crate) fn next_round(
        &self,
        task: TaskId,
        round: u32,
        history: &str,
        now: Millis,
    ) -> Result<bool> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE tasks SET state = 0, round = round + 1, attempt = 0, tokens = x'',
                     started_at = NULL, changed_at = ?4, due = ?4, history = history || ?3
                 WHERE id = ?1 AND state = 2 AND round = ?2",
            )?
            .execute(params![task.as_bytes(), round, history, now])?;
        Ok(changed == 1)
    }

    /// Suspended tasks that nobody answered in time.
    pub(crate) fn unanswered(&self, now: Millis) -> Result<Vec<TaskId>> {
        self.conn
            .prepare_cached(
                "SELECT task FROM suspensions INDEXED BY unanswered
                 WHERE due < ?1 ORDER BY due LIMIT 500",
            )?
            .query_map([now], |row| row.get(0).map(TaskId::from_bytes))?
            .collect()
    }

    /// When the next suspended task expires.
    pub(crate) fn next_expiry(&self) -> Result<Option<Millis>> {
        self.conn
            .prepare_cached(
                "SELECT min(due) FROM suspensions INDEXED BY unanswered WHERE due IS NOT NULL",
            )?
            .query_row([], |row| row.get(0))
    }

    /// The result of a step that was committed before.
    pub(crate) fn step(&self, task: TaskId, name: &str) -> Result<Option<Vec<u8>>> {
        self.conn
            .prepare_cached("SELECT result FROM steps WHERE task = ?1 AND name = ?2")?
            .query_row(params![task.as_bytes(), name], |row| row.get(0))
            .optional()
    }

    /// How many steps a task has committed, and their bytes.
    pub(crate) fn steps_held(&self, task: TaskId) -> Result<(i64, i64)> {
        self.conn
            .prepare_cached(
                "SELECT count(*), coalesce(sum(length(name) + length(result)), 0) FROM steps
                 WHERE task = ?1",
            )?
            .query_row([task.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    pub(crate) fn put_step(&self, task: TaskId, name: &str, result: &[u8]) -> Result<()> {
        self.conn
            .prepare_cached("INSERT INTO steps (task, name, result) VALUES (?1, ?2, ?3)")?
            .execute(params![task.as_bytes(), name, result])
            .map(drop)
    }

    /// What earlier rounds and attempts left; `None` when they left nothing.
    pub(crate) fn replay(&self, task: TaskId) -> Result<Option<Replay>> {
        let kept: Option<(Vec<u8>, Option<String>)> = self
            .conn
            .prepare_cached("SELECT answers, revision FROM suspensions WHERE task = ?1")?
            .query_row([task.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let steps = self.steps(task)?;
        if kept.is_none() && steps == object::EMPTY {
            return Ok(None);
        }
        let (answers, revision) = kept.unwrap_or_else(|| (object::EMPTY.to_vec(), None));
        Ok(Some(Replay {
            answers: answers.into(),
            steps,
            revision,
        }))
    }

    fn steps(&self, task: TaskId) -> Result<Bytes> {
        let steps: Vec<(String, Vec<u8>)> = self
            .conn
            .prepare_cached("SELECT name, result FROM steps WHERE task = ?1")?
            .query_map([task.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_>>()?;
        let texts: Vec<_> = steps
            .iter()
            .map(|(name, result)| (name.as_str(), String::from_utf8_lossy(result)))
            .collect();
        Ok(object::write(
            texts.iter().map(|(name, result)| (*name, &**result)),
        ))
    }
}

pub(super) fn load(conn: &Connection, task: TaskId) -> Result<Option<Kept>> {
    conn.prepare_cached("SELECT asks, answers FROM suspensions WHERE task = ?1")?
        .query_row([task.as_bytes()], |row| {
            Ok(Kept {
                asks: row.get::<_, Vec<u8>>(0)?.into(),
                answers: row.get::<_, Vec<u8>>(1)?.into(),
            })
        })
        .optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Update;
    use crate::task::State;

    fn count(store: &Store, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        store.conn.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn asks_and_steps_are_forgotten_with_their_task_and_not_before() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("schema.sql")).unwrap();
        conn.execute_batch(include_str!("suspensions.sql")).unwrap();
        conn.execute_batch(include_str!("events.sql")).unwrap();
        let store = Store::new(conn);
        let task = TaskId::new();
        store
            .conn
            .execute(
                "INSERT INTO tasks (id, state, pool, capability, principal, round, attempt, tokens,
                     accepted_at, changed_at, due, expires_at, policy, trace, history)
                 VALUES (?1, 2, 'p', 't', 'me', 1, 1, x'', 1, 1, 500, 1, 1, '', '')",
                [task.as_bytes()],
            )
            .unwrap();
        store.put_asks(task, b"{}", None, 500).unwrap();
        store.put_step(task, "s", b"1").unwrap();
        assert_eq!(store.next_expiry().unwrap(), Some(500));
        let start = TaskId::from_bytes([0; 16]);
        store.forget(start, 1_000, 1_000).unwrap();
        assert_eq!(
            (count(&store, "suspensions"), count(&store, "steps")),
            (1, 1)
        );

        let ended = Update {
            task,
            from: State::Suspended,
            to: State::Cancelled,
            due: 0,
            ending: None,
            fate: crate::store::Fate::None,
            history: "",
            now: 600,
        };
        assert!(store.update(&ended).unwrap());
        store.wake(task).unwrap();
        assert_eq!(store.next_expiry().unwrap(), None);
        store.forget(start, 1_000, 1_000).unwrap();
        for table in ["tasks", "suspensions", "steps"] {
            assert_eq!(count(&store, table), 0, "{table}");
        }
    }
}
