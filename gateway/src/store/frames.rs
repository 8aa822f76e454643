//! What a WebSocket session that can be resumed has to keep: frames that its client may not have,
//! and requests that are not answered.
//!
//! Each write names the epoch of the connection that makes it. Taking a session over begins a new
//! one, so that nothing is written any more by whoever had it before.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::sessions::{StoredSession, read_row};
use super::{Error, Store};

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The session.
    pub handle: String,
    /// Rises with each connection that takes the session over.
    pub epoch: i64,
}

/// A frame as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFrame {
    /// From 1, in the order in which the client gets them.
    pub number: u64,
    /// What it says.
    pub content: StoredContent,
}

/// What a stored frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoredContent {
    /// The answer of this task to the request of this JSON-RPC id (JSON text).
    Answer {
        /// The task, in text.
        task: String,
        /// The id.
        request: String,
    },
    /// A message.
    Text {
        /// The message.
        text: String,
        /// The JSON-RPC id of the request that it answers, if it is an answer.
        request: Option<String>,
    },
}

/// A request that is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFlight {
    /// Its JSON-RPC id (JSON text).
    pub request: String,
    /// The task that it becomes.
    pub task: Option<String>,
}

/// How far a client has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resumed {
    /// Who writes from now on.
    pub owner: Owner,
    /// The session as it was stored.
    pub session: StoredSession,
    /// The frames that are left, numbered on from those that the client has.
    pub frames: Vec<StoredFrame>,
    /// The requests that are left to be answered.
    pub flights: Vec<StoredFlight>,
    /// How many messages came from the client, as far as they had to be stored.
    pub received: u64,
}

impl Store {
    /// Stores that a request has come, before it is served.
    pub(crate) async fn begin_flight(
        &self,
        owner: Owner,
        flight: StoredFlight,
        received: u64,
    ) -> Result<(), Error> {
        self.write(move |conn| {
            check(conn, &owner, received)?;
            conn.prepare_cached(
                "INSERT OR REPLACE INTO flights (handle, request, task) VALUES (?1, ?2, ?3)",
            )?
            .execute((owner.handle, flight.request, flight.task))?;
            Ok(())
        })
        .await
    }

    /// Stores frames before they are sent; requests that they answer are answered.
    pub(crate) async fn add_frames(
        &self,
        owner: Owner,
        frames: Vec<StoredFrame>,
        received: u64,
    ) -> Result<(), Error> {
        self.write(move |conn| {
            check(conn, &owner, received)?;
            frames
                .into_iter()
                .try_for_each(|frame| add(conn, &owner.handle, frame))
        })
        .await
    }

    /// Forgets a request that will not be answered, soon.
    pub(crate) fn drop_flight(&self, owner: Owner, request: String) {
        self.write_soon(move |conn| {
            conn.prepare_cached("DELETE FROM flights WHERE handle = ?1 AND request = ?2")?
                .execute((owner.handle, request))?;
            Ok(())
        });
    }

    /// Forgets frames that the client has, up to this one, soon.
    pub(crate) fn acknowledge(&self, owner: Owner, number: u64) {
        self.write_soon(move |conn| match check(conn, &owner, 0) {
            Ok(()) => forget_until(conn, &owner.handle, number),
            // The new owner knows better.
            Err(Error::Fenced) => Ok(()),
            Err(error) => Err(error),
        });
    }

    /// Takes a session over for a client that has this many frames. What is left is numbered on
    /// from there: `left` are the numbers that remain in memory, in order; without it those that
    /// are stored. `None` when there is no such session, or more has been forgotten than the
    /// client has.
    pub(crate) async fn take_over(
        &self,
        handle: String,
        principal: String,
        has: u64,
        left: Option<Vec<u64>>,
    ) -> Result<Option<Resumed>, Error> {
        self.write(move |conn| take_over(conn, handle, &principal, has, left))
            .await
    }
}

fn add(conn: &Connection, handle: &str, frame: StoredFrame) -> Result<(), Error> {
    let (task, request, text) = match frame.content {
        StoredContent::Answer { task, request } => (Some(task), Some(request), None),
        StoredContent::Text { text, request } => (None, request, Some(text)),
    };
    if let Some(request) = &request {
        conn.prepare_cached("DELETE FROM flights WHERE handle = ?1 AND request = ?2")?
            .execute((handle, request))?;
    }
    conn.prepare_cached(
        "INSERT INTO frames (handle, number, task, request, text) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((handle, to_sql(frame.number), task, request, text))?;
    Ok(())
}

fn check(conn: &Connection, owner: &Owner, received: u64) -> Result<(), Error> {
    let changed = conn
        .prepare_cached(
            "UPDATE sessions SET received = max(received, ?3) WHERE handle = ?1 AND epoch = ?2",
        )?
        .execute((&owner.handle, owner.epoch, to_sql(received)))?;
    if changed == 1 {
        Ok(())
    } else {
        Err(Error::Fenced)
    }
}

fn forget_until(conn: &Connection, handle: &str, number: u64) -> Result<(), Error> {
    let number = to_sql(number);
    conn.prepare_cached("DELETE FROM frames WHERE handle = ?1 AND number <= ?2")?
        .execute((handle, number))?;
    conn.prepare_cached(
        "UPDATE sessions SET acknowledged = max(acknowledged, ?2) WHERE handle = ?1",
    )?
    .execute((handle, number))?;
    Ok(())
}

fn take_over(
    conn: &Connection,
    handle: String,
    principal: &str,
    has: u64,
    left: Option<Vec<u64>>,
) -> Result<Option<Resumed>, Error> {
    let found = conn
        .prepare_cached(
            "SELECT handle, principal, transport, revision, client, level, subscriptions, created,
                    used, tools, epoch, received, acknowledged
             FROM sessions WHERE handle = ?1 AND principal = ?2 AND transport = 'websocket'",
        )?
        .query_row((&handle, principal), |row| {
            let numbers = (row.get(10)?, row.get(11)?, row.get(12)?);
            Ok((read_row(row)?, numbers))
        })
        .optional()?;
    let Some((session, (epoch, received, acknowledged))) = found else {
        return Ok(None);
    };
    let (epoch, received, acknowledged): (i64, i64, i64) = (epoch, received, acknowledged);
    if to_sql(has) < acknowledged {
        return Ok(None);
    }
    let epoch = epoch + 1;
    conn.prepare_cached("UPDATE sessions SET epoch = ?2 WHERE handle = ?1")?
        .execute((&handle, epoch))?;
    forget_until(conn, &handle, has)?;
    let frames = renumber(conn, &handle, has, left)?;
    let flights = conn
        .prepare_cached("SELECT request, task FROM flights WHERE handle = ?1")?
        .query_map([&handle], |row| {
            Ok(StoredFlight {
                request: row.get(0)?,
                task: row.get(1)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Some(Resumed {
        owner: Owner { handle, epoch },
        session,
        frames,
        flights,
        received: from_sql(received),
    }))
}

/// Closes the gaps behind the frames that the client has. New numbers are never above the old
/// ones, so that none is taken twice on the way.
fn renumber(
    conn: &Connection,
    handle: &str,
    has: u64,
    left: Option<Vec<u64>>,
) -> Result<Vec<StoredFrame>, Error> {
    let mut frames: Vec<StoredFrame> = conn
        .prepare_cached(
            "SELECT number, task, request, text FROM frames WHERE handle = ?1 ORDER BY number",
        )?
        .query_map([handle], read_frame)?
        .collect::<Result<_, _>>()?;
    let left = left.unwrap_or_else(|| frames.iter().map(|frame| frame.number).collect());
    let mut update =
        conn.prepare_cached("UPDATE frames SET number = ?3 WHERE handle = ?1 AND number = ?2")?;
    for frame in &mut frames {
        let place = left.partition_point(|number| *number < frame.number);
        let number = has + 1 + place as u64;
        if number != frame.number {
            update.execute((handle, to_sql(frame.number), to_sql(number)))?;
            frame.number = number;
        }
    }
    Ok(frames)
}

fn read_frame(row: &Row<'_>) -> rusqlite::Result<StoredFrame> {
    let (task, request, text): (Option<String>, Option<String>, Option<String>) =
        (row.get(1)?, row.get(2)?, row.get(3)?);
    Ok(StoredFrame {
        number: from_sql(row.get(0)?),
        content: match (task, request) {
            (Some(task), Some(request)) => StoredContent::Answer { task, request },
            (_, request) => StoredContent::Text {
                text: text.unwrap_or_default(),
                request,
            },
        },
    })
}

fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests;
