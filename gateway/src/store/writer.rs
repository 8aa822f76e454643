//! The thread that writes: takes what has come together, does it in one transaction, and tells
//! everybody once that is committed.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::Error;

/// The most that one transaction does.
const BATCH: usize = 512;

/// Tells who waits how the commit went.
type Tell = Box<dyn FnOnce(Result<(), Error>) + Send>;
type Work = Box<dyn FnOnce(&Connection) -> Tell + Send>;

/// The way to the thread, which ends when this is dropped and all is written.
#[derive(Debug)]
pub(super) struct Writer {
    work: Option<Sender<Work>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub fn start(conn: Connection) -> Result<Self, Error> {
        let (sender, work) = channel();
        let thread = thread::Builder::new()
            .name("gateway-store".to_owned())
            .spawn(move || run(&conn, &work))?;
        Ok(Self {
            work: Some(sender),
            thread: Some(thread),
        })
    }

    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (tell, told) = oneshot::channel();
        self.submit(work, move |done| {
            // Who does not wait any more does not want to know.
            let _ = tell.send(done);
        });
        told.await.unwrap_or(Err(Error::Closed))
    }

    /// As [`write`](Self::write), for threads that may wait.
    pub fn write_now<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (tell, told) = channel();
        self.submit(work, move |done| {
            let _ = tell.send(done);
        });
        told.recv().unwrap_or(Err(Error::Closed))
    }

    pub fn write_soon(&self, work: impl FnOnce(&Connection) -> Result<(), Error> + Send + 'static) {
        self.submit(work, |done| {
            if let Err(error) = done {
                tracing::error!(%error, "sessions could not be stored: calls go on, but clients may have to open new sessions after a restart");
            }
        });
    }

    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
        tell: impl FnOnce(Result<T, Error>) + Send + 'static,
    ) {
        let work: Work = Box::new(move |conn| {
            let done = apart(conn, work);
            Box::new(move |committed| tell(committed.and(done)))
        });
        // A closed channel drops `tell`, by which the waiter learns of it.
        if let Some(sender) = &self.work {
            let _ = sender.send(work);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.work.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that stores sessions broke");
        }
    }
}

fn run(conn: &Connection, work: &Receiver<Work>) {
    while let Ok(first) = work.recv() {
        let begun = conn.execute_batch("BEGIN IMMEDIATE");
        let mut waiting = vec![first(conn)];
        while waiting.len() < BATCH
            && let Ok(next) = work.try_recv()
        {
            waiting.push(next(conn));
        }
        let committed = begun
            .and_then(|()| conn.execute_batch("COMMIT"))
            .map_err(Error::from);
        if committed.is_err() {
            // Nothing is open when the transaction did not even begin.
            let _ = conn.execute_batch("ROLLBACK");
        }
        for tell in waiting {
            tell(committed.clone());
        }
    }
}

/// What fails leaves nothing behind, and others of the batch in peace.
fn apart<T>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    conn.execute_batch("SAVEPOINT one")?;
    let done = work(conn);
    if done.is_err() {
        conn.execute_batch("ROLLBACK TO one")?;
    }
    conn.execute_batch("RELEASE one")?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> Writer {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT")
            .unwrap();
        Writer::start(conn).unwrap()
    }

    fn insert(conn: &Connection, n: i64) -> Result<(), Error> {
        conn.execute("INSERT INTO t VALUES (?1)", [n])?;
        Ok(())
    }

    #[tokio::test]
    async fn one_that_fails_takes_no_other_with_it() {
        let writer = writer();
        let good = writer.write(|conn| insert(conn, 1));
        let bad = writer.write(|conn| {
            insert(conn, 2)?;
            insert(conn, 1)
        });
        let count = writer.write(|conn| {
            Ok(conn.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))?)
        });
        let (good, bad, count) = tokio::join!(good, bad, count);
        assert!(good.is_ok() && bad.is_err());
        assert_eq!(count.unwrap(), 1);
    }

    #[test]
    fn what_was_handed_in_is_written_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT")
            .unwrap();
        let writer = Writer::start(conn).unwrap();
        for n in 0..1_000 {
            writer.write_soon(move |conn| insert(conn, n));
        }
        drop(writer);
        let conn = Connection::open(&path).unwrap();
        let count: i64 = conn
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 1_000);
    }
}
