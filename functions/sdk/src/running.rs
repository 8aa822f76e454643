//! A handler at work: it survives its own panics, and the caller who hangs up.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{Instrument as _, Span};

use crate::reply::Reply;

/// Runs where it is polled, so that a call costs no task of its own. Only when it is dropped
/// unfinished, because the connection broke or the platform gave up, it moves to a task: the
/// handler sees that it is cancelled and gets some time to clean up.
pub(crate) struct Running {
    work: Option<BoxFuture<'static, Reply>>,
    cancelled: CancellationToken,
    grace: Duration,
    span: Span,
    /// Holds up the end of the process until the handler is done.
    busy: Option<TaskTrackerToken>,
}

impl Running {
    pub(crate) fn new(
        work: impl Future<Output = Reply> + Send + 'static,
        cancelled: CancellationToken,
        grace: Duration,
        span: Span,
        busy: TaskTrackerToken,
    ) -> Self {
        Self {
            work: Some(Box::pin(work.instrument(span.clone()))),
            cancelled,
            grace,
            span,
            busy: Some(busy),
        }
    }
}

impl Future for Running {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Reply> {
        let Some(work) = self.work.as_mut() else {
            return Poll::Pending;
        };
        let reply = std::task::ready!(work.as_mut().poll(task));
        self.work = None;
        self.busy = None;
        Poll::Ready(reply)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else {
            return;
        };
        self.cancelled.cancel();
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let (grace, busy) = (self.grace, self.busy.take());
        let clean_up = async move {
            if tokio::time::timeout(grace, work).await.is_err() {
                tracing::warn!(
                    ?grace,
                    "the handler was dropped: cancelled, and not done in time"
                );
            }
            drop(busy);
        };
        self.span
            .in_scope(|| tracing::info!("nobody waits any more: the handler is cancelled"));
        runtime.spawn(clean_up.instrument(self.span.clone()));
    }
}

/// Runs a handler to its end, which may be a panic. The default hook has told where on stderr.
pub(crate) async fn catch_panic<T>(work: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .map_err(|panic| words(panic.as_ref()).to_owned())
}

fn words(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "no words",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio_util::task::TaskTracker;

    use super::*;

    async fn drop_half_way(grace: Duration, cleans_up: bool) -> bool {
        let (cancelled, done) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let (seen, told) = (cancelled.clone(), Arc::clone(&done));
        let work = async move {
            seen.cancelled().await;
            if !cleans_up {
                std::future::pending::<()>().await;
            }
            told.store(true, Ordering::SeqCst);
            Reply::default()
        };
        let busy = TaskTracker::new();
        let mut running = Running::new(work, cancelled, grace, Span::none(), busy.token());
        assert!((&mut running).now_or_never().is_none());
        drop(running);
        busy.close();
        busy.wait().await;
        done.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn a_dropped_handler_may_clean_up_but_not_for_ever() {
        assert!(drop_half_way(Duration::from_secs(60), true).await);
        assert!(!drop_half_way(Duration::from_millis(1), false).await);
    }

    #[tokio::test]
    async fn panics_become_words() {
        let panics = catch_panic(async { panic!("{} mice", 3) }).await;
        assert_eq!(panics, Err::<(), _>("3 mice".to_owned()));
        assert_eq!(catch_panic(async { 1 }).await, Ok(1));
    }
}
