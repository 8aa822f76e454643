//! The platform itself: health, metrics, the OpenAPI document and the page that shows it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::operation::{Content, Operation, Tag, get};
use super::{Api, document, page};

/// The answer of `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok`, or `draining` while nothing is handed out.
    pub status: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/health", health)
            .open()
            .named(
                Tag::Platform,
                "getHealth",
                "Ask whether the platform is there",
                "For probes, which need no token.",
            )
            .answers(
                StatusCode::OK,
                "It is there.",
                Content::json(Health {
                    status: "ok".to_owned(),
                }),
            ),
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

async fn health(State(api): State<Api>) -> Json<Health> {
    let status = match api.drains.all() {
        true => "draining",
        false => "ok",
    };
    Json(Health {
        status: status.to_owned(),
    })
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
