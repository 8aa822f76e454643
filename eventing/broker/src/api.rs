//! The broker's handle.

use std::path::Path;
use std::sync::mpsc as channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::suspension::Answer;
use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::command::Command;
use crate::config::Config;
use crate::depth::Depths;
use crate::error::{Error, Refusal};
use crate::event::Fact;
use crate::feed::Feed;
use crate::ledger::{Given, Ledger, Sweep};
use crate::object;
use crate::readers::Readers;
use crate::record::{TaskFilter, TaskRecord};
use crate::store::{self, Store};
use crate::task::{
    Accepted, Answered, AttemptToken, Claim, Ending, NewTask, Report, Standing, State, Stepped,
    TaskId, now,
};
use crate::waiters::{Attempt, Hub, Waiter};
use crate::writer::{Desk, Writer};

/// The stream of claims for one dispatcher. Each is already committed as running.
pub type Claims = mpsc::UnboundedReceiver<Claim>;

/// How long after a commit the log is copied into the database file.
const CHECKPOINT_DELAY: Duration = Duration::from_millis(100);

/// A handle on the broker; clones share it. The store is closed with the last handle.
#[derive(Debug, Clone)]
pub struct Broker {
    writer: Arc<Writer>,
    hub: Hub,
    depths: Depths,
    feed: Feed,
    pub(crate) readers: Readers,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    claims: Mutex<Option<Claims>>,
    writer: Arc<Writer>,
}

/// The last handle is gone: nobody can ask any more.
impl Drop for Shared {
    fn drop(&mut self) {
        self.writer.close();
    }
}

impl Broker {
    /// Opens the store, migrates it, and settles what the process before left running: what is
    /// safe to repeat waits again, the rest has failed with outcome unknown. It runs on the
    /// current Tokio runtime.
    ///
    /// # Errors
    /// Outside of a runtime, when another process holds the data directory, or the store cannot be used.
    pub fn open(config: Config) -> Result<Self, Error> {
        let (conn, lock, path) = store::open(&config)?;
        let durability = config.durability;
        let (claim_sender, claims) = mpsc::unbounded_channel();
        let hub = Hub::default();
        let feed = Feed::new();
        let store = Store::new(conn);
        let mut ledger = Ledger::new(store, config, hub.clone(), claim_sender, feed.clone());
        ledger.begin()?;
        let (waiting, interrupted) = ledger.recover(now())?;
        ledger.commit()?;
        if waiting + interrupted > 0 {
            tracing::info!(waiting, interrupted, "took up the tasks of the run before");
        }
        let depths = Depths::default();
        let desk = Desk {
            ledger,
            sweep: Sweep::new(now()),
            dirty: start_checkpointer(&path)?,
            depths: depths.clone(),
            stopped: Vec::new(),
            _lock: lock,
        };
        let readers = Readers::open(&path)?;
        let writer = Writer::start(desk, durability)?;
        Ok(Self {
            hub,
            depths,
            feed,
            readers,
            shared: Arc::new(Shared {
                claims: Mutex::new(Some(claims)),
                writer: Arc::clone(&writer),
            }),
            writer,
        })
    }

    /// Registers for news of a task that is about to be accepted.
    #[must_use]
    pub fn wait(&self, task: TaskId) -> Waiter {
        self.hub.wait(task)
    }

    /// Whether anybody waits for news of a task.
    #[must_use]
    pub fn is_waited_for(&self, task: TaskId) -> bool {
        self.hub.is_waited_for(task)
    }

    /// Accepts a task: when this returns `Ok`, it is stored and promised.
    ///
    /// # Errors
    /// [`Refusal`]: nothing is stored.
    pub async fn accept(&self, task: NewTask) -> Result<Accepted, Refusal> {
        self.ask(|reply| Command::Accept(Box::new(task), reply))
            .await
            .unwrap_or(Err(Refusal::Stopping))
    }

    /// Opens a pool for tasks, or changes its bounds.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn open_pool(
        &self,
        pool: Arc<str>,
        slots: usize,
        queue_limit: usize,
    ) -> Result<(), Error> {
        self.ask(|done| Command::OpenPool {
            pool,
            slots,
            queue_limit,
            done,
        })
        .await
    }

    /// Closes a pool: nothing more is accepted for it; what waits stays stored until it expires,
    /// and runs if the pool comes back.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn close_pool(&self, pool: Arc<str>) -> Result<(), Error> {
        self.ask(|done| Command::ClosePool(pool, done)).await
    }

    /// The claims of all open pools, for the one dispatcher of this process; a second call gets
    /// an empty stream.
    #[must_use]
    pub fn claims(&self) -> Claims {
        let claims = self
            .shared
            .claims
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        claims.unwrap_or_else(|| mpsc::unbounded_channel().1)
    }

    /// Settles an attempt. Returns the state that holds afterwards; `None` when the report came
    /// too late or from nobody and was ignored.
    ///
    /// # Errors
    /// [`Error::Storage`]: nothing changed, the report should be repeated.
    pub async fn settle(
        &self,
        task: TaskId,
        token: AttemptToken,
        report: Report,
    ) -> Result<Option<State>, Error> {
        self.ask(|reply| Command::Settle(task, token, report, reply))
            .await?
    }

    /// Cancels a task of this principal (`None`: an operator, who may cancel any). Returns the
    /// state that holds afterwards; `None` when there is no such task.
    ///
    /// # Errors
    /// [`Error::Storage`]: nothing changed.
    pub async fn cancel(
        &self,
        task: TaskId,
        principal: Option<&str>,
        reason: &str,
    ) -> Result<Option<State>, Error> {
        let (principal, reason) = (principal.map(str::to_owned), reason.to_owned());
        self.ask(|reply| Command::Cancel(task, principal, reason, reply))
            .await?
    }

    /// Gives answers to what a suspended task of this principal asks (`None`: an operator, who may
    /// answer for any) in a round. `answers` is an object, JSON text: an
    /// [`Answer`] by the name of its ask, which passes to the letter. Names that were not asked
    /// are ignored, and the first answer to each ask holds. When all are answered, the task goes
    /// on with its next round.
    ///
    /// # Errors
    /// [`Error::Answers`]: that is no object of answers. [`Error::Storage`]: nothing changed, and
    /// the same answers may be given again.
    pub async fn answer(
        &self,
        task: TaskId,
        principal: Option<&str>,
        round: u32,
        answers: Bytes,
    ) -> Result<Answered, Error> {
        let given = given(&answers).map_err(|error| Error::Answers(error.to_string()))?;
        let principal = principal.map(str::to_owned);
        self.ask(|reply| Command::Answer {
            task,
            principal,
            round,
            given,
            reply,
        })
        .await?
    }

    /// Commits the result (JSON text) of a step of a running attempt: later rounds and attempts of
    /// the task find it in [`Replay::steps`](crate::Replay::steps). The first result of a name
    /// holds.
    ///
    /// # Errors
    /// [`Error::Storage`]: nothing changed, and the step may be repeated.
    pub async fn step(
        &self,
        task: TaskId,
        token: AttemptToken,
        name: &str,
        result: Bytes,
    ) -> Result<Stepped, Error> {
        let name = name.to_owned();
        self.ask(|reply| Command::Step {
            task,
            token,
            name,
            result,
            reply,
        })
        .await?
    }

    /// Where a task stands; `None` when there is none, or no more. Who waits registers first and
    /// asks then: what is not in the answer will be in the news.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn standing(&self, task: TaskId) -> Result<Option<Standing>, Error> {
        let stored = move |conn: &Connection| store::read::standing(conn, task);
        if let Some(standing) = self.readers.find(stored).await? {
            return Ok(Some(standing));
        }
        match self.ask(|reply| Command::Standing(task, reply)).await?? {
            Some(standing) => Ok(Some(standing)),
            // It may have got its row between the two questions.
            None => self.readers.find(stored).await,
        }
    }

    /// Passes a notification of a running attempt to whoever waits. `false`: no such attempt.
    #[must_use]
    pub fn progress(&self, task: TaskId, token: AttemptToken, notification: &Bytes) -> bool {
        self.hub.progress(task, token, notification)
    }

    /// The running attempt of a task, when this is its secret.
    #[must_use]
    pub fn attempt(&self, task: TaskId, token: AttemptToken) -> Option<Attempt> {
        self.hub.attempt(task, token)
    }

    /// Lists tasks, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskRecord>, Error> {
        let list = move |conn: &Connection| store::read::list(conn, &filter);
        self.readers.list(list).await
    }

    /// One task with its whole history.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn task(&self, task: TaskId) -> Result<Option<TaskRecord>, Error> {
        let one = move |conn: &Connection| store::read::one(conn, task);
        self.readers.find(one).await
    }

    /// How a task ended; `None` while it has not, or when there is no such task.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ending(&self, task: TaskId) -> Result<Option<Ending>, Error> {
        let ending = move |conn: &Connection| store::read::ending(conn, task);
        self.readers.find(ending).await
    }

    /// Each pool with its tasks waiting and running.
    #[must_use]
    pub fn depths(&self) -> Vec<(Arc<str>, usize, usize)> {
        self.depths.read()
    }

    /// What is committed from now on.
    #[must_use]
    pub fn feed(&self) -> broadcast::Receiver<Fact> {
        self.feed.all()
    }

    /// The events that are taken from now on, each a [`Fact::Event`].
    #[must_use]
    pub fn arrivals(&self) -> broadcast::Receiver<Fact> {
        self.feed.arrivals()
    }

    /// Hands out nothing more of a pool (`None`: of any) while `held`; what comes is stored and waits.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn hold(&self, pool: Option<Arc<str>>, held: bool) -> Result<(), Error> {
        self.ask(|done| Command::Hold { pool, held, done }).await
    }

    /// How many batches have been committed since the start.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.depths.commits()
    }

    /// Accepts and hands out nothing more, returns when no task is running, and closes the store.
    pub async fn stop(&self) {
        // An error means that the writer has stopped already.
        let _ = self.ask(Command::Stop).await;
        self.hub.close();
    }

    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.writer.submit(command(reply))?;
        answer.await.map_err(|_| Error::Stopped)
    }
}

/// The answers in an object, each to the letter.
fn given(answers: &Bytes) -> serde_json::Result<Given> {
    object::members(answers)?
        .into_iter()
        .map(|(name, answer)| {
            serde_json::from_str::<Answer<'_>>(answer.get())?;
            Ok((name, answers.slice_ref(answer.get().as_bytes())))
        })
        .collect()
}

/// Starts the thread that copies the log into the database file; it sleeps while nobody writes
/// and ends with the writer.
fn start_checkpointer(path: &Path) -> Result<channel::SyncSender<()>, Error> {
    let conn = store::connect(path)?;
    let (dirty, wakes) = channel::sync_channel(1);
    let run = move || {
        while wakes.recv().is_ok() {
            thread::sleep(CHECKPOINT_DELAY);
            if let Err(error) = store::checkpoint(&conn) {
                tracing::warn!(%error, "the log could not be copied into the database");
            }
        }
    };
    thread::Builder::new()
        .name("broker-checkpoint".to_owned())
        .spawn(run)?;
    Ok(dirty)
}
