//! What a handler knows of its call, and what it can tell while it runs.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use dormouse_contract::task::Client;
use dormouse_contract::trace::TraceParent;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::delivery::Attempt;
use crate::outlet::Outlet;
use crate::replay::{Audience, Given, Replay};
use crate::reports::{Level, Reports};
use crate::server::Service;

/// The call that a handler works on. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    call: Arc<Call>,
}

/// What a [`Context`] is made of.
pub(crate) struct Call {
    pub attempt: Arc<Attempt>,
    pub capability: String,
    pub client: Client,
    pub cancelled: CancellationToken,
    pub reports: Option<Reports>,
    pub replay: Replay,
    pub outlet: Option<Outlet>,
    pub service: Option<Arc<Service>>,
    /// How many events were begun.
    pub begun: AtomicU64,
}

impl Context {
    pub(crate) fn new(call: Call) -> Self {
        Self {
            call: Arc::new(call),
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
        Self::alone(Replay::nobodys(Audience::Nobody))
    }

    /// The same for a handler that asks: the client's results by the name of their ask, as MCP
    /// writes them. Other asks fail, because there is nobody to ask.
    ///
    /// ```
    /// # use dormouse_function::{Context, NoArguments, ToolError};
    /// # #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// # struct Class { grade: u8 }
    /// # async fn lesson(cx: Context, _: NoArguments) -> Result<u8, ToolError> {
    /// #     let class = cx.elicit::<Class>("class", "Who is it for?").await?.accepted();
    /// #     Ok(class.map_or(0, |class| class.grade))
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let answer = serde_json::json!({"action": "accept", "content": {"grade": 4}});
    /// let cx = Context::rehearsed([("class", answer)]);
    /// assert_eq!(lesson(cx, NoArguments {}).await, Ok(4));
    /// # });
    /// ```
    #[must_use]
    pub fn rehearsed<'a>(answers: impl IntoIterator<Item = (&'a str, serde_json::Value)>) -> Self {
        let given = answers.into_iter().map(|(name, result)| {
            // A `Value` has nothing that could not be written.
            let raw = RawValue::from_string(result.to_string()).unwrap_or_default();
            (name.to_owned(), Given::Result(raw))
        });
        Self::alone(Replay::rehearsed(given.collect()))
    }

    fn alone(replay: Replay) -> Self {
        Self::new(Call {
            attempt: Arc::new(Attempt::nobodys()),
            capability: String::new(),
            client: Client::default(),
            cancelled: CancellationToken::new(),
            reports: None,
            replay,
            outlet: None,
            service: None,
            begun: 0.into(),
        })
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
        let mut cancelled = pin!(self.call.cancelled.cancelled());
        std::future::poll_fn(|task| {
            // Whoever polls the handler looks at the token too, so that waiting for it here does
            // not look like work that goes on.
            match self.call.cancelled.is_cancelled() {
                true => Poll::Ready(()),
                false if self.call.replay.is_handlers(task.waker()) => Poll::Pending,
                false => cancelled.as_mut().poll(task),
            }
        })
        .await;
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

    /// The name of the tool or prompt, the resource's URI, or the event's type.
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

    /// What the MCP client is and can do; empty in a task of an event. Look before you ask with
    /// [`Client::can_elicit`], [`Client::can_elicit_url`], [`Client::can_sample`] and
    /// [`Client::has_roots`].
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.call.client
    }

    pub(crate) fn replay(&self) -> &Replay {
        &self.call.replay
    }

    /// Where events of the handler go, if the platform would take them.
    pub(crate) fn outlet(&self) -> Option<&Outlet> {
        self.call.outlet.as_ref()
    }

    /// The function that the handler belongs to; none in a test.
    pub(crate) fn service(&self) -> Option<&Service> {
        self.call.service.as_deref()
    }

    pub(crate) fn begun(&self) -> &AtomicU64 {
        &self.call.begun
    }

    /// What proves to the platform that an event comes from this task: its id and the attempt's
    /// token.
    pub(crate) fn proof(&self) -> Option<(&str, &str)> {
        let attempt = &self.call.attempt;
        Some((&attempt.task, attempt.token()?))
    }

    /// Whether a platform delivered this call.
    pub(crate) fn is_platforms(&self) -> bool {
        self.call.attempt.has_token()
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
