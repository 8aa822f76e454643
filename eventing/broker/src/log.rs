//! The broker's handle on events: the log, dead letters, notes.

use bytes::Bytes;

use crate::api::Broker;
use crate::command::Command;
use crate::error::{Error, Refusal};
use crate::event::{
    EventFilter, EventRecord, EventType, NewEvent, Note, Published, Seq, StoredEvent,
};
use crate::ledger::{Entry, Selection};
use crate::record::TaskFilter;
use crate::store::log;
use crate::store::read::count;
use crate::task::TaskId;

impl Broker {
    /// Takes these events into the log, each with a task for each of its routes, all in one commit,
    /// or none. An event whose `source` and `id` were taken within the window of
    /// [`Config::duplicate_window`](crate::Config) is not taken again. A note is kept in the same
    /// commit.
    ///
    /// # Errors
    /// [`Refusal`]: nothing is stored.
    pub async fn publish(
        &self,
        events: Vec<NewEvent>,
        note: Option<Note>,
    ) -> Result<Vec<Published>, Refusal> {
        let entries = events.into_iter().map(Entry::new).collect();
        self.ask(|reply| Command::Publish {
            entries,
            note,
            reply,
        })
        .await
        .unwrap_or(Err(Refusal::Stopping))
    }

    /// Lists events, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn events(&self, filter: EventFilter) -> Result<Vec<EventRecord>, Error> {
        self.readers
            .list(move |conn| log::list(conn, &filter))
            .await
    }

    /// One event with its data and all its tasks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn event(&self, seq: Seq) -> Result<Option<StoredEvent>, Error> {
        self.readers.list(move |conn| log::one(conn, seq)).await
    }

    /// The types of which there are events, the one with the newest event first; at most 1,000.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn event_types(&self) -> Result<Vec<EventType>, Error> {
        self.readers.list(log::types).await
    }

    /// How many tasks there are of those that [`Self::tasks`] would list.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn count_tasks(&self, filter: TaskFilter) -> Result<u64, Error> {
        self.readers.list(move |conn| count(conn, &filter)).await
    }

    /// Runs dead letters again, each as a new task. Returns both ids of each.
    ///
    /// # Errors
    /// [`Error::Refused`]: the first of them cannot be accepted now; when a later one cannot, those
    /// before it have been redriven. [`Error::Storage`]: nothing changed.
    pub async fn redrive(&self, selection: Selection) -> Result<Vec<(TaskId, TaskId)>, Error> {
        self.ask(|reply| Command::Redrive(selection, reply))
            .await??
            .map_err(Error::Refused)
    }

    /// Takes dead letters off the list; they stay failed tasks, with the reason in their history.
    ///
    /// # Errors
    /// [`Error::Storage`]: nothing changed.
    pub async fn discard(&self, selection: Selection, reason: &str) -> Result<Vec<TaskId>, Error> {
        let reason = reason.to_owned();
        self.ask(|reply| Command::Discard(selection, reason, reply))
            .await?
    }

    /// Keeps a note, or takes it away.
    ///
    /// # Errors
    /// [`Error::Storage`]: nothing changed.
    pub async fn note(&self, note: Note) -> Result<(), Error> {
        self.ask(|reply| Command::Note(note, reply)).await?
    }

    /// The notes of a kind, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn notes(&self, kind: &'static str) -> Result<Vec<(String, Bytes)>, Error> {
        self.readers.find(move |conn| log::notes(conn, kind)).await
    }
}
