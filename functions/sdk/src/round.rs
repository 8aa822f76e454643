//! One round: a handler runs until it ends, or until it can go no further without an answer.
//!
//! # The rule
//!
//! A round ends with its open asks when a poll of the handler returned pending, an ask was polled
//! in it, nobody has woken the handler meanwhile, and nobody holds its waker any more. An ask
//! never keeps the waker: what comes for it comes with the next round. Everything else that a
//! handler can wait for (a timer, a socket, a channel, another task) must keep a clone, or nobody
//! could ever wake the handler; so clones tell whether other work goes on.
//!
//! Some things keep a clone that they will never use: a socket whose read was given up, a channel
//! whose receiver was polled once. So before a round is held open for somebody's clone, the
//! handler is polled once more with a fresh waker, of which only those take a clone who still
//! wait.
//!
//! # Its limits
//!
//! A combinator that hands out wakers of its own (`FuturesUnordered`, `buffer_unordered`, `shared`,
//! `join_all` of more than thirty, a spawned task) hides who waits behind it. An ask that is
//! polled with such a waker says so in an error, instead of waiting for ever.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio_util::sync::CancellationToken;

use crate::replay::Replay;

/// How a round ended.
pub(crate) enum Round<T> {
    /// The handler is done.
    Ended(T),
    /// Only asks are left: the data of a `task.suspended` event with all that are open.
    Asking(serde_json::Result<Vec<u8>>),
    /// The handler went another way than in the rounds before, as these words say.
    Differs(String),
}

/// The handler's own waker: whoever keeps it keeps the round.
struct Signal {
    woken: AtomicBool,
    /// Who polls the round.
    relay: Arc<AtomicWaker>,
}

impl Signal {
    fn new(relay: &Arc<AtomicWaker>) -> Arc<Self> {
        Arc::new(Self {
            woken: AtomicBool::new(false),
            relay: Arc::clone(relay),
        })
    }

    /// Whether nobody woke the handler and nobody can.
    fn is_forgotten(self: &mut Arc<Self>) -> bool {
        // Who wakes sets the flag before letting go, and `get_mut` sees what came before.
        Arc::get_mut(self).is_some_and(|signal| !*signal.woken.get_mut())
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.relay.wake();
    }
}

/// Runs a handler for one round.
pub(crate) async fn run<T>(
    handler: impl Future<Output = T>,
    replay: &Replay,
    cancelled: &CancellationToken,
) -> Round<T> {
    let mut handler = pin!(handler);
    let mut cancelled = pin!(cancelled.cancelled());
    let relay = Arc::new(AtomicWaker::new());
    let mut signal = Signal::new(&relay);
    poll_fn(|task| {
        relay.register(task.waker());
        // On behalf of the handler, whose `Context::cancelled` keeps no waker either.
        let _ = cancelled.as_mut().poll(task);
        let mut fresh = false;
        loop {
            signal.woken.store(false, Ordering::Release);
            if let Poll::Ready(ended) =
                poll_once(&signal, replay, |task| handler.as_mut().poll(task))
            {
                return Poll::Ready(match replay.difference() {
                    Some(words) => Round::Differs(words),
                    None => Round::Ended(ended),
                });
            }
            if let Some(words) = replay.difference() {
                return Poll::Ready(Round::Differs(words));
            }
            if !replay.is_asking() {
                return Poll::Pending;
            }
            if signal.is_forgotten() {
                // Written before the handler is dropped, and its asks with it.
                return Poll::Ready(Round::Asking(replay.suspended()));
            }
            if fresh || signal.woken.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            fresh = true;
            signal = Signal::new(&relay);
        }
    })
    .await
}

fn poll_once<T>(
    signal: &Arc<Signal>,
    replay: &Replay,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let waker = Waker::from(Arc::clone(signal));
    replay.polling(&waker);
    poll(&mut Context::from_waker(&waker))
}

#[cfg(test)]
#[path = "round_tests.rs"]
mod tests;
