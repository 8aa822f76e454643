//! What can go wrong at the broker's door.

use std::time::Duration;

/// Why a task was not accepted; nothing has been stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The pool's queue is full: the caller should come back later.
    #[error("pool `{pool}` is busy: {queued} tasks are waiting; try again in {} s", retry_after.as_secs())]
    Busy {
        /// The pool.
        pool: String,
        /// How many wait.
        queued: usize,
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many events wait already: the producer should come back later.
    #[error(
        "{waiting} events wait already, more than this platform keeps waiting; try again in {} s",
        retry_after.as_secs()
    )]
    Backlog {
        /// How many tasks of events wait.
        waiting: usize,
        /// When to try again.
        retry_after: Duration,
    },
    /// The disk is nearly full: what is left is for what has been promised.
    #[error(
        "the disk of the data directory has {} MiB left, too little to take more; make room, then \
         try again", free >> 20
    )]
    DiskFull {
        /// The free bytes.
        free: u64,
        /// When to try again.
        retry_after: Duration,
    },
    /// No pool of this name is registered.
    #[error("no pool `{0}` is registered")]
    UnknownPool(String),
    /// The idempotency key was used for other arguments.
    #[error(
        "this idempotency key was used before with other arguments: use a new key for a new call"
    )]
    KeyReused,
    /// The platform is stopping; nothing ran.
    #[error("the platform is stopping: try again when it is back")]
    Stopping,
    /// The store refused; the platform's fault, nothing is promised.
    #[error("the store failed, so nothing was taken: {0}; try again")]
    Storage(String),
}

impl Refusal {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy { .. }
            | Self::Backlog { .. }
            | Self::DiskFull { .. }
            | Self::Stopping
            | Self::Storage(_) => true,
            Self::UnknownPool(_) | Self::KeyReused => false,
        }
    }
}

/// Why the broker could not start or answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the store open.
    #[error("another dormouse is using {0}: stop it, or choose another --data-dir")]
    Locked(std::path::PathBuf),
    /// The store was written by a later version.
    #[error(
        "the store was written by a later version (schema {found}, this version knows {known}): run that version, or choose another --data-dir"
    )]
    Schema {
        /// What the store says.
        found: i64,
        /// What this version knows.
        known: i64,
    },
    /// The file system refused.
    #[error("cannot use the data directory: {0}")]
    Io(#[from] std::io::Error),
    /// SQLite refused.
    #[error("the store failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A change could not be stored; nothing holds, the caller may repeat it.
    #[error("the change could not be stored: {0}")]
    Storage(String),
    /// What was given as answers is none.
    #[error(
        "the answers cannot be read: {0}; give an object that has {{\"result\": …}} or {{\"error\": …}} by the name of each ask"
    )]
    Answers(String),
    /// A dead letter cannot be accepted again now.
    #[error(transparent)]
    Refused(Refusal),
    /// The broker was opened outside of a Tokio runtime.
    #[error("the broker needs a Tokio runtime to run on")]
    NoRuntime,
    /// The broker has stopped.
    #[error("the broker has stopped")]
    Stopped,
}
