//! What people ask about the event log.

use dormouse_contract::http_binding;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::read::{self, PAGE, time};
use crate::event::{EventFilter, EventRecord, EventType, Seq, StoredEvent};
use crate::task::TaskId;

const COLUMNS: &str = "seq, events.id, source, event_types.type, subject, received_at, hops, via, \
     cause, coalesce(length(data), 0), (SELECT count(*) FROM tasks WHERE event = seq)";

/// The most types that are listed.
const MOST_TYPES: usize = 1_000;

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

/// The types of which there are events, the one with the newest event first.
pub(crate) fn types(conn: &Connection) -> Result<Vec<EventType>> {
    let mut types: Vec<(String, Seq)> = conn
        .prepare_cached(
            "SELECT type, (SELECT max(seq) FROM events WHERE events.type = event_types.id) AS last
             FROM event_types WHERE last IS NOT NULL",
        )?
        .query_map([], |row| Ok((row.get(0)?, Seq::from_sql(row.get(1)?))))?
        .collect::<Result<_>>()?;
    types.sort_unstable_by_key(|(_, last)| std::cmp::Reverse(*last));
    types.truncate(MOST_TYPES);
    let mut at = conn.prepare_cached("SELECT received_at FROM events WHERE seq = ?1")?;
    types
        .into_iter()
        .map(|(ty, last)| {
            let last_at = at.query_row([last.to_sql()], |row| row.get(0).map(time))?;
            Ok(EventType { ty, last, last_at })
        })
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
