//! The writer: owns the store and takes commands in batches.
//!
//! It is a task of the runtime that its callers run on. When a command arrives it first steps
//! back, so that everybody who is ready brings theirs too, and then writes them in one commit: a
//! commit is shared under load, nobody waits for company without load, and no thread has to be
//! woken on the way of a call. When commits wait for the disk ([`Durability::Power`]) it has a
//! thread of its own, so that no caller's thread waits with it.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use crate::command::Command;
use crate::config::Durability;
use crate::depth::Depths;
use crate::effect::{Effect, Reply};
use crate::error::{Error, Refusal};
use crate::ledger::{Ledger, Sweep};
use crate::store::Lock;
use crate::task::{Answered, Millis, Stepped, now};

/// The most commands of one commit: bounds how long the first of them waits.
const BATCH: usize = 256;

/// How often the writer steps back before a commit.
const MOST_STEPS_BACK: usize = 8;

/// How long the writer rests after the store has failed.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// The longest sleep while nothing happens: a clock that is set back is noticed after it.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What has been asked and not yet been done.
#[derive(Debug, Default)]
struct Queue {
    commands: VecDeque<Command>,
    closed: bool,
}

/// The way to the writer, shared by all handles.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Queue>,
    arrived: Notify,
}

/// What only the writer touches.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) ledger: Ledger,
    pub(crate) sweep: Sweep,
    pub(crate) depths: Depths,
    /// Wakes the checkpointer; full means that it is awake already.
    pub(crate) dirty: SyncSender<()>,
    pub(crate) stopped: Vec<Reply<()>>,
    /// Held as long as anybody could write.
    pub(crate) _lock: Lock,
}

impl Writer {
    /// Starts the writer. With [`Durability::Process`] it runs on the current runtime.
    pub(crate) fn start(desk: Desk, durability: Durability) -> Result<Arc<Self>, Error> {
        let writer = Arc::new(Self {
            queue: Mutex::default(),
            arrived: Notify::new(),
        });
        let ours = Arc::clone(&writer);
        match durability {
            Durability::Process => {
                let runtime =
                    tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
                runtime.spawn(ours.run(desk));
            }
            Durability::Power => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()?;
                thread::Builder::new()
                    .name("broker-writer".to_owned())
                    .spawn(move || runtime.block_on(ours.run(desk)))?;
            }
        }
        Ok(writer)
    }

    /// Takes a command; its answer comes by its reply.
    pub(crate) fn submit(&self, command: Command) -> Result<(), Error> {
        let is_first = {
            let mut queue = self.queue();
            if queue.closed {
                return Err(Error::Stopped);
            }
            queue.commands.push_back(command);
            queue.commands.len() == 1
        };
        if is_first {
            self.arrived.notify_one();
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
        self.arrived.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch, and whether the writer is closed.
    fn take(&self) -> (VecDeque<Command>, bool) {
        let mut queue = self.queue();
        let batch = if queue.commands.len() <= BATCH {
            std::mem::take(&mut queue.commands)
        } else {
            queue.commands.drain(..BATCH).collect()
        };
        (batch, queue.closed)
    }

    async fn run(self: Arc<Self>, mut desk: Desk) {
        loop {
            self.gather().await;
            let (batch, closed) = self.take();
            if closed {
                return;
            }
            let due = desk.ledger.next_wake(&desk.sweep);
            if batch.is_empty() && now() < due {
                let sleep = Duration::from_millis(u64::try_from(due - now()).unwrap_or(0));
                // Elapsed or notified: the loop finds out.
                let sleep = sleep.min(LONGEST_SLEEP);
                let _ = tokio::time::timeout(sleep, self.arrived.notified()).await;
                continue;
            }
            if desk.write(batch).is_err() {
                // The store fails: time for it to come back, rather than a busy loop.
                tokio::time::sleep(FAILURE_PAUSE).await;
            }
            if desk.ledger.is_drained() {
                self.close();
                for done in desk.stopped.drain(..) {
                    let _ = done.send(());
                }
            }
        }
    }

    /// Steps back for as long as others bring commands.
    async fn gather(&self) {
        let mut seen = 0;
        for _ in 0..MOST_STEPS_BACK {
            tokio::task::yield_now().await;
            let waiting = self.queue().commands.len();
            if waiting == seen {
                return;
            }
            seen = waiting;
        }
    }
}

impl Desk {
    /// Writes a batch and tells what came of it. An error has been logged and told.
    fn write(&mut self, mut batch: VecDeque<Command>) -> Result<(), ()> {
        let by_clock = batch.is_empty();
        let written = match self.batch(&mut batch) {
            Ok(()) => {
                self.depths.count_commit();
                Ok(())
            }
            Err(error) => {
                self.ledger.rollback(&error);
                let why = error.to_string();
                batch.into_iter().for_each(|command| command.fail(&why));
                Err(())
            }
        };
        self.depths.publish(self.ledger.lanes());
        if !by_clock {
            // A full channel means that the checkpointer is awake already.
            let _ = self.dirty.try_send(());
        }
        written
    }

    /// Does what is in the batch; after an error, what was not begun is left in it.
    fn batch(&mut self, commands: &mut VecDeque<Command>) -> rusqlite::Result<()> {
        let now = now();
        self.ledger.begin()?;
        self.ledger.renew_waits()?;
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
            Command::Publish {
                entries,
                note,
                reply,
            } => {
                let published = ledger.publish(entries, note.as_ref(), now);
                let (answer, error) = split(published, Err(Refusal::Stopping));
                ledger.tell(Effect::Published(reply, answer));
                error
            }
            Command::Redrive(selection, reply) => {
                let (redriven, error) = split(ledger.redrive(&selection, now), Ok(Vec::new()));
                ledger.tell(Effect::Redriven(reply, redriven));
                error
            }
            Command::Discard(selection, reason, reply) => {
                let discarded = ledger.discard(&selection, &reason, now);
                let (discarded, error) = split(discarded, Vec::new());
                ledger.tell(Effect::Discarded(reply, discarded));
                error
            }
            Command::Note(note, reply) => {
                let ((), error) = split(ledger.put_note(&note), ());
                ledger.tell(Effect::Noted(reply));
                error
            }
            Command::Hold { pool, held, done } => {
                ledger.hold(pool.as_ref(), held);
                let _ = done.send(());
                Ok(())
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
            Command::Answer {
                task,
                principal,
                round,
                given,
                reply,
            } => {
                let answered = ledger.answer(task, principal.as_deref(), round, &given, now);
                let (answered, error) = split(answered, Answered::Unknown);
                ledger.tell(Effect::Answered(reply, answered));
                error
            }
            Command::Step {
                task,
                token,
                name,
                result,
                reply,
            } => {
                let stepped = ledger.step(task, token, &name, &result);
                let (stepped, error) = split(stepped, Stepped::NotRunning);
                ledger.tell(Effect::Stepped(reply, stepped));
                error
            }
            Command::Standing(task, reply) => {
                let standing = Box::new(ledger.unstored(task));
                ledger.tell(Effect::Stands(reply, standing));
                Ok(())
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
