//! The way of one request: which door, may it in, what it brings, what is answered.

use std::sync::Arc;

use bytes::Bytes;
use dormouse_contract::Event;
use dormouse_contract::http_binding::BindingError;
use dormouse_contract::task::{DELIVERY_SECRET_HEADER, Outcome, Requested};
use http::header::{ALLOW, CONNECTION, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Version};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;
use tracing::field;

use crate::context::Context;
use crate::delivery::{self, Attempt, Delivery};
use crate::reaction::Reaction;
use crate::reply::{self, Reply};
use crate::reports::Reports;
use crate::running::{Running, catch_panic};
use crate::server::Service;
use crate::tool::Tool;

/// The one MCP method that functions of this version serve.
const CALL_TOOL: &str = "tools/call";

/// Answers one request.
pub(crate) async fn answer<B>(service: Arc<Service>, request: Request<B>) -> Reply
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let (method, version) = (request.method(), request.version());
    let mut reply = match (request.uri().path(), method) {
        ("/", &Method::POST) => deliver(&service, request).await,
        ("/capabilities", &Method::GET | &Method::HEAD) => capabilities(&service),
        ("/health/readiness", &Method::GET | &Method::HEAD) => readiness(&service),
        ("/health/liveness", &Method::GET | &Method::HEAD) => {
            reply::refused(StatusCode::OK, "alive")
        }
        ("/", _) => wrong_method("POST", "send events to `/` by POST"),
        ("/capabilities" | "/health/readiness" | "/health/liveness", _) => {
            wrong_method("GET", "this path is only for reading: use GET")
        }
        (_, _) => reply::refused(
            StatusCode::NOT_FOUND,
            "nothing is here: events go to `/`, the manifest is at `/capabilities`",
        ),
    };
    if service.is_stopping() && version < Version::HTTP_2 {
        let close = HeaderValue::from_static("close");
        reply.headers_mut().insert(CONNECTION, close);
    }
    reply
}

fn wrong_method(allowed: &'static str, words: &str) -> Reply {
    let mut reply = reply::refused(StatusCode::METHOD_NOT_ALLOWED, words);
    let allowed = HeaderValue::from_static(allowed);
    reply.headers_mut().insert(ALLOW, allowed);
    reply
}

fn capabilities(service: &Service) -> Reply {
    match service.manifest() {
        Ok(manifest) => reply::json(manifest),
        Err(words) => reply::refused(StatusCode::INTERNAL_SERVER_ERROR, words),
    }
}

fn readiness(service: &Service) -> Reply {
    match service.is_stopping() {
        false => reply::refused(StatusCode::OK, "ready"),
        true => stopping(),
    }
}

fn stopping() -> Reply {
    reply::not_run(
        StatusCode::SERVICE_UNAVAILABLE,
        "this instance is stopping: deliver to another",
    )
}

async fn deliver<B>(service: &Arc<Service>, request: Request<B>) -> Reply
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let (head, body) = request.into_parts();
    if !is_trusted(service.secret.as_deref(), &head.headers) {
        return reply::not_run(
            StatusCode::UNAUTHORIZED,
            "deliveries to this function carry a secret: send its pool's in `dormouse-delivery-secret`",
        );
    }
    let body = match Limited::new(body, service.body_limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let words = format!("the event is larger than {} bytes", service.body_limit);
            return reply::refused(StatusCode::PAYLOAD_TOO_LARGE, words);
        }
        Err(error) => return reply::refused(StatusCode::BAD_REQUEST, error.to_string()),
    };
    // Counted from before the question to the end of the handler, so that a stop misses nobody.
    let busy = service.running.token();
    if service.is_stopping() {
        return stopping();
    }
    let delivery = match delivery::read(&head.headers, body) {
        Ok(delivery) => delivery,
        Err(error) => return reply::refused(invalid_status(&error), error.to_string()),
    };
    let (Delivery::Call(attempt, _) | Delivery::Event(attempt, _)) = &delivery;
    if attempt
        .deadline
        .is_some_and(|deadline| deadline <= Timestamp::now())
    {
        return reply::not_run(
            StatusCode::SERVICE_UNAVAILABLE,
            "the attempt's deadline had passed before it arrived",
        );
    }
    let cancelled = CancellationToken::new();
    let span = tracing::info_span!(
        "task",
        task = attempt.task,
        capability = attempt.subject,
        trace = field::Empty
    );
    if !span.is_disabled() {
        span.record("trace", attempt.trace.trace_id());
    }
    let work = {
        let (service, cancelled) = (Arc::clone(service), cancelled.clone());
        async move {
            match delivery {
                Delivery::Call(attempt, data) => call(&service, attempt, &data, cancelled).await,
                Delivery::Event(attempt, event) => {
                    react(&service, attempt, *event, cancelled).await
                }
            }
        }
    };
    Running::new(work, cancelled, service.grace, span, busy).await
}

fn is_trusted(secret: Option<&str>, headers: &HeaderMap) -> bool {
    secret.is_none_or(|secret| {
        headers
            .get(DELIVERY_SECRET_HEADER)
            .is_some_and(|sent| sent.as_bytes().ct_eq(secret.as_bytes()).into())
    })
}

fn invalid_status(error: &BindingError) -> StatusCode {
    match error {
        BindingError::Batch | BindingError::Format(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        BindingError::NotAnEvent
        | BindingError::Json(_)
        | BindingError::Header(_)
        | BindingError::Invalid(_) => StatusCode::BAD_REQUEST,
    }
}

/// The params of `tools/call`, as far as a function looks at them.
#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    name: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

async fn call(
    service: &Service,
    attempt: Attempt,
    data: &[u8],
    cancelled: CancellationToken,
) -> Reply {
    let (attempt, source) = (Arc::new(attempt), &service.source);
    let requested: Requested<'_> = match serde_json::from_slice(data) {
        Ok(requested) => requested,
        Err(error) => {
            let words = format!("the event's data is no request of the platform: {error}");
            return reply::refused(StatusCode::BAD_REQUEST, words);
        }
    };
    let not_run = |code, words| reply::failed(&attempt, source, code, words, Outcome::NotRun);
    if requested.method != CALL_TOOL {
        let words = format!("this function serves no `{}`", requested.method);
        return not_run(reply::METHOD_NOT_FOUND, words);
    }
    let params: Params<'_> = match serde_json::from_str(requested.params.get()) {
        Ok(params) => params,
        Err(error) => {
            let words = format!("the params of `{CALL_TOOL}` are not valid: {error}");
            return not_run(reply::INVALID_PARAMS, words);
        }
    };
    // The subject is the tool's declared name; clients may know it by another.
    let name = attempt.subject.as_deref().unwrap_or(&params.name);
    let Some(tool) = service.tool(name) else {
        let words = format!("this function has no tool `{name}`");
        return not_run(reply::INVALID_PARAMS, words);
    };
    let reports = Reports::wanted(&attempt, &requested.client, source, service.sink.as_ref());
    let cx = Context::new(
        Arc::clone(&attempt),
        tool.name().to_owned(),
        requested.client,
        cancelled,
        reports,
    );
    run_tool(service, tool, cx, params.arguments, &attempt).await
}

async fn run_tool(
    service: &Service,
    tool: &Tool,
    cx: Context,
    arguments: Option<&RawValue>,
    attempt: &Attempt,
) -> Reply {
    let source = &service.source;
    let arguments = arguments.map_or("", RawValue::get);
    let handler = async {
        match tool.call(cx.clone(), arguments) {
            Ok(answer) => answer.await,
            Err(mistake) => Err(crate::ToolError::Caller(mistake)),
        }
    };
    let result = catch_panic(handler).await;
    cx.flush().await;
    match result {
        Ok(Ok(result)) => {
            tracing::debug!("completed");
            reply::completed(attempt, source, &result)
        }
        Ok(Err(error)) => {
            tracing::info!(%error, "the tool has no result");
            reply::tool_error(attempt, source, error)
        }
        Err(panic) => {
            tracing::error!(panic, "the handler panicked");
            let words = format!(
                "tool `{}` crashed: its log says where; a second try will hardly help",
                tool.name()
            );
            reply::failed(
                attempt,
                source,
                reply::INTERNAL_ERROR,
                words,
                Outcome::Failed,
            )
        }
    }
}

async fn react(
    service: &Service,
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
    run_reaction(reaction, attempt, event, cancelled).await
}

async fn run_reaction(
    reaction: &Reaction,
    attempt: Attempt,
    event: Event,
    cancelled: CancellationToken,
) -> Reply {
    let cx = Context::new(
        Arc::new(attempt),
        event.ty.clone(),
        dormouse_contract::task::Client::default(),
        cancelled,
        None,
    );
    match catch_panic(async { reaction.react(cx, event).await }).await {
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
