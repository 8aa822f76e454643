//! The admin door: health and liveness, metrics, sessions, the catalogue.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use dormouse_contract::door::Door;
use serde_json::{Value, json};

use crate::catalogue::CatalogueView;
use crate::core::Core;

/// How many sessions are told one by one.
const SESSIONS_TOLD: usize = 200;

/// Writes the metrics in Prometheus' text format.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// `/health`, which says whether the platform takes calls, and `/health/liveness`, which says that it
/// runs. Both are open to all, so that probes need no token.
pub fn health(door: Door) -> Router {
    let readiness = move || {
        let phase = door.phase();
        async move { (phase.status(), Json(json!({"status": phase.word()}))) }
    };
    Router::new().route("/health", get(readiness)).route(
        "/health/liveness",
        get(|| async { Json(json!({"status": "ok"})) }),
    )
}

/// Every route of the admin door. All but health ask for the token, where there is one.
pub(crate) fn router(core: Arc<Core>, render_metrics: RenderMetrics) -> Router {
    let metrics = move || {
        let text = render_metrics();
        async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    let health = health(core.config.door.clone());
    Router::new()
        .route("/metrics", get(metrics))
        .route("/sessions", get(sessions))
        .route("/catalogue", get(catalogue))
        .route_layer(middleware::from_fn_with_state(core.clone(), guard))
        .with_state(core)
        .merge(health)
}

async fn guard(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let Err(refused) = core.config.door.admit(request.headers()) else {
        return next.run(request).await;
    };
    let body = Json(json!({"error": refused.to_string()}));
    let mut response = (refused.status(), body).into_response();
    if refused.status() == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

async fn sessions(State(core): State<Arc<Core>>) -> Json<Value> {
    Json(json!({
        "count": core.sessions.count(),
        "sessions": core.sessions.summaries(SESSIONS_TOLD),
    }))
}

async fn catalogue(State(core): State<Arc<Core>>) -> Json<CatalogueView> {
    Json(core.catalogue().view())
}
