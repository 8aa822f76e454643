//! The writer: owns the store and takes commands in batches.
//!
//! Whoever brings a command to a writer that is free does the writing at once, for itself and for
//! all that come meanwhile; whoever finds it busy leaves the command and waits for its answer. So
//! a commit is shared under load, nobody waits for company without load, and no thread has to be
//! woken on the way of a call. A thread of its own keeps the clock, takes over when one caller has
//! written for others long enough, and does all the writing when commits wait for the disk
//! ([`Durability::Power`]): no caller's thread should.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::Durability;
use crate::depth::Depths;
use crate::effect::{Effect, Reply};
use crate::error::{Error, Refusal};
use crate::ledger::{Ledger, Sweep};
use crate::store::Lock;
use crate::task::{Accepted, AttemptToken, Millis, NewTask, Report, State, TaskId};

/// The most commands of one commit: bounds how long the first of them waits.
const BATCH: usize = 256;

/// The most commits that a caller makes before the thread takes over.
const TURNS: usize = 4;

/// The longest sleep of the thread.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);

/// What callers ask of the writer.
#[derive(Debug)]
pub(crate) enum Command {
    Accept(Box<NewTask>, Reply<Result<Accepted, Refusal>>),
    AcceptAll(Vec<NewTask>, Reply<Result<(), Refusal>>),
    Settle(
        TaskId,
        AttemptToken,
        Report,
        Reply<Result<Option<State>, Error>>,
    ),
    Cancel(
        TaskId,
        Option<String>,
        String,
        Reply<Result<Option<State>, Error>>,
    ),
    OpenPool {
        pool: Arc<str>,
        slots: usize,
        queue_limit: usize,
        done: Reply<()>,
    },
    ClosePool(Arc<str>, Reply<()>),
    Stop(Reply<()>),
}

impl Command {
    /// Says that nothing was done because the store failed.
    fn fail(self, why: &str) {
        // Whoever dropped the other end does not want to know.
        match self {
            Self::Accept(_, reply) => drop(reply.send(Err(Refusal::Storage(why.to_owned())))),
            Self::AcceptAll(_, reply) => drop(reply.send(Err(Refusal::Storage(why.to_owned())))),
            Self::Settle(_, _, _, reply) | Self::Cancel(_, _, _, reply) => {
                drop(reply.send(Err(Error::Storage(why.to_owned()))));
            }
            Self::OpenPool { done, .. } | Self::ClosePool(_, done) | Self::Stop(done) => {
                drop(done);
            }
        }
    }
}

/// What has been asked and not yet been done.
#[derive(Debug, Default)]
struct Queue {
    commands: VecDeque<Command>,
    closed: bool,
}

/// The writer, shared by all handles and the thread.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Queue>,
    desk: Mutex<Desk>,
    depths: Depths,
    durability: Durability,
    thread: OnceLock<Thread>,
    /// When the thread will look at the clock.
    wakes_at: AtomicI64,
}

/// What only the one who writes touches.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) ledger: Ledger,
    pub(crate) sweep: Sweep,
    /// Wakes the checkpointer; full means that it is awake already.
    pub(crate) dirty: SyncSender<()>,
    pub(crate) stopped: Vec<Reply<()>>,
    /// Held as long as anybody could write.
    pub(crate) _lock: Lock,
}

impl Writer {
    /// A writer and its thread.
    pub(crate) fn start(
        desk: Desk,
        depths: Depths,
        durability: Durability,
    ) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let writer = Arc::new(Self {
            queue: Mutex::default(),
            desk: Mutex::new(desk),
            depths,
            durability,
            thread: OnceLock::new(),
            wakes_at: AtomicI64::new(0),
        });
        let ours = Arc::clone(&writer);
        let thread = thread::Builder::new()
            .name("broker-writer".to_owned())
            .spawn(move || ours.keep_the_clock())?;
        // It is set once, here.
        let _ = writer.thread.set(thread.thread().clone());
        Ok((writer, thread))
    }

    /// Takes a command and, if the writer is free, does it at once.
    pub(crate) fn submit(&self, command: Command) -> Result<(), Error> {
        {
            let mut queue = self.queue();
            if queue.closed {
                return Err(Error::Stopped);
            }
            queue.commands.push_back(command);
        }
        match self.durability {
            Durability::Process => self.write_some(),
            Durability::Power => self.wake(),
        }
        Ok(())
    }

    /// Takes nothing more; what waits is dropped, by which its callers hear of it.
    pub(crate) fn close(&self) {
        let dropped = {
            let mut queue = self.queue();
            queue.closed = true;
            std::mem::take(&mut queue.commands)
        };
        drop(dropped);
        self.wake();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Writes what waits, unless somebody does already: they will see it.
    fn write_some(&self) {
        for _ in 0..TURNS {
            let mut desk = match self.desk.try_lock() {
                Ok(desk) => desk,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            self.write(&mut desk, false);
            let wake = desk.ledger.next_wake(&desk.sweep);
            drop(desk);
            if wake < self.wakes_at.load(Ordering::Relaxed) {
                self.wake();
            }
            // Whoever came between the last look and the release found the desk taken.
            let queue = self.queue();
            if queue.commands.is_empty() && !queue.closed {
                return;
            }
        }
        self.wake();
    }

    /// One batch, if there is anything in it. Returns whether there was.
    fn write(&self, desk: &mut Desk, by_clock: bool) -> bool {
        let mut batch: VecDeque<Command> = {
            let mut queue = self.queue();
            if queue.commands.len() <= BATCH {
                std::mem::take(&mut queue.commands)
            } else {
                queue.commands.drain(..BATCH).collect()
            }
        };
        if batch.is_empty() && !by_clock {
            return false;
        }
        match desk.batch(&mut batch) {
            Ok(()) => self.depths.count_commit(),
            Err(error) => {
                desk.ledger.rollback(&error);
                let why = error.to_string();
                batch.into_iter().for_each(|command| command.fail(&why));
            }
        }
        self.depths.publish(desk.ledger.lanes());
        if !by_clock {
            // A full channel means that the checkpointer is awake already.
            let _ = desk.dirty.try_send(());
        }
        if desk.ledger.is_drained() {
            self.close();
            for done in desk.stopped.drain(..) {
                let _ = done.send(());
            }
        }
        true
    }

    /// The thread: runs until the writer is closed.
    fn keep_the_clock(&self) {
        while !self.queue().closed {
            let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
            let now = now();
            let due = desk.ledger.next_wake(&desk.sweep) <= now;
            if self.write(&mut desk, due) {
                continue;
            }
            let wake = desk.ledger.next_wake(&desk.sweep);
            self.wakes_at.store(wake, Ordering::Relaxed);
            drop(desk);
            if self.queue().commands.is_empty() {
                let sleep = Duration::from_millis(u64::try_from(wake - now).unwrap_or(0));
                thread::park_timeout(sleep.min(LONGEST_SLEEP));
            }
        }
    }
}

impl Desk {
    /// Does what is in the batch; after an error, what was not begun is left in it.
    fn batch(&mut self, commands: &mut VecDeque<Command>) -> rusqlite::Result<()> {
        let now = now();
        self.ledger.begin()?;
        while let Some(command) = commands.pop_front() {
            self.apply(command, now)?;
        }
        self.ledger.sweep(&mut self.sweep, now)?;
        self.ledger.fill(now)?;
        self.ledger.commit()
    }

    /// Applies one command. When the store fails, the reply goes with the batch's effects.
    fn apply(&mut self, command: Command, now: Millis) -> rusqlite::Result<()> {
        let ledger = &mut self.ledger;
        match command {
            Command::Accept(task, reply) => {
                let (answer, error) = split(ledger.accept(*task, now), Err(Refusal::Stopping));
                ledger.tell(Effect::Accepted(reply, answer));
                error
            }
            Command::AcceptAll(tasks, reply) => {
                let (answer, error) = split(ledger.accept_all(tasks, now), Err(Refusal::Stopping));
                ledger.tell(Effect::AllAccepted(reply, answer));
                error
            }
            Command::Settle(task, token, report, reply) => {
                let (state, error) = split(ledger.settle(task, token, report, now), None);
                ledger.tell(Effect::Changed(reply, state));
                error
            }
            Command::Cancel(task, principal, reason, reply) => {
                let cancelled = ledger.cancel(task, principal.as_deref(), &reason, now);
                let (state, error) = split(cancelled, None);
                ledger.tell(Effect::Changed(reply, state));
                error
            }
            Command::OpenPool {
                pool,
                slots,
                queue_limit,
                done,
            } => {
                ledger.open_pool(&pool, slots, queue_limit);
                let _ = done.send(());
                Ok(())
            }
            Command::ClosePool(pool, done) => {
                ledger.close_pool(&pool);
                let _ = done.send(());
                Ok(())
            }
            Command::Stop(done) => {
                ledger.stop();
                self.stopped.push(done);
                Ok(())
            }
        }
    }
}

/// The answer of a command, and the error that ends the batch. After an error the answer is
/// never told: [`Effect::fail`] replaces it.
fn split<T>(result: rusqlite::Result<T>, otherwise: T) -> (T, rusqlite::Result<()>) {
    match result {
        Ok(answer) => (answer, Ok(())),
        Err(error) => (otherwise, Err(error)),
    }
}

pub(crate) fn now() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| Millis::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
