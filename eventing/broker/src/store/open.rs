//! Opening the database: one process only, the right schema, the durability asked for.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::config::{Config, Durability};
use crate::error::Error;

/// What each version of the schema added to the one before; the first is the whole of version 1.
///
/// A version only adds tables, indexes and columns that may be absent. So a store is migrated
/// forward at start, and a program goes on with a store that its next version has written: it
/// leaves alone what it does not know. A version that has to change more skips a number (an empty
/// entry here), so that the one before refuses its stores.
const VERSIONS: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("suspensions.sql"),
    // Without the event log a task of an event would be delivered as a call.
    "",
    include_str!("events.sql"),
];

/// The schema's version, in `PRAGMA user_version`.
const SCHEMA: i64 = VERSIONS.len() as i64;

/// Held as long as the process uses the data directory; the kernel frees it when it dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Opens (and creates or migrates) the database of a data directory.
pub(crate) fn open(config: &Config) -> Result<(Connection, Lock, PathBuf), Error> {
    std::fs::create_dir_all(&config.data_dir)?;
    let lock = lock(&config.data_dir)?;
    let path = config.data_dir.join("broker.db");
    let conn = connect(&path)?;
    migrate(&conn)?;
    let synchronous = match config.durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    // Another thread checkpoints (see `checkpoint`): a checkpoint here would stall every call.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok((conn, lock, path))
}

fn lock(data_dir: &Path) -> Result<Lock, Error> {
    let file = File::create(data_dir.join("broker.lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(data_dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// A further connection to the same database.
pub(crate) fn connect(path: &Path) -> Result<Connection, Error> {
    let conn = Connection::open(path)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.busy_timeout(std::time::Duration::from_secs(10))?;
    // 2 MiB of pages: the hot rows are the newest ones, and idle memory counts.
    conn.pragma_update(None, "cache_size", -2_048)?;
    // Nothing outside the data directory is written.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(conn)
}

fn migrate(conn: &Connection) -> Result<(), Error> {
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let missing = usize::try_from(found)
        .ok()
        .and_then(|found| VERSIONS.get(found..));
    match missing {
        Some([]) => Ok(()),
        Some(missing) => {
            let missing = missing.concat();
            conn.execute_batch(&format!(
                "BEGIN;\n{missing}\nPRAGMA user_version = {SCHEMA};\nCOMMIT;"
            ))?;
            Ok(())
        }
        None if found == SCHEMA + 1 => {
            tracing::warn!(
                found,
                known = SCHEMA,
                "the store was written by the next version"
            );
            Ok(())
        }
        None => Err(Error::Schema {
            found,
            known: SCHEMA,
        }),
    }
}

/// From this length on the log is begun anew, in pages: 8 MiB. Writing over blocks that the file has
/// already costs less than making it longer, most of all when each commit waits for the disk.
const LONGEST_LOG: i64 = 2_048;

/// Copies the log into the database file. SQLite begins a log anew only when a writer finds all of
/// it copied, which under steady load is never: a long one is waited for.
pub(crate) fn checkpoint(conn: &Connection) -> rusqlite::Result<()> {
    let in_log: i64 = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
    if in_log > LONGEST_LOG {
        // Little is left to copy now, so writers are held up only for that.
        conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_is_compiled_with_a_cache_for_each_connection() {
        let conn = Connection::open_in_memory().unwrap();
        let mut asked = conn.prepare("PRAGMA compile_options").unwrap();
        let options: Vec<String> = asked
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let shared = "ENABLE_MEMORY_MANAGEMENT";
        assert!(
            !options.iter().any(|option| option == shared),
            "SQLite shares one cache: is .cargo/config.toml read? {options:?}"
        );
    }
}
