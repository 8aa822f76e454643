//! What people ask about tasks, on a connection of its own.

use rusqlite::{Connection, Result, params};

use super::row;
use crate::error::Error;
use crate::task::{Ending, HistoryEntry, Millis, State, TaskFilter, TaskId, TaskRecord};

/// The longest page of a list.
const PAGE: usize = 100;

const COLUMNS: &str = "id, state, pool, capability, principal, round, attempt, accepted_at, changed_at, trace, \
     ending, history";

/// A connection that only reads.
pub(crate) fn connect(path: &std::path::Path) -> std::result::Result<Connection, Error> {
    let conn = super::open::connect(path)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

pub(crate) fn list(conn: &Connection, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
    let limit = filter.limit.unwrap_or(PAGE).min(PAGE);
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM tasks
         WHERE id < coalesce(?1, x'ffffffffffffffffffffffffffffffff') AND (?2 IS NULL OR pool = ?2)
             AND (?3 IS NULL OR state = ?3) AND (NOT ?4 OR dead)
             AND (?5 IS NULL OR principal = ?5)
         ORDER BY id DESC LIMIT ?6"
    ))?
    .query_map(
        params![
            filter.before.as_ref().map(TaskId::as_bytes),
            filter.pool,
            filter.state.map(State::code),
            filter.dead,
            filter.principal,
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
        |row| record(row, false),
    )?
    .collect()
}

pub(crate) fn one(conn: &Connection, task: TaskId) -> Result<Option<TaskRecord>> {
    use rusqlite::OptionalExtension as _;
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM tasks WHERE id = ?1"))?
        .query_row([task.as_bytes()], |row| record(row, true))
        .optional()
}

pub(crate) fn ending(conn: &Connection, task: TaskId) -> Result<Option<Ending>> {
    Ok(row::load(conn, task)?.and_then(|row| row.ending()))
}

fn record(row: &rusqlite::Row<'_>, with_history: bool) -> Result<TaskRecord> {
    let state = row::state(row.get(1)?)?;
    let ending: Option<Vec<u8>> = row.get(10)?;
    let failure = match row::ending(state, ending.as_deref()) {
        Some(Ending::Failed(failed)) => Some(failed),
        Some(Ending::Completed(_) | Ending::Cancelled(_)) | None => None,
    };
    Ok(TaskRecord {
        id: TaskId::from_bytes(row.get(0)?),
        state,
        pool: row.get(2)?,
        capability: row.get(3)?,
        principal: row.get(4)?,
        round: row.get(5)?,
        attempt: row.get(6)?,
        accepted_at: time(row.get(7)?),
        changed_at: time(row.get(8)?),
        traceparent: row.get(9)?,
        failure,
        history: if with_history {
            history(&row.get::<_, String>(11)?)
        } else {
            Vec::new()
        },
    })
}

fn history(stored: &str) -> Vec<HistoryEntry> {
    stored
        .lines()
        .filter_map(|line| serde_json::from_str::<crate::history::Line<'_>>(line).ok())
        .map(|line| HistoryEntry {
            at: time(line.at),
            to: line.to,
            by: line.by.into_owned(),
            why: line.why.into_owned(),
        })
        .collect()
}

fn time(millis: Millis) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .unwrap_or_default()
        .to_string()
}
