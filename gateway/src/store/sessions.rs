//! Sessions in the store.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{Error, Store};

/// A session as it is stored. Words are those of their types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredSession {
    pub handle: String,
    pub principal: String,
    pub transport: String,
    pub revision: String,
    pub client: String,
    pub level: String,
    /// Empty where the client did not say.
    pub tools: String,
    /// A JSON array of URIs.
    pub subscriptions: String,
    /// Milliseconds since the Unix epoch, as is `used`.
    pub created: i64,
    pub used: i64,
}

/// What changes in a stored session's life.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    pub handle: String,
    pub level: &'static str,
    pub subscriptions: String,
    pub used: i64,
}

impl Store {
    /// Stores a session.
    pub(crate) async fn add_session(&self, session: StoredSession) -> Result<(), Error> {
        self.write(move |conn| {
            conn.prepare_cached(
                "INSERT INTO sessions (handle, principal, transport, revision, client, level,
                                       subscriptions, created, used, tools)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute((
                session.handle,
                session.principal,
                session.transport,
                session.revision,
                session.client,
                session.level,
                session.subscriptions,
                session.created,
                session.used,
                session.tools,
            ))?;
            Ok(())
        })
        .await
    }

    /// The session of this handle.
    pub(crate) async fn session(&self, handle: String) -> Result<Option<StoredSession>, Error> {
        self.read(move |conn| {
            Ok(conn
                .prepare_cached(
                    "SELECT handle, principal, transport, revision, client, level, subscriptions,
                            created, used, tools
                     FROM sessions WHERE handle = ?1",
                )?
                .query_row([handle], read_row)
                .optional()?)
        })
        .await
    }

    /// Stores what has changed, soon.
    pub(crate) fn note_sessions(&self, changed: Vec<Changed>) {
        self.write_soon(move |conn| {
            let mut update = conn.prepare_cached(
                "UPDATE sessions SET level = ?2, subscriptions = ?3, used = ?4 WHERE handle = ?1",
            )?;
            for one in changed {
                update.execute((one.handle, one.level, one.subscriptions, one.used))?;
            }
            Ok(())
        });
    }

    /// Forgets a session.
    pub(crate) async fn end_session(&self, handle: String) -> Result<(), Error> {
        self.write(move |conn| forget(conn, &handle)).await
    }

    /// Forgets sessions that were last used longer ago than this, and the ones that rested
    /// longest where there are more than `most`; how many.
    pub(crate) async fn age_out(
        &self,
        now: i64,
        idle: Duration,
        most: usize,
    ) -> Result<usize, Error> {
        let idle = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
        let oldest = now.saturating_sub(idle);
        self.write(move |conn| {
            let handles = handles(
                conn,
                "SELECT handle FROM sessions WHERE used < ?1 LIMIT 10000",
                oldest,
            )?;
            for handle in &handles {
                forget(conn, handle)?;
            }
            Ok(handles.len() + make_room(conn, most)?)
        })
        .await
    }

    /// How many sessions are stored.
    #[cfg(test)]
    pub(crate) async fn count_sessions(&self) -> Result<usize, Error> {
        self.read(|conn| {
            let count: i64 =
                conn.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))?;
            Ok(usize::try_from(count).unwrap_or_default())
        })
        .await
    }
}

pub(super) fn read_row(row: &Row<'_>) -> rusqlite::Result<StoredSession> {
    Ok(StoredSession {
        handle: row.get(0)?,
        principal: row.get(1)?,
        transport: row.get(2)?,
        revision: row.get(3)?,
        client: row.get(4)?,
        level: row.get(5)?,
        subscriptions: row.get(6)?,
        created: row.get(7)?,
        used: row.get(8)?,
        tools: row.get(9)?,
    })
}

fn handles(conn: &Connection, query: &str, bound: i64) -> Result<Vec<String>, Error> {
    let mut statement = conn.prepare_cached(query)?;
    let handles = statement.query_map([bound], |row| row.get(0))?;
    Ok(handles.collect::<Result<_, _>>()?)
}

fn forget(conn: &Connection, handle: &str) -> Result<(), Error> {
    for statement in [
        "DELETE FROM sessions WHERE handle = ?1",
        "DELETE FROM frames WHERE handle = ?1",
        "DELETE FROM flights WHERE handle = ?1",
    ] {
        conn.prepare_cached(statement)?.execute([handle])?;
    }
    Ok(())
}

fn make_room(conn: &Connection, most: usize) -> Result<usize, Error> {
    let count: i64 = conn.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))?;
    let too_many = count - i64::try_from(most).unwrap_or(i64::MAX);
    if too_many <= 0 {
        return Ok(0);
    }
    let longest_idle = handles(
        conn,
        "SELECT handle FROM sessions ORDER BY used LIMIT ?1",
        too_many,
    )?;
    tracing::warn!(
        forgotten = longest_idle.len(),
        most,
        "too many sessions are stored: the ones that rested longest are forgotten"
    );
    for handle in &longest_idle {
        forget(conn, handle)?;
    }
    Ok(longest_idle.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(handle: &str, used: i64) -> StoredSession {
        StoredSession {
            handle: handle.into(),
            principal: "p".into(),
            transport: "http".into(),
            revision: "2025-11-25".into(),
            client: "{".into(),
            level: "info".into(),
            tools: String::new(),
            subscriptions: "[]".into(),
            created: used,
            used,
        }
    }

    #[tokio::test]
    async fn sessions_come_back_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.add_session(session("a", 5)).await.unwrap();
        store.add_session(session("b", 7)).await.unwrap();
        store.note_sessions(vec![Changed {
            handle: "a".into(),
            level: "error",
            subscriptions: r#"["x"]"#.into(),
            used: 9,
        }]);
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        let a = store.session("a".into()).await.unwrap().unwrap();
        assert_eq!(
            (&*a.level, &*a.subscriptions, a.used, a.created),
            ("error", r#"["x"]"#, 9, 5)
        );
        let idle = Duration::from_millis(2);
        assert_eq!(store.age_out(10, idle, 10).await.unwrap(), 1);
        assert_eq!(store.session("b".into()).await.unwrap(), None);
        store.end_session("a".into()).await.unwrap();
        assert_eq!(store.age_out(0, idle, 10).await.unwrap(), 0);
        assert_eq!(store.count_sessions().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn beyond_the_most_the_longest_idle_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for used in 0..25 {
            store
                .add_session(session(&used.to_string(), used))
                .await
                .unwrap();
        }
        let forgotten = store.age_out(30, Duration::from_secs(1), 20).await;
        assert_eq!(forgotten.unwrap(), 5);
        assert!(store.session("5".into()).await.unwrap().is_some());
        assert!(store.session("4".into()).await.unwrap().is_none());
    }
}
