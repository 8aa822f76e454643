//! A task's row as types.

use std::sync::Arc;

use bytes::Bytes;
use dormouse_contract::policy::Delivery;
use dormouse_contract::task::Failed;
use dormouse_contract::trace::TraceParent;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Result};

use crate::event::{Seq, Way};
use crate::lane::{Order, Turn, Waiting};
use crate::task::{AttemptToken, Ending, Millis, State, TaskId, Work};

/// One row of `tasks`, with its payload.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: TaskId,
    pub(crate) state: State,
    pub(crate) pool: Arc<str>,
    pub(crate) capability: Arc<str>,
    pub(crate) principal: Arc<str>,
    pub(crate) round: u32,
    pub(crate) attempt: u32,
    pub(crate) tokens: Vec<AttemptToken>,
    pub(crate) accepted_at: Millis,
    /// When the round's first attempt began, and later by as long as it waited for a slot since.
    pub(crate) started_at: Option<Millis>,
    /// See `tasks.due`.
    pub(crate) due: Millis,
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) trace: TraceParent,
    pub(crate) affinity: Option<Arc<str>>,
    pub(crate) key: Option<String>,
    pub(crate) work: Work,
    /// The event of the log that it handles.
    pub(crate) event: Option<Seq>,
    pub(crate) trigger: Option<String>,
    pub(crate) order: Option<Order>,
    pub(crate) seen: Seq,
    pub(crate) redrive_of: Option<TaskId>,
    /// Its event has other attributes than the log's.
    pub(crate) has_own_attributes: bool,
    ending: Option<Vec<u8>>,
}

/// One row of `keys`.
#[derive(Debug)]
pub(crate) struct KeyRow {
    pub(crate) task: TaskId,
    pub(crate) arguments: [u8; 32],
    pub(crate) at: Millis,
}

impl Row {
    /// The task as it stands in a queue.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting {
            task: self.id,
            turn: Turn {
                principal: Arc::clone(&self.principal),
                is_event: matches!(self.work, Work::Event { .. }),
            },
            order: self.order,
        }
    }

    /// How the task ended, if it has.
    pub(crate) fn ending(&self) -> Option<Ending> {
        ending(self.state, self.ending.as_deref())
    }
}

/// Reads `tasks.ending`, whose form depends on the state.
pub(crate) fn ending(state: State, stored: Option<&[u8]>) -> Option<Ending> {
    let stored = stored.unwrap_or_default();
    match state {
        State::Accepted | State::Running | State::Suspended => None,
        State::Completed => Some(Ending::Completed(Bytes::copy_from_slice(stored))),
        State::Failed => Some(Ending::Failed(failure(stored))),
        State::Cancelled => Some(Ending::Cancelled(
            String::from_utf8_lossy(stored).into_owned(),
        )),
    }
}

fn failure(stored: &[u8]) -> Failed {
    serde_json::from_slice(stored).unwrap_or_else(|error| Failed {
        error: dormouse_contract::task::TaskError {
            code: -32603,
            message: format!("the stored failure is unreadable: {error}"),
            data: None,
        },
        outcome: dormouse_contract::task::Outcome::Unknown,
    })
}

pub(crate) fn load(conn: &Connection, task: TaskId) -> Result<Option<Row>> {
    conn.prepare_cached(
        "SELECT state, pool, capability, principal, round, attempt, tokens, accepted_at,
             started_at, (SELECT policies.policy FROM policies WHERE policies.id = tasks.policy),
             trace, affinity, key, coalesce(tasks.attributes, events.attributes),
             coalesce(request, events.data, (SELECT data FROM payloads WHERE task = tasks.id)),
             ending, event, via_trigger, ordering, redrive_of,
             event IS NOT NULL AND tasks.attributes IS NOT NULL, events.hops, events.via, seen,
             due
         FROM tasks LEFT JOIN events ON events.seq = tasks.event WHERE tasks.id = ?1",
    )?
    .query_row([task.as_bytes()], |row| {
        let tokens: Vec<u8> = row.get(6)?;
        let attributes: Option<Vec<u8>> = row.get(13)?;
        let request = Bytes::from(row.get::<_, Option<Vec<u8>>>(14)?.unwrap_or_default());
        Ok(Row {
            id: task,
            state: state(row.get(0)?)?,
            pool: row.get::<_, String>(1)?.into(),
            capability: row.get::<_, String>(2)?.into(),
            principal: row.get::<_, String>(3)?.into(),
            round: row.get(4)?,
            attempt: row.get(5)?,
            tokens: tokens
                .as_chunks()
                .0
                .iter()
                .copied()
                .map(AttemptToken::from_bytes)
                .collect(),
            accepted_at: row.get(7)?,
            started_at: row.get(8)?,
            due: row.get(24)?,
            delivery: parsed(9, &row.get::<_, String>(9)?, |text| {
                serde_json::from_str(text).map(Arc::new)
            })?,
            trace: parsed(10, &row.get::<_, String>(10)?, str::parse)?,
            affinity: row.get::<_, Option<String>>(11)?.map(Into::into),
            key: row.get(12)?,
            work: match attributes {
                None => Work::Call(request),
                Some(attributes) => Work::Event {
                    attributes: attributes.into(),
                    data: request,
                    way: Way {
                        hops: row.get::<_, Option<u32>>(21)?.unwrap_or_default(),
                        via: row.get::<_, Option<String>>(22)?.map(Into::into),
                    },
                },
            },
            event: row.get::<_, Option<i64>>(16)?.map(Seq::from_sql),
            trigger: row.get(17)?,
            order: row.get::<_, Option<i64>>(18)?.map(Order),
            seen: Seq::from_sql(row.get(23)?),
            redrive_of: row.get::<_, Option<[u8; 16]>>(19)?.map(TaskId::from_bytes),
            has_own_attributes: row.get(20)?,
            ending: row.get(15)?,
        })
    })
    .optional()
}

/// Whether what was read makes no sense, while the store itself works.
pub(crate) fn is_unreadable(error: &Error) -> bool {
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
    )
}

pub(crate) fn state(code: i64) -> Result<State> {
    State::from_code(code).ok_or(Error::IntegralValueOutOfRange(0, code))
}

fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    column: usize,
    text: &str,
    parse: impl Fn(&str) -> std::result::Result<T, E>,
) -> Result<T> {
    parse(text)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}
