//! The writer: one thread that owns the store and takes commands in batches.
//!
//! All commands that have arrived while the batch before was committed form the next one, so the
//! cost of a commit is shared under load and nobody waits for company without load.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::depth::Depths;
use crate::effect::{Effect, Reply};
use crate::error::{Error, Refusal};
use crate::ledger::{Ledger, Sweep};
use crate::task::{Accepted, AttemptToken, Millis, NewTask, Report, State, TaskId};

/// The most commands of one commit: bounds how long the first of them waits.
const BATCH: usize = 256;

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

/// The writer's thread.
pub(crate) struct Writer {
    pub(crate) ledger: Ledger,
    pub(crate) commands: Receiver<Command>,
    /// Wakes the checkpointer; full means that it is awake already.
    pub(crate) dirty: SyncSender<()>,
    pub(crate) depths: Depths,
}

impl Writer {
    /// Runs until it is told to stop and nothing runs any more, or all handles are gone.
    pub(crate) fn run(mut self) {
        let mut sweep = Sweep::new(now());
        let mut stopped = Vec::new();
        loop {
            let wake = self.ledger.next_wake(&sweep);
            let wait = Duration::from_millis(u64::try_from(wake - now()).unwrap_or(0));
            let first = match self
                .commands
                .recv_timeout(wait.min(Duration::from_secs(3_600)))
            {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            match self.batch(first, &mut sweep, &mut stopped) {
                Ok(()) => self.depths.count_commit(),
                Err(error) => self.ledger.rollback(&error),
            }
            self.depths.publish(self.ledger.lanes());
            // Ignored: a full channel means that the checkpointer is awake already.
            let _ = self.dirty.try_send(());
            if self.ledger.is_drained() {
                for done in stopped {
                    let _ = done.send(());
                }
                return;
            }
        }
    }

    fn batch(
        &mut self,
        first: Option<Command>,
        sweep: &mut Sweep,
        stopped: &mut Vec<Reply<()>>,
    ) -> rusqlite::Result<()> {
        let now = now();
        self.ledger.begin()?;
        let mut next = first;
        let mut taken = 0;
        while let Some(command) = next.take() {
            self.apply(command, now, stopped)?;
            taken += 1;
            if taken < BATCH {
                next = self.commands.try_recv().ok();
            }
        }
        self.ledger.sweep(sweep, now)?;
        self.ledger.fill(now)?;
        self.ledger.commit()
    }

    /// Applies one command. When the store fails, the reply goes with the batch's effects.
    fn apply(
        &mut self,
        command: Command,
        now: Millis,
        stopped: &mut Vec<Reply<()>>,
    ) -> rusqlite::Result<()> {
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
                stopped.push(done);
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
