//! What people ask about tasks, on a connection of its own.

use dormouse_contract::suspension::Ask;
use rusqlite::{Connection, OptionalExtension as _, Result, params};
use serde::Deserialize;

use super::{Fate, row, suspensions};
use crate::attempt::attempts;
use crate::error::Error;
use crate::event::Seq;
use crate::object;
use crate::record::{HistoryEntry, OpenAsk, TaskFilter, TaskRecord};
use crate::task::{Ending, Millis, Standing, State, TaskId};

/// The longest page of a list.
pub(super) const PAGE: usize = 100;

const COLUMNS: &str = "id, state, pool, capability, principal, round, attempt, accepted_at, changed_at, trace, \
     ending, history, event, via_trigger, redrive_of, redriven_as, dead";

/// Which tasks a [`TaskFilter`] takes; its parameters are those of [`filtered`].
const TAKEN: &str = "id < coalesce(?1, x'ffffffffffffffffffffffffffffffff')
    AND (?2 IS NULL OR pool = ?2) AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR principal = ?4)
    AND (?5 IS NULL OR capability = ?5) AND id >= coalesce(?8, x'')";

/// Which tasks come first.
#[derive(Clone, Copy)]
enum First {
    Newest,
    Oldest,
}

/// A connection that only reads.
pub(crate) fn connect(path: &std::path::Path) -> std::result::Result<Connection, Error> {
    let conn = super::open::connect(path)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

pub(crate) fn list(conn: &Connection, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
    let limit = filter.limit.unwrap_or(PAGE).min(PAGE);
    let first = First::Newest;
    filtered(conn, COLUMNS, filter, (first, limit), |row| {
        record(row, false)
    })
}

/// The ids of the tasks that a filter takes, the oldest first.
pub(super) fn oldest(conn: &Connection, filter: &TaskFilter) -> Result<Vec<TaskId>> {
    let limit = filter.limit.unwrap_or(PAGE);
    filtered(conn, "id", filter, (First::Oldest, limit), |row| {
        row.get(0).map(TaskId::from_bytes)
    })
}

/// How many tasks a filter takes.
pub(crate) fn count(conn: &Connection, filter: &TaskFilter) -> Result<u64> {
    let counted = filtered(conn, "count(*)", filter, (First::Oldest, 1), |row| {
        row.get::<_, i64>(0)
    })?;
    Ok(counted.first().map_or(0, |count| count.unsigned_abs()))
}

fn filtered<T>(
    conn: &Connection,
    columns: &str,
    filter: &TaskFilter,
    (first, limit): (First, usize),
    read: impl FnMut(&rusqlite::Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    // Said in words that SQLite finds the indexes by.
    let dead = if filter.dead { "AND dead = 1" } else { "" };
    let event = match filter.event {
        Some(_) => "event = ?6",
        None => "?6 IS NULL",
    };
    let principal = match &filter.source {
        Some(source) => Some(format!("event/{source}")),
        None => filter.principal.clone(),
    };
    let direction = match first {
        First::Newest => "DESC",
        First::Oldest => "ASC",
    };
    conn.prepare_cached(&format!(
        "SELECT {columns} FROM tasks WHERE {TAKEN} AND {event} {dead} ORDER BY id {direction} LIMIT ?7"
    ))?
    .query_map(
        params![
            filter.before.as_ref().map(TaskId::as_bytes),
            filter.pool,
            filter.state.map(State::code),
            principal,
            filter.capability,
            filter.event.map(Seq::to_sql),
            i64::try_from(limit).unwrap_or(i64::MAX),
            filter.since.as_ref().map(TaskId::as_bytes),
        ],
        read,
    )?
    .collect()
}

/// The tasks that an event became, with their histories, oldest first.
pub(super) fn of_event(conn: &Connection, seq: Seq) -> Result<Vec<TaskRecord>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM tasks WHERE event = ?1 ORDER BY id LIMIT 1000"
    ))?
    .query_map([seq.to_sql()], |row| record(row, true))?
    .collect()
}

pub(crate) fn one(conn: &Connection, task: TaskId) -> Result<Option<TaskRecord>> {
    let snapshot = conn.unchecked_transaction()?;
    let record = snapshot
        .prepare_cached(&format!("SELECT {COLUMNS} FROM tasks WHERE id = ?1"))?
        .query_row([task.as_bytes()], |row| record(row, true))
        .optional()?;
    let Some(mut record) = record else {
        return Ok(None);
    };
    if record.state == State::Suspended
        && let Some(kept) = suspensions::load(&snapshot, task)?
    {
        record.asks = open_asks(&kept.asks);
    }
    Ok(Some(record))
}

/// The asks as people read them.
fn open_asks(asks: &[u8]) -> Vec<OpenAsk> {
    #[derive(Deserialize)]
    struct Params {
        message: Option<String>,
    }

    object::members(asks)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, ask)| {
            let ask: Ask<'_> = serde_json::from_str(ask.get()).ok()?;
            let params = ask.params.map(|params| serde_json::from_str(params.get()));
            Some(OpenAsk {
                name,
                method: ask.method.into_owned(),
                message: params
                    .and_then(Result::<Params, serde_json::Error>::ok)
                    .and_then(|params| params.message),
            })
        })
        .collect()
}

pub(crate) fn standing(conn: &Connection, task: TaskId) -> Result<Option<Standing>> {
    let snapshot = conn.unchecked_transaction()?;
    let Some(row) = row::load(&snapshot, task)? else {
        return Ok(None);
    };
    let (reply_to, changed_at): (Option<Vec<u8>>, Millis) = snapshot
        .prepare_cached("SELECT reply_to, changed_at FROM tasks WHERE id = ?1")?
        .query_row([task.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let asks = match row.state {
        State::Suspended => suspensions::load(&snapshot, task)?.map(|kept| kept.asks),
        State::Accepted | State::Running | State::Completed | State::Failed | State::Cancelled => {
            None
        }
    };
    let ending = row.ending();
    Ok(Some(Standing {
        principal: row.principal,
        pool: row.pool,
        capability: row.capability,
        state: row.state,
        round: row.round,
        asks,
        ending,
        reply_to: reply_to.map(Into::into),
        accepted_at: row.accepted_at,
        changed_at,
        work: row.work,
    }))
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
    let history = if with_history {
        history(&row.get::<_, String>(11)?)
    } else {
        Vec::new()
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
        asks: Vec::new(),
        event: row.get::<_, Option<i64>>(12)?.map(Seq::from_sql),
        trigger: row.get(13)?,
        redrive_of: row.get::<_, Option<[u8; 16]>>(14)?.map(TaskId::from_bytes),
        redriven_as: row.get::<_, Option<[u8; 16]>>(15)?.map(TaskId::from_bytes),
        dead_letter: Fate::dead_letter(row.get(16)?),
        failure,
        attempts: attempts(&history),
        history,
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
            outcome: line.outcome,
        })
        .collect()
}

/// Always with milliseconds, so that times sort as texts.
pub(super) fn time(millis: Millis) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("{time:.3}")
}
