//! What people ask about the event log.

use dormouse_contract::http_binding;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::read::{self, PAGE, time};
use crate::event::{EventFilter, EventRecord, EventType, Seq, StoredEvent};
use crate::task::TaskId;

const COLUMNS: &str = "seq, events.id, source, event_types.type, subject, received_at, hops, via, \
     cause, coalesce(length(data), 0), (SELECT count(*) FROM tasks WHERE event = seq)";

/// The most types that are listed.
const MOST_TYPES: i64 = 1_000;

/// So many of the oldest types, and those of so many of the newest events, are looked at for it.
const LOOKED_AT: i64 = 10_000;

pub(crate) fn list(conn: &Connection, filter: &EventFilter) -> Result<Vec<EventRecord>> {
    let limit = filter.limit.unwrap_or(PAGE).min(PAGE);
    // With a type the index of types leads to the newest ones; without, the log itself.
    let of_type = match filter.ty {
        Some(_) => "events.type = (SELECT id FROM event_types WHERE type = ?1)",
        None => "?1 IS NULL",
    };
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM events CROSS JOIN event_types ON event_types.id = events.type
         WHERE {of_type} AND (?2 IS NULL OR source = ?2)
             AND (?3 IS NULL OR subject = ?3) AND (?4 IS NULL OR events.id = ?4)
             AND seq > ?5 AND seq < ?6
         ORDER BY seq DESC LIMIT ?7"
    ))?
    .query_map(
        params![
            filter.ty,
            filter.source,
            filter.subject,
            filter.id,
            filter.after.unwrap_or_default().to_sql(),
            filter.before.map_or(i64::MAX, Seq::to_sql),
            i64::try_from(limit).unwrap_or(i64::MAX),
        ],
        record,
    )?
    .collect()
}

pub(crate) fn one(conn: &Connection, seq: Seq) -> Result<Option<StoredEvent>> {
    let snapshot = conn.unchecked_transaction()?;
    let found = snapshot
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, attributes, data
             FROM events CROSS JOIN event_types ON event_types.id = events.type WHERE seq = ?1"
        ))?
        .query_row([seq.to_sql()], |row| {
            Ok((record(row)?, row.get(11)?, row.get(12)?))
        })
        .optional()?;
    let Some((record, attributes, data)) = found else {
        return Ok(None);
    };
    let event = event(11, attributes, data)?;
    let tasks = read::of_event(&snapshot, seq)?;
    Ok(Some(StoredEvent {
        record,
        event,
        tasks,
    }))
}

/// An event of its stored parts; `column` is for the error.
fn event(
    column: usize,
    attributes: Vec<u8>,
    data: Option<Vec<u8>>,
) -> Result<dormouse_contract::Event> {
    let mut event = http_binding::read_structured(&attributes).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Blob,
            Box::new(error),
        )
    })?;
    event.data = data.map(Into::into);
    Ok(event)
}

/// The types of which there are events, the one with the newest event first. Where there are more
/// than [`LOOKED_AT`], some may be missing whose last event is older than the newest so many.
pub(crate) fn types(conn: &Connection) -> Result<Vec<EventType>> {
    conn.prepare_cached(
        "SELECT name, seq, received_at FROM (
             SELECT event_types.type AS name,
                 (SELECT max(seq) FROM events WHERE events.type = event_types.id) AS last
             FROM event_types WHERE id IN (
                 SELECT id FROM (SELECT id FROM event_types ORDER BY id LIMIT ?1)
                 UNION
                 SELECT type FROM events WHERE seq > (SELECT max(seq) FROM events) - ?1))
         CROSS JOIN events ON events.seq = last
         ORDER BY last DESC LIMIT ?2",
    )?
    .query_map([LOOKED_AT, MOST_TYPES], |row| {
        Ok(EventType {
            ty: row.get(0)?,
            last: Seq::from_sql(row.get(1)?),
            last_at: time(row.get(2)?),
        })
    })?
    .collect()
}

/// The notes of a kind, by name.
pub(crate) fn notes(conn: &Connection, kind: &str) -> Result<Vec<(String, bytes::Bytes)>> {
    conn.prepare_cached("SELECT name, value FROM notes WHERE kind = ?1 ORDER BY name")?
        .query_map([kind], |row| {
            Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?.into()))
        })?
        .collect()
}

fn record(row: &Row<'_>) -> Result<EventRecord> {
    Ok(EventRecord {
        seq: Seq::from_sql(row.get(0)?),
        id: row.get(1)?,
        source: row.get(2)?,
        ty: row.get(3)?,
        subject: row.get(4)?,
        received_at: time(row.get(5)?),
        hops: row.get(6)?,
        via: row.get(7)?,
        cause: row.get::<_, Option<[u8; 16]>>(8)?.map(TaskId::from_bytes),
        size: u64::try_from(row.get::<_, i64>(9)?).unwrap_or_default(),
        tasks: u64::try_from(row.get::<_, i64>(10)?).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::event::Way;
    use crate::store::{LogRow, Store};

    #[test]
    fn a_type_for_each_event_hides_none_that_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let (conn, _lock, path) = crate::store::open(&Config::new(dir.path())).unwrap();
        let store = Store::new(conn);
        store.begin().unwrap();
        let total = LOOKED_AT.unsigned_abs() + 5_000;
        let log = |seq: u64, ty: &str| {
            let row = LogRow {
                seq: Seq(seq),
                ty: store.event_type(ty).unwrap(),
                source: "/s",
                subject: None,
                id: "1",
                way: &Way::default(),
                cause: None,
                attributes: b"{}",
                data: None,
            };
            store.log(&row, 100).unwrap();
        };
        for seq in 1..=total {
            log(seq, &format!("noise {seq}"));
        }
        log(total + 1, "late");
        for seq in total + 2..total + 500 {
            log(seq, "noise 1");
        }
        store.commit().unwrap();
        let conn = read::connect(&path).unwrap();
        let types = types(&conn).unwrap();
        let newest: Vec<_> = types.iter().take(3).map(|it| &*it.ty).collect();
        assert_eq!(newest, ["noise 1", "late", &format!("noise {total}")]);
        assert_eq!(i64::try_from(types.len()), Ok(MOST_TYPES));
    }
}
