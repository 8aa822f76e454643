//! What a handler knows of its call, and what it can tell while it runs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dormouse_contract::task::Client;
use dormouse_contract::trace::TraceParent;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::delivery::Attempt;
use crate::reports::{Level, Reports};

/// The call that a handler works on. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    call: Arc<Call>,
}

struct Call {
    attempt: Arc<Attempt>,
    capability: String,
    client: Client,
    cancelled: CancellationToken,
    reports: Option<Reports>,
}

impl Context {
    pub(crate) fn new(
        attempt: Arc<Attempt>,
        capability: String,
        client: Client,
        cancelled: CancellationToken,
        reports: Option<Reports>,
    ) -> Self {
        Self {
            call: Arc::new(Call {
                attempt,
                capability,
                client,
                cancelled,
                reports,
            }),
        }
    }

    /// The context of no call: for testing a handler as the plain function it is. What it tells
    /// goes nowhere, and it is never cancelled.
    ///
    /// ```
    /// # use dormouse_function::{Context, NoArguments, ToolError};
    /// # async fn squeak(_: Context, _: NoArguments) -> Result<&'static str, ToolError> { Ok("eek") }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert_eq!(squeak(Context::detached(), NoArguments {}).await, Ok("eek"));
    /// # });
    /// ```
    #[must_use]
    pub fn detached() -> Self {
        Self::new(
            Arc::new(Attempt::nobodys()),
            String::new(),
            Client::default(),
            CancellationToken::new(),
            None,
        )
    }

    /// Tells how far the call is, in any unit, of how much if that is known, and what is being
    /// done (may be empty). Returns at once. MCP asks that `done` rises: what does not is not
    /// told, and neither is anything when the client gave no progress token.
    ///
    /// ```
    /// # let cx = dormouse_function::Context::detached();
    /// cx.progress(3.0, 10.0, "third lesson");
    /// cx.progress(4.0, None, "");
    /// ```
    pub fn progress(&self, done: f64, total: impl Into<Option<f64>>, message: &str) {
        if let Some(reports) = &self.call.reports {
            reports.progress(done, total.into(), message);
        }
    }

    /// Sends a log message to the client: a text, or any data. Returns at once. Not told when the
    /// client wants no logs of this level. For the function's own log use `tracing`.
    pub fn log(&self, level: Level, data: impl Serialize) {
        if let Some(reports) = &self.call.reports {
            reports.log(level, data);
        }
    }

    /// Waits until the progress and logs told so far have been taken, at most two seconds. Needed
    /// only where each single one must arrive: before the answer this happens by itself.
    pub async fn flush(&self) {
        if let Some(reports) = &self.call.reports {
            reports.flush().await;
        }
    }

    /// Resolves when nobody waits for the answer any more: the call was cancelled, or its time is
    /// up. The handler then has a few seconds to clean up before it is dropped.
    ///
    /// ```no_run
    /// # async fn work() -> u32 { 1 }
    /// # async fn handler(cx: dormouse_function::Context) -> Option<u32> {
    /// tokio::select! {
    ///     result = work() => Some(result),
    ///     () = cx.cancelled() => None,
    /// }
    /// # }
    /// ```
    pub async fn cancelled(&self) {
        self.call.cancelled.cancelled().await;
    }

    /// Whether nobody waits for the answer any more; for loops that do not await.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.call.cancelled.is_cancelled()
    }

    /// When the platform stops waiting for this attempt, if it said so.
    #[must_use]
    pub fn deadline(&self) -> Option<SystemTime> {
        self.call.attempt.deadline.map(SystemTime::from)
    }

    /// How long the platform will still wait; zero when the time is up.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.call.attempt.deadline?;
        let left = deadline.duration_since(Timestamp::now());
        Some(Duration::try_from(left).unwrap_or_default())
    }

    /// The task's id: the same in all attempts, so good as a key for work that must not be done
    /// twice.
    #[must_use]
    pub fn task_id(&self) -> &str {
        &self.call.attempt.task
    }

    /// The tool's name, or the event's type.
    #[must_use]
    pub fn capability(&self) -> &str {
        &self.call.capability
    }

    /// Which delivery this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.call.attempt.attempt
    }

    /// Who calls: issuer and subject, e.g. `local/anonymous`.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.call.attempt.principal
    }

    /// The W3C trace context of the call, for requests that the handler makes: the header
    /// `traceparent` of its text.
    #[must_use]
    pub fn traceparent(&self) -> TraceParent {
        self.call.attempt.trace
    }

    /// What the MCP client is and can do; empty in a task of an event.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.call.client
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Context")
            .field("task", &self.call.attempt.task)
            .field("capability", &self.call.capability)
            .finish_non_exhaustive()
    }
}
