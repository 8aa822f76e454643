//! Events that a handler sends besides its answer.

use std::sync::atomic::Ordering;

use cloudevents::EventBuilder as _;
use cloudevents::event::EventBuilderV10;
use dormouse_contract::task::{ATTEMPT_TOKEN, TASK_ID, TRACEPARENT};
use dormouse_contract::{Event, http_binding};

use crate::context::Context;
use crate::error::ToolError;
use crate::event::IntoEvents;

impl Context {
    /// Sends events to `K_SINK`, one after the other; returns when the platform has stored them. It
    /// brings them to whoever has a trigger for them. They belong to the trace of this task, unless
    /// they say that they belong to another.
    ///
    /// A handler that runs again sends its events again. [`new_event`](Self::new_event) gives them
    /// the same ids in every run, by which the platform knows a repetition and drops it.
    ///
    /// ```
    /// use dormouse_function::cloudevents::EventBuilder;
    /// use dormouse_function::{Context, NoArguments, ToolError};
    /// use serde_json::json;
    ///
    /// async fn publish(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    ///     let lesson = json!({"title": "Fractions"});
    ///     let event = cx.new_event("org.example.lesson.published");
    ///     cx.emit(event.data("application/json", lesson).build()?).await?;
    ///     Ok("published")
    /// }
    /// # let _ = publish;
    /// ```
    ///
    /// # Errors
    /// [`ToolError::Retryable`], when the platform did not take one; [`ToolError::Internal`], when
    /// it refused one, when one is not valid (then none is sent), or when there is no `K_SINK`. A
    /// [`detached`](Self::detached) context takes every valid event and sends none.
    pub async fn emit(&self, events: impl IntoEvents) -> Result<(), ToolError> {
        for event in events.into_events()? {
            self.send(event).await?;
        }
        Ok(())
    }

    /// An event of this type to begin with: its `source` is the pool, its `id` is made of the task's
    /// and of how many events were begun before it, so it is the same in every run of a handler that
    /// begins its events in the same order.
    #[must_use]
    pub fn new_event(&self, ty: impl Into<String>) -> EventBuilderV10 {
        let number = self.begun().fetch_add(1, Ordering::Relaxed);
        let source = self
            .service()
            .and_then(|service| service.source.to_str().ok());
        EventBuilderV10::new()
            .id(format!("{}/event/{number}", self.task_id()))
            .source(source.unwrap_or("/pools/detached"))
            .ty(ty)
    }

    async fn send(&self, mut event: Event) -> Result<(), ToolError> {
        let Some(service) = self.service() else {
            return Ok(());
        };
        let Some(sink) = &service.sink else {
            return Err(ToolError::internal(format!(
                "an event of type `{}` cannot be sent: K_SINK is not set",
                event.ty
            )));
        };
        let ty = event.ty.clone();
        if !event.extensions.contains_key(TRACEPARENT) {
            let trace = self.traceparent().to_string();
            event = event.with_extension(TRACEPARENT, trace);
        }
        if let Some((task, token)) = self.proof() {
            event = event
                .with_extension(TASK_ID, task)
                .with_extension(ATTEMPT_TOKEN, token);
        }
        let (headers, data) = http_binding::write(sink.overridden(event));
        sink.post(headers, data).await.map_err(|error| {
            let words = format!("an event of type `{ty}` was not sent: {error}");
            match error.is_final() {
                true => ToolError::Internal(words),
                false => ToolError::retryable(words),
            }
        })
    }
}
