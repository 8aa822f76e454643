//! The statements about tasks that wait for events.

use bytes::Bytes;
use rusqlite::{OptionalExtension as _, Result, params};

use super::Store;
use crate::event::Seq;
use crate::task::{Millis, TaskId};

/// What stands in the method of every ask for an event, however its slash is written.
const MARK: &[u8] = b"dev.dormouse";

/// A suspended task that may wait for events.
#[derive(Debug)]
pub(crate) struct Sleeping {
    pub(crate) task: TaskId,
    /// Its open asks.
    pub(crate) asks: Vec<u8>,
    /// The log's end when it was accepted.
    pub(crate) seen: Seq,
    /// When it was suspended.
    pub(crate) since: Millis,
    /// How far it has looked at the log, where there is more to look at.
    pub(crate) behind: Option<Seq>,
}

impl Store {
    /// The suspended tasks that may wait for events.
    pub(crate) fn awaiting(&self) -> Result<Vec<Sleeping>> {
        self.conn
            .prepare(
                "SELECT task, asks, seen, changed_at, behind
                 FROM suspensions CROSS JOIN tasks ON tasks.id = task
                 WHERE suspensions.due IS NOT NULL AND instr(asks, ?1) > 0 AND state = 2",
            )?
            .query_map([MARK], |row| {
                Ok(Sleeping {
                    task: TaskId::from_bytes(row.get(0)?),
                    asks: row.get(1)?,
                    seen: Seq::from_sql(row.get(2)?),
                    since: row.get(3)?,
                    behind: row.get::<_, Option<i64>>(4)?.map(Seq::from_sql),
                })
            })?
            .collect()
    }

    /// Notes how far a suspended task has looked at the log; `None`: to its end.
    pub(crate) fn put_behind(&self, task: TaskId, behind: Option<Seq>) -> Result<()> {
        self.conn
            .prepare_cached(
                "UPDATE suspensions SET behind = ?2 WHERE task = ?1 AND behind IS NOT ?2",
            )?
            .execute(params![task.as_bytes(), behind.map(Seq::to_sql)])
            .map(drop)
    }

    /// The events after a place in the log, of this type or of any, oldest first: at most `most`.
    /// Each with its attributes.
    pub(crate) fn log_after(
        &self,
        after: Seq,
        ty: Option<&str>,
        most: usize,
    ) -> Result<Vec<(Seq, Vec<u8>)>> {
        let of_type = match ty {
            Some(_) => "type = (SELECT id FROM event_types WHERE type = ?1)",
            None => "?1 IS NULL",
        };
        self.conn
            .prepare_cached(&format!(
                "SELECT seq, attributes FROM events WHERE {of_type} AND seq > ?2
                 ORDER BY seq LIMIT ?3"
            ))?
            .query_map(
                params![ty, after.to_sql(), i64::try_from(most).unwrap_or(i64::MAX)],
                |row| Ok((Seq::from_sql(row.get(0)?), row.get(1)?)),
            )?
            .collect()
    }

    /// An event of the log: its attributes and its data.
    pub(crate) fn logged(&self, seq: Seq) -> Result<Option<(Vec<u8>, Option<Bytes>)>> {
        self.conn
            .prepare_cached("SELECT attributes, data FROM events WHERE seq = ?1")?
            .query_row([seq.to_sql()], |row| {
                let data: Option<Vec<u8>> = row.get(1)?;
                Ok((row.get(0)?, data.map(Bytes::from)))
            })
            .optional()
    }
}
