//! What a delivery is for: which capability, what it is given, how its round ends.

use std::sync::Arc;

use dormouse_contract::Event;
use dormouse_contract::suspension::DIFFERENT_REPLAY;
use dormouse_contract::task::{Client, Outcome, Requested, TaskError};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::ToolError;
use crate::context::{self, Context};
use crate::delivery::Attempt;
use crate::outlet::Outlet;
use crate::reaction::Reaction;
use crate::replay::{Audience, Replay};
use crate::reply::{self, Reply};
use crate::reports::Reports;
use crate::round::{self, Round};
use crate::running::catch_panic;
use crate::server::Service;

/// One delivery of a call.
pub(crate) struct Delivered<'a> {
    pub service: &'a Arc<Service>,
    pub attempt: Arc<Attempt>,
    requested: Requested<'a>,
    cancelled: CancellationToken,
}

/// Answers a `task.requested` event.
pub(crate) async fn answer(
    service: &Arc<Service>,
    attempt: Attempt,
    data: &[u8],
    cancelled: CancellationToken,
) -> Reply {
    let requested: Requested<'_> = match serde_json::from_slice(data) {
        Ok(requested) => requested,
        Err(error) => {
            let words = format!("the event's data is no request of the platform: {error}");
            return reply::refused(StatusCode::BAD_REQUEST, words);
        }
    };
    let delivered = Delivered {
        service,
        attempt: Arc::new(attempt),
        requested,
        cancelled,
    };
    let answer = match delivered.requested.method.as_ref() {
        "tools/call" => delivered.call_tool().await,
        "prompts/get" => delivered.get_prompt().await,
        "resources/read" => delivered.read_resource().await,
        "completion/complete" => delivered.complete().await,
        other => {
            let words = format!("this function serves no `{other}`");
            Err(reply::error(reply::METHOD_NOT_FOUND, words))
        }
    };
    answer.unwrap_or_else(|error| {
        reply::failed(&delivered.attempt, &service.source, error, Outcome::NotRun)
    })
}

impl<'a> Delivered<'a> {
    /// The request's params, as far as a method looks at them.
    pub(crate) fn params<P: Deserialize<'a>>(&self) -> Result<P, TaskError> {
        serde_json::from_str(self.requested.params.get()).map_err(|error| {
            let method = &self.requested.method;
            let words = format!("the params of `{method}` are not valid: {error}");
            reply::error(reply::INVALID_PARAMS, words)
        })
    }

    pub(crate) fn context(&self, capability: &str) -> Context {
        let (service, attempt) = (self.service, &self.attempt);
        let (source, sink) = (&service.source, service.sink.as_ref());
        Context::new(context::Call {
            attempt: Arc::clone(attempt),
            capability: capability.to_owned(),
            client: self.requested.client.clone(),
            cancelled: self.cancelled.clone(),
            reports: Reports::wanted(attempt, &self.requested.client, source, sink),
            replay: Replay::of(&self.requested, service.revision.as_deref()),
            outlet: Outlet::of(attempt, source, sink),
            service: Some(Arc::clone(service)),
            begun: 0.into(),
        })
    }

    /// Runs a handler for one round, and says how it ended. `refuse` turns what only a tool can
    /// answer with into an error of the method.
    pub(crate) async fn run<R: Serialize>(
        &self,
        cx: &Context,
        handler: impl Future<Output = Result<R, ToolError>>,
        refuse: impl Fn(ToolError) -> ToolError,
    ) -> Reply {
        let (attempt, source) = (&*self.attempt, &self.service.source);
        let round = round::run(catch_panic(handler), cx.replay(), &self.cancelled).await;
        cx.flush().await;
        let differs = |words: String| {
            tracing::warn!(words, "the replay differs");
            let error = reply::error(DIFFERENT_REPLAY, words);
            reply::failed(attempt, source, error, Outcome::Failed)
        };
        let unless_different = |reply: &dyn Fn() -> Reply| match cx.replay().difference_at_end() {
            Some(words) => differs(words),
            None => reply(),
        };
        match round {
            Round::Differs(words) => differs(words),
            Round::Asking(Ok(asks)) => unless_different(&|| {
                tracing::debug!("suspended");
                reply::suspended(attempt, source, asks.clone())
            }),
            Round::Asking(Err(error)) => reply::broken(
                attempt,
                source,
                format!("an ask cannot be written: {error}"),
            ),
            Round::Ended(Ok(Ok(result))) => unless_different(&|| {
                tracing::debug!("completed");
                reply::completed(attempt, source, &result)
            }),
            Round::Ended(Ok(Err(error))) => {
                tracing::info!(%error, "the handler has no result");
                match error {
                    ToolError::Caller(_) => unless_different(&|| {
                        reply::tool_error(attempt, source, refuse(error.clone()))
                    }),
                    ToolError::Retryable { .. }
                    | ToolError::Internal(_)
                    | ToolError::Protocol { .. } => reply::tool_error(attempt, source, error),
                }
            }
            Round::Ended(Err(panic)) => {
                tracing::error!(panic, "the handler panicked");
                let words = format!(
                    "`{}` crashed: its log says where; a second try will hardly help",
                    cx.capability()
                );
                reply::broken(attempt, source, words)
            }
        }
    }
}

/// Answers any other event.
pub(crate) async fn react(
    service: &Arc<Service>,
    attempt: Attempt,
    event: Event,
    cancelled: CancellationToken,
) -> Reply {
    let Some(reaction) = service.reaction(&event) else {
        // Not 404, which Knative would retry.
        return reply::refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!(
                "this function does not react to events of type `{}`",
                event.ty
            ),
        );
    };
    let attempt = Arc::new(attempt);
    let cx = Context::new(context::Call {
        outlet: Outlet::of(&attempt, &service.source, service.sink.as_ref()),
        attempt,
        capability: event.ty.clone(),
        client: Client::default(),
        cancelled,
        reports: None,
        replay: Replay::nobodys(Audience::Nobody),
        service: Some(Arc::clone(service)),
        begun: 0.into(),
    });
    run_reaction(reaction, cx, event).await
}

async fn run_reaction(reaction: &Reaction, cx: Context, event: Event) -> Reply {
    let work = async {
        let mut events = reaction.react(cx.clone(), event).await?;
        let reply = events.pop();
        cx.emit(events).await?;
        Ok(reply)
    };
    match catch_panic(work).await {
        Ok(Ok(reply)) => reply::reacted(reply),
        Ok(Err(error)) => {
            tracing::info!(%error, "the event was not taken");
            reply::reaction_error(error)
        }
        Err(panic) => {
            tracing::error!(panic, "the handler panicked");
            reply::refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the handler crashed: its log says where",
            )
        }
    }
}
