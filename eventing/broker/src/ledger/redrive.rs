//! Dead letters: sent on to a sink, redriven as new tasks, discarded.
//!
//! An ended task never runs again. A redrive is a new task with the same work, what the old one had
//! asked and stepped, and its idempotency key; both name each other.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use dormouse_contract::event::ExtensionValue;
use dormouse_contract::http_binding;
use dormouse_contract::policy::{DeadLetterSink, Delivery};
use dormouse_contract::task::Failed;
use rusqlite::Result;

use super::{Ledger, Origin};
use crate::error::Refusal;
use crate::history::{Actor, append};
use crate::record::TaskFilter;
use crate::store::{Fate, Row};
use crate::task::{Millis, NewTask, State, TaskId, Work};

/// The pool that posts dead letters to addresses outside; its capabilities are their URLs.
pub const SINKS: &str = ".sinks";

/// The trigger that a task in a dead letter sink came by.
const SINK_TRIGGER: &str = "deadLetterSink";

/// Of what the destination of an event said, so many bytes stay with its failure: Knative's data plane
/// contract cuts `knativeerrordata` there.
pub const MOST_SAID: usize = 1_024;

/// Which dead letters.
#[derive(Debug, Clone)]
pub enum Selection {
    /// This one.
    One(TaskId),
    /// Those that match, the oldest first; `dead` is implied. At most 1,000 at a time.
    Matching(TaskFilter),
}

impl Ledger {
    /// Sends a failed event on to its dead letter sink. Returns where it went, in words.
    pub(super) fn forward(
        &mut self,
        row: &Row,
        sink: &DeadLetterSink,
        failure: &Failed,
        now: Millis,
    ) -> Result<Option<String>> {
        let Work::Event {
            attributes,
            data,
            way,
        } = &row.work
        else {
            return Ok(None);
        };
        let Some(attributes) = with_error(attributes, &row.pool, failure) else {
            return Ok(None);
        };
        let (pool, capability) = match sink {
            DeadLetterSink::Ref(pool) => (pool.name.as_str().into(), Arc::clone(&row.capability)),
            DeadLetterSink::Uri(uri) => (SINKS.into(), uri.as_str().into()),
        };
        let id = self.ids.next(now);
        let words = format!(
            "sent on to `{}` as task {id}",
            match sink {
                DeadLetterSink::Ref(pool) => &pool.name,
                DeadLetterSink::Uri(uri) => uri,
            }
        );
        let delivery = Delivery {
            dead_letter_sink: None,
            ..Delivery::clone(&row.delivery)
        };
        let task = NewTask {
            id,
            pool,
            capability,
            work: Work::Event {
                attributes,
                data: data.clone(),
                way: way.clone(),
            },
            principal: Arc::clone(&row.principal),
            reply_to: None,
            affinity: None,
            trace: row.trace.child(),
            idempotency: None,
            delivery: Arc::new(delivery),
        };
        let origin = Origin {
            event: row.event,
            trigger: Some(SINK_TRIGGER.into()),
            has_own_attributes: true,
            ..self.origin()
        };
        self.insert(task, &origin, now)?;
        Ok(Some(words))
    }

    /// Runs dead letters again, each as a new task. Stops at the first that is refused.
    pub(crate) fn redrive(
        &mut self,
        selection: &Selection,
        now: Millis,
    ) -> Result<std::result::Result<Vec<(TaskId, TaskId)>, Refusal>> {
        let mut redriven = Vec::new();
        for task in self.selected(selection)? {
            let Some(row) = self.row(task)? else {
                continue;
            };
            if let Err(refusal) = self.admit_again(&row, now) {
                return Ok(match redriven.is_empty() {
                    true => Err(refusal),
                    false => Ok(redriven),
                });
            }
            if let Some(new) = self.run_again(row, now)? {
                redriven.push((task, new));
            }
        }
        Ok(Ok(redriven))
    }

    fn admit_again(&mut self, row: &Row, now: Millis) -> std::result::Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        self.admit_to_disk(now)?;
        match row.work {
            Work::Call(_) => self.admit(&row.pool, 1, now),
            Work::Event { .. } => Ok(()),
        }
    }

    fn run_again(&mut self, row: Row, now: Millis) -> Result<Option<TaskId>> {
        let (old, new) = (row.id, self.ids.next(now));
        let mut history = String::new();
        let why = format!("redriven as task {new}");
        append(&mut history, now, State::Failed, Actor::Operator, &why);
        let fate = Fate::Redriven;
        if !self.store.set_fate(old, fate, Some(new), &history)? {
            return Ok(None);
        }
        let origin = Origin {
            event: row.event,
            trigger: row.trigger.map(Into::into),
            order: row.order,
            redrive_of: Some(old),
            has_own_attributes: row.has_own_attributes,
            key: row.key.clone(),
            ..self.origin()
        };
        let task = NewTask {
            id: new,
            pool: row.pool,
            capability: row.capability,
            work: row.work,
            principal: row.principal,
            reply_to: None,
            affinity: row.affinity,
            trace: row.trace.child(),
            idempotency: None,
            delivery: row.delivery,
        };
        self.store.copy_replay(old, new)?;
        self.store.move_key(old, new)?;
        self.store_and_queue(&task, &origin, now)?;
        Ok(Some(new))
    }

    /// Takes dead letters off the list; they stay failed tasks.
    pub(crate) fn discard(
        &mut self,
        selection: &Selection,
        reason: &str,
        now: Millis,
    ) -> Result<Vec<TaskId>> {
        let mut history = String::new();
        let why = format!("discarded: {reason}");
        append(&mut history, now, State::Failed, Actor::Operator, &why);
        let mut discarded = Vec::new();
        for task in self.selected(selection)? {
            if self.store.set_fate(task, Fate::Discarded, None, &history)? {
                discarded.push(task);
            }
        }
        Ok(discarded)
    }

    fn selected(&self, selection: &Selection) -> Result<Vec<TaskId>> {
        match selection {
            Selection::One(task) => Ok(vec![*task]),
            Selection::Matching(filter) => self.store.dead_letters(filter),
        }
    }
}

/// The attributes of a dead letter: the event's, and what Knative adds.
fn with_error(attributes: &Bytes, pool: &str, failure: &Failed) -> Option<Bytes> {
    let mut event = http_binding::read_structured(attributes).ok()?;
    let said = failure.error.data.as_ref();
    let body = said.and_then(|said| said.get("body")?.as_str());
    let text = body.unwrap_or(&failure.error.message).as_bytes();
    let text = &text[..text.len().min(MOST_SAID)];
    let code = said.and_then(|said| i32::try_from(said.get("status")?.as_i64()?).ok());
    let extensions: [(&str, ExtensionValue); 2] = [
        ("knativeerrordest", format!("/pools/{pool}").into()),
        ("knativeerrordata", BASE64.encode(text).into()),
    ];
    for (name, value) in extensions {
        event.extensions.insert(name.to_owned(), value);
    }
    if let Some(code) = code {
        let code = ExtensionValue::Integer(code);
        event.extensions.insert("knativeerrorcode".to_owned(), code);
    }
    Some(http_binding::write_structured(&event).1)
}
