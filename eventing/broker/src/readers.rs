//! The connections that only read.
//!
//! What one task or kind of note is asked for is found at once, and calls wait for it. Lists may look
//! at every row there is. So each has a connection of its own, and nobody's list holds up a call.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::Error;
use crate::store;

/// Clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    finder: Arc<Mutex<Connection>>,
    lister: Arc<Mutex<Connection>>,
}

impl Readers {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let connect = || store::read::connect(path).map(Mutex::new).map(Arc::new);
        Ok(Self {
            finder: connect()?,
            lister: connect()?,
        })
    }

    /// Asks for what is found by its key.
    pub(crate) async fn find<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        ask(&self.finder, query).await
    }

    /// Asks for what may have to be looked for.
    pub(crate) async fn list<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        ask(&self.lister, query).await
    }
}

async fn ask<T: Send + 'static>(
    reader: &Arc<Mutex<Connection>>,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let reader = Arc::clone(reader);
    let read = move || {
        let conn = reader.lock().unwrap_or_else(PoisonError::into_inner);
        query(&conn).map_err(Error::from)
    };
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| Error::Stopped)?
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn a_list_that_takes_its_time_holds_up_no_task() {
        let dir = tempfile::tempdir().unwrap();
        let (_conn, _lock, path) = store::open(&Config::new(dir.path())).unwrap();
        let readers = Readers::open(&path).unwrap();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let slow = readers.clone();
        let list = tokio::spawn(async move {
            let list = move |_: &Connection| Ok((begun.send(()), wait.recv().is_ok()).1);
            slow.list(list).await
        });
        begins.await.unwrap();
        let found = readers.find(|conn| conn.query_row("SELECT 1", [], |_| Ok(())));
        let found = tokio::time::timeout(Duration::from_secs(20), found).await;
        found.unwrap().unwrap();
        go_on.send(()).unwrap();
        assert!(list.await.unwrap().unwrap());
    }
}
