//! The gateway's own store, `gateway.db` in the data directory: sessions that outlive their
//! connections and the process, and secrets that must be the same after a restart.
//!
//! One thread writes, and commits whatever has come together as one transaction. A write that
//! cannot be made is told to whoever waits for it; no call depends on one.

pub(crate) mod frames;
mod open;
pub(crate) mod sessions;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _};

use writer::Writer;

/// Why the store cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error(
        "the sessions in {} are in use by another process: stop it, or choose another data \
         directory",
        .0.display()
    )]
    Locked(PathBuf),
    /// A newer version of the platform wrote it.
    #[error(
        "the sessions are stored in format {found}, this version knows {known}: use the version \
         that wrote them, or remove gateway.db (clients then open new sessions)"
    )]
    Format {
        /// What is there.
        found: i64,
        /// What this version knows.
        known: i64,
    },
    /// The disk or the database refused.
    #[error("the store of sessions failed: {0}")]
    Storage(String),
    /// The session belongs to another connection by now, or has ended.
    #[error("the session was taken over by another connection, or has ended")]
    Fenced,
    /// The platform is stopping.
    #[error("the store of sessions has been closed")]
    Closed,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

/// A handle on the store; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    writer: Writer,
    reader: Mutex<Connection>,
    /// One name is given one value, however many ask for it at once.
    secrets: Mutex<()>,
    _lock: open::Lock,
}

impl Store {
    /// Opens the store of a data directory, and makes it where there is none.
    ///
    /// # Errors
    /// When another process has it, it is of a newer version, or the disk refuses.
    pub fn open(data_dir: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(data_dir)?;
        let lock = open::lock(data_dir)?;
        let path = data_dir.join("gateway.db");
        let writer = open::connect(&path)?;
        open::migrate(&writer)?;
        let reader = open::connect(&path)?;
        Ok(Self {
            shared: Arc::new(Shared {
                writer: Writer::start(writer)?,
                reader: Mutex::new(reader),
                secrets: Mutex::new(()),
                _lock: lock,
            }),
        })
    }

    /// The secret of this name: random, made when it is first asked for, the same ever after.
    /// Waits for the disk: to be asked for at start.
    ///
    /// # Errors
    /// When it can be neither read nor stored.
    pub fn secret(&self, name: &str) -> Result<[u8; 32], Error> {
        let _one_at_a_time = lock(&self.shared.secrets);
        let known: Option<Vec<u8>> = lock(&self.shared.reader)
            .query_row("SELECT value FROM secrets WHERE name = ?1", [name], |row| {
                row.get(0)
            })
            .optional()?;
        if let Some(secret) = known.and_then(|bytes| bytes.try_into().ok()) {
            return Ok(secret);
        }
        let (secret, name): ([u8; 32], _) = (rand::random(), name.to_owned());
        self.shared.writer.write_now(move |conn| {
            conn.execute(
                "INSERT OR REPLACE INTO secrets (name, value) VALUES (?1, ?2)",
                (name, secret),
            )?;
            Ok(())
        })?;
        Ok(secret)
    }

    /// Does this work in the next transaction; ready when that is committed.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.shared.writer.write(work).await
    }

    /// Does this work in the next transaction, and says in the log if that fails.
    fn write_soon(&self, work: impl FnOnce(&Connection) -> Result<(), Error> + Send + 'static) {
        self.shared.writer.write_soon(work);
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || work(&lock(&shared.reader)))
            .await
            .map_err(|_| Error::Closed)?
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_survives() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let one = store.secret("one").unwrap();
        assert_ne!(one, [0; 32]);
        assert_eq!(store.secret("one").unwrap(), one);
        assert_ne!(store.secret("two").unwrap(), one);
        drop(store);
        let again = Store::open(folder.path()).unwrap();
        assert_eq!(again.secret("one").unwrap(), one);
    }

    #[test]
    fn one_process_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(matches!(Store::open(folder.path()), Err(Error::Locked(_))));
        drop(store);
        assert!(Store::open(folder.path()).is_ok());
    }

    #[test]
    fn a_newer_format_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path()).unwrap());
        let conn = Connection::open(folder.path().join("gateway.db")).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        drop(conn);
        let refused = Store::open(folder.path()).unwrap_err();
        assert!(refused.to_string().contains("format 99"), "{refused}");
    }
}
