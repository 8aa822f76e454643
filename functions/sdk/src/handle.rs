//! The way of one request: which door, may it in, what it brings, what is answered.

use std::sync::Arc;

use bytes::Bytes;
use dormouse_contract::task::DELIVERY_SECRET_HEADER;
use http::header::{ALLOW, CONNECTION, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Version};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;
use tracing::field;

use crate::call;
use crate::delivery::{self, Delivery};
use crate::reply::{self, Reply};
use crate::running::Running;
use crate::server::Service;

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
        Err(error) => return reply::refused(error.status(), error.to_string()),
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
                Delivery::Call(attempt, data) => {
                    call::answer(&service, attempt, &data, cancelled).await
                }
                Delivery::Event(attempt, event) => {
                    call::react(&service, attempt, *event, cancelled).await
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
