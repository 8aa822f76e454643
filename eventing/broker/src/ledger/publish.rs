//! Events: into the log, and as tasks into the pools whose triggers take them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::http_binding;
use dormouse_contract::task::{Failed, Outcome, TaskError};
use dormouse_contract::trace::TraceParent;
use rusqlite::Result;

use super::{Ledger, Origin, Undo};
use crate::effect::Effect;
use crate::error::Refusal;
use crate::event::{Fact, NewEvent, Note, Published, Route, Seq, Way};
use crate::history::Actor;
use crate::lane::{Lane, Order};
use crate::store::LogRow;
use crate::task::{Ending, Millis, NewTask, State, TaskId, Work};

/// When a producer who found the backlog full should come back.
const BACKLOG_RETRY: Duration = Duration::from_secs(5);

/// Each pool may keep one in so many of all events that may wait, whatever waits for others.
const SHARE: usize = 10;

/// When a producer who found the disk full should come back.
const DISK_RETRY: Duration = Duration::from_secs(30);

/// So many types are known by their number without asking the store.
const TYPES_KEPT: usize = 4_096;

/// An event as the log takes it in: its attributes are written out before it comes to the writer.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) ty: Arc<str>,
    source: Arc<str>,
    subject: Option<Arc<str>>,
    id: Arc<str>,
    pub(super) attributes: Bytes,
    pub(super) data: Option<Bytes>,
    trace: TraceParent,
    way: Way,
    cause: Option<TaskId>,
    routes: Vec<Route>,
}

impl Entry {
    pub(crate) fn new(new: NewEvent) -> Self {
        let mut event = new.event;
        let data = event.data.take();
        let (_, attributes) = http_binding::write_structured(&event);
        Self {
            ty: event.ty.into(),
            source: event.source.into(),
            subject: event.subject.map(Into::into),
            id: event.id.into(),
            attributes,
            data,
            trace: new.trace,
            way: new.way,
            cause: new.cause,
            routes: new.routes,
        }
    }
}

/// The numbers of event types, as far as they are known.
pub(crate) type TypeNumbers = HashMap<Arc<str>, i64>;

impl Ledger {
    /// Takes all of these events or none, and keeps the note with them.
    pub(crate) fn publish(
        &mut self,
        entries: Vec<Entry>,
        note: Option<&Note>,
        now: Millis,
    ) -> Result<std::result::Result<Vec<Published>, Refusal>> {
        if let Err(refusal) = self.admit_events(&entries, now) {
            return Ok(Err(refusal));
        }
        let mut published = Vec::with_capacity(entries.len());
        for entry in entries {
            published.push(self.log(entry, now)?);
        }
        if let Some(note) = note {
            self.store.put_note(note)?;
        }
        Ok(Ok(published))
    }

    /// Whether the tasks of these events may come in. When all that may wait does, a pool of which
    /// little waits takes more: one that is down must not close the door for the others.
    fn admit_events(&mut self, entries: &[Entry], now: Millis) -> std::result::Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        self.admit_to_disk(now)?;
        let waiting = self.lanes.events_waiting();
        let mut coming: HashMap<&str, usize> = HashMap::new();
        for route in entries.iter().flat_map(|entry| &entry.routes) {
            *coming.entry(&route.pool).or_default() += 1;
        }
        let count = coming.values().sum::<usize>();
        if waiting == 0 || waiting + count <= self.config.max_backlog {
            return Ok(());
        }
        let share = self.config.max_backlog / SHARE;
        let has_room = |(pool, count): (&&str, &usize)| {
            let lane = self.lanes.get(pool);
            lane.map_or(0, Lane::events_waiting) + count <= share
        };
        if coming.iter().all(has_room) {
            return Ok(());
        }
        Err(Refusal::Backlog {
            waiting,
            retry_after: BACKLOG_RETRY,
        })
    }

    /// Whether the disk has room for more than what has been promised.
    pub(super) fn admit_to_disk(&mut self, now: Millis) -> std::result::Result<(), Refusal> {
        match self.disk.shortage(now) {
            None => Ok(()),
            Some(free) => Err(Refusal::DiskFull {
                free,
                retry_after: DISK_RETRY,
            }),
        }
    }

    /// Writes an event into the log, unless it is known, and its tasks into their pools' queues.
    fn log(&mut self, entry: Entry, now: Millis) -> Result<Published> {
        let mark = self.window.mark(&entry.source, &entry.id);
        if let Some(seq) = self.window.find(mark, now)
            && self.store.is_event(seq, &entry.source, &entry.id)?
        {
            return Ok(Published {
                seq,
                tasks: Vec::new(),
                is_duplicate: true,
            });
        }
        self.log_anew(entry, now)
    }

    /// As [`Ledger::log`], also when there is an event with its `source` and `id`.
    pub(super) fn log_anew(&mut self, entry: Entry, now: Millis) -> Result<Published> {
        let mark = self.window.mark(&entry.source, &entry.id);
        let seq = Seq(self.log_end.0 + 1);
        let ty = self.type_number(&entry.ty)?;
        let row = LogRow {
            seq,
            ty,
            source: &entry.source,
            subject: entry.subject.as_deref(),
            id: &entry.id,
            way: &entry.way,
            cause: entry.cause,
            attributes: &entry.attributes,
            data: entry.data.as_deref(),
        };
        self.store.log(&row, now)?;
        self.log_end = seq;
        self.window.push(mark, seq, now);
        self.undo.push(Undo::Logged);
        let mut tasks = Vec::with_capacity(entry.routes.len());
        for route in &entry.routes {
            tasks.push(self.route(&entry, route, seq, now)?);
        }
        self.wake_for(seq, &entry, now)?;
        if self.feed.has_arrivals_followed() {
            self.tell(Effect::Moved(Fact::Event {
                seq,
                ty: entry.ty,
                source: entry.source,
                subject: entry.subject,
                id: entry.id,
            }));
        }
        Ok(Published {
            seq,
            tasks,
            is_duplicate: false,
        })
    }

    /// Makes the task in which a pool reacts to an event.
    fn route(&mut self, entry: &Entry, route: &Route, seq: Seq, now: Millis) -> Result<TaskId> {
        let id = self.ids.next(now);
        let task = NewTask {
            id,
            pool: Arc::clone(&route.pool),
            capability: Arc::clone(route.capability.as_ref().unwrap_or(&entry.ty)),
            work: Work::Event {
                attributes: entry.attributes.clone(),
                data: entry.data.clone().unwrap_or_default(),
                way: entry.way.clone(),
            },
            principal: format!("event/{}", entry.source).into(),
            reply_to: None,
            affinity: None,
            trace: entry.trace.child(),
            idempotency: None,
            delivery: Arc::clone(&route.delivery),
        };
        let subject = entry.subject.as_deref().unwrap_or_default();
        let order = route
            .ordered
            .then(|| Order::of([&*route.trigger, &*entry.source, subject]));
        let origin = Origin {
            event: Some(seq),
            trigger: Some(Arc::clone(&route.trigger)),
            order,
            ..self.origin()
        };
        if entry.way.hops <= self.config.max_hops {
            self.insert(task, &origin, now)?;
            return Ok(id);
        }
        self.refuse_loop(&task, &origin, &entry.way, now)?;
        Ok(id)
    }

    /// An event that came through too many pools goes no further: its task is a dead letter.
    fn refuse_loop(
        &mut self,
        task: &NewTask,
        origin: &Origin,
        way: &Way,
        now: Millis,
    ) -> Result<()> {
        let via = way.via.as_deref().unwrap_or("pools outside");
        let why = format!(
            "the event came through {} pools, one reply after the other ({via}), and no more than \
             {} are allowed: a trigger probably takes what its own pool sends. Make its filter \
             narrower, then redrive or discard this",
            way.hops, self.config.max_hops
        );
        self.store_apart(task, origin, now)?;
        let error = TaskError {
            code: -32603,
            message: why.clone(),
            data: None,
        };
        let ending = Ending::Failed(Failed {
            error,
            outcome: Outcome::NotRun,
        });
        let from = State::Accepted;
        self.end(task.id, from, ending, None, Actor::Broker, &why, now)?;
        Ok(())
    }

    /// The number of an event type.
    fn type_number(&mut self, ty: &Arc<str>) -> Result<i64> {
        if let Some(number) = self.types.get(ty) {
            return Ok(*number);
        }
        let number = self.store.event_type(ty)?;
        if self.types.len() >= TYPES_KEPT {
            self.types.clear();
        }
        self.types.insert(Arc::clone(ty), number);
        Ok(number)
    }
}
