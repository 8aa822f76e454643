//! The event log's rows, as the writer changes them.

use rusqlite::{OptionalExtension as _, Result, params};

use super::Store;
use crate::event::{Note, Seq, Way};
use crate::task::{Millis, TaskId};

/// An event as it is written.
pub(crate) struct LogRow<'a> {
    pub(crate) seq: Seq,
    pub(crate) ty: i64,
    pub(crate) source: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) id: &'a str,
    pub(crate) way: &'a Way,
    pub(crate) cause: Option<TaskId>,
    pub(crate) attributes: &'a [u8],
    pub(crate) data: Option<&'a [u8]>,
}

/// An event of the window: `source`, `id`, its place and its time.
pub(crate) type Recent = (String, String, Seq, Millis);

impl Store {
    pub(crate) fn log(&self, row: &LogRow<'_>, now: Millis) -> Result<()> {
        self.conn
            .prepare_cached(
                "INSERT INTO events (seq, type, source, subject, id, received_at, hops, via,
                     cause, attributes, data)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                row.seq.to_sql(),
                row.ty,
                row.source,
                row.subject,
                row.id,
                now,
                row.way.hops,
                row.way.via.as_deref(),
                row.cause.as_ref().map(TaskId::as_bytes),
                row.attributes,
                row.data,
            ])
            .map(drop)
    }

    /// The number of an event type, which is entered when it is new.
    pub(crate) fn event_type(&self, ty: &str) -> Result<i64> {
        let known = self
            .conn
            .prepare_cached("SELECT id FROM event_types WHERE type = ?1")?
            .query_row([ty], |row| row.get(0))
            .optional()?;
        if let Some(number) = known {
            return Ok(number);
        }
        self.conn
            .prepare_cached("INSERT INTO event_types (type) VALUES (?1) RETURNING id")?
            .query_row([ty], |row| row.get(0))
    }

    /// Whether the event at this place has this source and id.
    pub(crate) fn is_event(&self, seq: Seq, source: &str, id: &str) -> Result<bool> {
        self.conn
            .prepare_cached("SELECT 1 FROM events WHERE seq = ?1 AND source = ?2 AND id = ?3")?
            .exists(params![seq.to_sql(), source, id])
    }

    /// The place of the newest event; 0 before the first.
    pub(crate) fn log_end(&self) -> Result<Seq> {
        self.conn
            .query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| {
                row.get(0).map(Seq::from_sql)
            })
    }

    /// The newest events since `since`, at most `most` of them, oldest first.
    pub(crate) fn recent(&self, since: Millis, most: usize) -> Result<Vec<Recent>> {
        let first = self
            .log_end()?
            .0
            .saturating_sub(u64::try_from(most).unwrap_or(u64::MAX));
        self.conn
            .prepare(
                "SELECT source, id, seq, received_at FROM events
                 WHERE seq > ?1 AND received_at >= ?2 ORDER BY seq",
            )?
            .query_map(params![Seq(first).to_sql(), since], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    Seq::from_sql(row.get(2)?),
                    row.get(3)?,
                ))
            })?
            .collect()
    }

    /// Deletes old events that no task refers to, looking at no more than 1,000 after `cursor`.
    /// Returns where to go on; `None` when all old ones have been seen. The newest event stays.
    pub(crate) fn forget_events(&self, cursor: Seq, before: Millis) -> Result<Option<Seq>> {
        const PAGE: usize = 1_000;
        let page: Vec<(i64, Millis)> = self
            .conn
            .prepare_cached(
                "SELECT seq, received_at FROM events
                 WHERE seq > ?1 AND seq < (SELECT max(seq) FROM events) ORDER BY seq LIMIT 1000",
            )?
            .query_map([cursor.to_sql()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_>>()?;
        let mut last = None;
        for &(seq, received_at) in &page {
            if received_at >= before {
                return Ok(None);
            }
            self.conn
                .prepare_cached(
                    "DELETE FROM events WHERE seq = ?1
                         AND NOT EXISTS (SELECT 1 FROM tasks WHERE event = ?1)",
                )?
                .execute([seq])?;
            last = Some(Seq::from_sql(seq));
        }
        Ok(last.filter(|_| page.len() == PAGE))
    }

    /// Deletes the names of types that no event has any more, looking at no more than 1,000 after
    /// `cursor`: a producer may send each of its events under another one. Returns how many, and
    /// where to go on; `None` when all have been seen.
    pub(crate) fn forget_event_types(&self, cursor: i64) -> Result<(usize, Option<i64>)> {
        let last: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT max(id) FROM
                     (SELECT id FROM event_types WHERE id > ?1 ORDER BY id LIMIT 1000)",
            )?
            .query_row([cursor], |row| row.get(0))?;
        let Some(last) = last else {
            return Ok((0, None));
        };
        let forgotten = self
            .conn
            .prepare_cached(
                "DELETE FROM event_types WHERE id > ?1 AND id <= ?2
                     AND NOT EXISTS (SELECT 1 FROM events WHERE events.type = event_types.id)",
            )?
            .execute([cursor, last])?;
        Ok((forgotten, Some(last)))
    }

    pub(crate) fn put_note(&self, note: &Note) -> Result<()> {
        match &note.value {
            Some(value) => self
                .conn
                .prepare_cached(
                    "INSERT OR REPLACE INTO notes (kind, name, value) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![note.kind, note.name, &value[..]]),
            None => self
                .conn
                .prepare_cached("DELETE FROM notes WHERE kind = ?1 AND name = ?2")?
                .execute(params![note.kind, note.name]),
        }
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn old_events_are_forgotten_when_no_task_refers_to_them() {
        let dir = tempfile::tempdir().unwrap();
        let (conn, _lock, _) = crate::store::open(&Config::new(dir.path())).unwrap();
        let store = Store::new(conn);
        for seq in 1..=5 {
            let ty = store
                .event_type(if seq == 2 { "rare" } else { "often" })
                .unwrap();
            let row = LogRow {
                seq: Seq(seq),
                ty,
                source: "/s",
                subject: None,
                id: "1",
                way: &Way::default(),
                cause: None,
                attributes: b"{}",
                data: None,
            };
            store.log(&row, 100).unwrap();
        }
        store
            .conn
            .execute_batch(
                "INSERT INTO tasks (id, state, pool, capability, principal, round, attempt, tokens,
                     accepted_at, changed_at, due, expires_at, policy, trace, history, event)
                 VALUES (x'00', 3, 'p', 'c', 'me', 1, 1, x'', 0, 0, 0, 0, 1, '', '', 3)",
            )
            .unwrap();
        let left = |store: &Store| -> Vec<i64> {
            let mut query = store
                .conn
                .prepare("SELECT seq FROM events ORDER BY seq")
                .unwrap();
            query
                .query_map([], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect()
        };
        assert_eq!(store.forget_events(Seq::default(), 100).unwrap(), None);
        assert_eq!(left(&store), [1, 2, 3, 4, 5]);
        assert_eq!(store.forget_events(Seq::default(), 101).unwrap(), None);
        assert_eq!(
            left(&store),
            [3, 5],
            "the newest stays, so that places only rise"
        );
        assert_eq!(store.log_end().unwrap(), Seq(5));
        assert_eq!(store.forget_event_types(0).unwrap(), (1, Some(2)));
        assert_eq!(store.forget_event_types(2).unwrap(), (0, None));
    }

    #[test]
    fn types_are_forgotten_some_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let (conn, _lock, _) = crate::store::open(&Config::new(dir.path())).unwrap();
        let store = Store::new(conn);
        for ty in 0..2_500 {
            store.event_type(&ty.to_string()).unwrap();
        }
        let (mut cursor, mut forgotten) = (0, Vec::new());
        while let (count, Some(next)) = store.forget_event_types(cursor).unwrap() {
            (cursor, _) = (next, forgotten.push(count));
        }
        assert_eq!(forgotten, [1_000, 1_000, 500]);
    }
}
