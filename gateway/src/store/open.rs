//! Opening the database: one process only, the right format.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::Error;

/// The format's version, in `PRAGMA user_version`.
const FORMAT: i64 = 1;

/// Held as long as the process uses the store; the kernel frees it when it dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

pub(super) fn lock(data_dir: &Path) -> Result<Lock, Error> {
    let file = File::create(data_dir.join("gateway.lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(data_dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// A connection to the database. What it commits survives the death of the process.
pub(super) fn connect(path: &Path) -> Result<Connection, Error> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    // Half a MiB of pages: idle memory counts.
    conn.pragma_update(None, "cache_size", -512)?;
    // Nothing outside the data directory is written.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(conn)
}

pub(super) fn migrate(conn: &Connection) -> Result<(), Error> {
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match found {
        0 => {
            let schema = include_str!("schema.sql");
            conn.execute_batch(&format!(
                "BEGIN;\n{schema}\nPRAGMA user_version = {FORMAT};\nCOMMIT;"
            ))?;
            Ok(())
        }
        FORMAT => Ok(()),
        found => Err(Error::Format {
            found,
            known: FORMAT,
        }),
    }
}
