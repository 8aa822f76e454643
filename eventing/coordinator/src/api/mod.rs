//! The coordinator's HTTP door (port 8888): pools, tasks and dead letters to look at, and the
//! CloudEvents ingress.
//!
//! Every route is in [`router`]. Errors are `application/problem+json` (RFC 9457). All routes ask
//! for the platform's token, except the sink of a pool, whose callers prove themselves by a token
//! inside the event.

mod ingress;
mod payload;
mod pools;
mod problem;
mod segment;
mod sink;
mod tasks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use dormouse_contract::door::Door;

use crate::registry::Coordinator;
pub use ingress::{Receipt, Taker};
pub use pools::{InstanceCounts, PoolPage, PoolView, ToolView};
use problem::Problem;
pub use tasks::{CancelRequest, Cancelled, TaskPage};

/// The largest request body, in bytes; beyond it the answer is 413.
pub const BODY_LIMIT: usize = 4 << 20;

/// Renders all metrics in the Prometheus text format.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
struct Api {
    coordinator: Coordinator,
    render_metrics: RenderMetrics,
}

/// Everything that port 8888 serves. `/health` is open, for probes that know no token.
pub fn router(coordinator: Coordinator, door: Door, render_metrics: RenderMetrics) -> Router {
    let api = Api {
        coordinator,
        render_metrics,
    };
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route("/pools", get(pools::list))
        .route("/pools/{pool}", get(pools::show))
        .route("/tasks", get(tasks::list))
        .route("/tasks/{id}", get(tasks::show))
        .route("/tasks/{id}/result", get(tasks::result))
        .route("/tasks/{id}/cancel", post(tasks::cancel))
        .route("/dead-letters", get(tasks::dead_letters))
        .route("/events", post(ingress::accept).options(ingress_methods))
        .fallback(async || Problem::UnknownPath)
        .method_not_allowed_fallback(async || Problem::WrongMethod)
        .layer(from_fn_with_state(door.clone(), admit));
    let open = Router::new()
        .route("/health", get(health))
        .route("/pools/{pool}/events", post(sink::accept))
        .method_not_allowed_fallback(async || Problem::WrongMethod)
        .layer(from_fn_with_state(door, admit_anyone));
    guarded.merge(open).with_state(api)
}

async fn admit(State(door): State<Door>, request: Request, next: Next) -> Response {
    match door.admit(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => Problem::Door(refused).into_response(),
    }
}

async fn admit_anyone(State(door): State<Door>, request: Request, next: Next) -> Response {
    match door.admit_anyone(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => Problem::Door(refused).into_response(),
    }
}

async fn health() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "ok"}))
}

async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        (api.render_metrics)(),
    )
}

async fn ingress_methods() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(ALLOW, "OPTIONS, POST")])
}
