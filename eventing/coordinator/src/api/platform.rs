//! The platform itself: health, metrics, the OpenAPI document and the page that shows it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Json};
use dormouse_contract::door::Phase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::operation::{Content, Operation, Tag, get};
use super::{Api, document, page};

/// The answer of `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok`; `draining` while nothing is handed out but calls are taken; `starting` or `stopping`
    /// while none are.
    pub status: String,
}

impl Health {
    fn new(status: &str) -> Self {
        Self {
            status: status.to_owned(),
        }
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/health", health)
            .open()
            .named(
                Tag::Platform,
                "getHealth",
                "Ask whether the platform takes calls",
                "For probes of readiness, which need no token.",
            )
            .answers(
                StatusCode::OK,
                "It takes calls.",
                Content::json(Health::new("ok")),
            )
            .answers(
                StatusCode::SERVICE_UNAVAILABLE,
                "It is starting or stopping.",
                Content::json(Health::new("stopping")),
            ),
        get("/health/liveness", liveness)
            .open()
            .named(
                Tag::Platform,
                "getLiveness",
                "Ask whether the platform runs",
                "For probes of liveness, which need no token: it runs while it starts and stops, \
                 too.",
            )
            .answers(StatusCode::OK, "It runs.", Content::json(Health::new("ok"))),
        get("/metrics", metrics)
            .named(
                Tag::Platform,
                "getMetrics",
                "Read the metrics",
                "All metrics in the Prometheus text format.",
            )
            .answers(
                StatusCode::OK,
                "The metrics.",
                Content::opaque("text/plain", Some("dormouse_events_total 12\n")),
            ),
        get("/openapi.json", openapi)
            .open()
            .named(
                Tag::Platform,
                "getDocument",
                "Get this document",
                "What the API takes and answers, as OpenAPI 3.1.",
            )
            .answers(
                StatusCode::OK,
                "The document.",
                Content::json(serde_json::Map::from_iter([(
                    "openapi".to_owned(),
                    Value::from("3.1.1"),
                )])),
            ),
        get("/", page::show)
            .open()
            .named(
                Tag::Platform,
                "readDocument",
                "Read this document",
                "The same as a page for people, which loads nothing from elsewhere.",
            )
            .answers(
                StatusCode::OK,
                "The page.",
                Content::opaque("text/html", None),
            ),
    ]
}

async fn health(State(api): State<Api>) -> (StatusCode, Json<Health>) {
    let phase = api.door.phase();
    let word = match phase {
        Phase::Ready if api.coordinator.is_drained() => "draining",
        Phase::Starting | Phase::Ready | Phase::Stopping => phase.word(),
    };
    (phase.status(), Json(Health::new(word)))
}

async fn liveness() -> Json<Health> {
    Json(Health::new("ok"))
}

async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        (api.render_metrics)(),
    )
}

/// Made anew for each who asks: that takes a moment, and kept it would cost memory always.
async fn openapi() -> impl IntoResponse {
    let document = document::describe(&super::operations());
    ([(CACHE_CONTROL, "no-cache")], Json(document))
}
