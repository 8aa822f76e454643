//! `POST /pools` and `DELETE /pools/{pool}`: agents that run elsewhere join and leave.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::examples;
use super::operation::{Content, Operation, Tag, delete, post};
use super::payload::Payload;
use super::pools;
use super::problem::{Kind, Problem};
use super::segment::Segment;
use crate::Row;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        post("/pools", register)
            .named(
                Tag::Pools,
                "registerPool",
                "Register an agent that runs elsewhere",
                "The agent is always on: its endpoint is probed, and left out while it does not \
                 answer. It speaks the function contract: what it offers is read from \
                 `capabilities` below its endpoint, and until that can be read nothing of it is \
                 offered. The same pool with another endpoint adds an endpoint; the same endpoint \
                 again replaces what was said of it. Registrations survive a restart.",
            )
            .takes("The row.", vec![Content::json(examples::row())])
            .answers(
                StatusCode::CREATED,
                "A new pool; `failure` says why it is not ready, if it is not.",
                Content::json(examples::outside_pool()),
            )
            .answers(
                StatusCode::OK,
                "A pool that was known already.",
                Content::json(examples::outside_pool()),
            )
            .problems(&[
                Kind::InvalidRow,
                Kind::DeployedPool,
                Kind::NoClient,
                Kind::TooLarge,
                Kind::Unreadable,
                Kind::Stopping,
                Kind::Storage,
            ]),
        delete("/pools/{pool}", take_out)
            .named(
                Tag::Pools,
                "removePool",
                "Take out an agent that runs elsewhere",
                "Its tools disappear. Calls that are on their way go on; what waits for the pool \
                 stays stored until it expires.",
            )
            .query::<Which>()
            .answers_empty(StatusCode::NO_CONTENT, "It is gone.")
            .problems(&[
                Kind::InvalidQuery,
                Kind::UnknownPool,
                Kind::UnknownEndpoint,
                Kind::DeployedPool,
                Kind::NoClient,
                Kind::Stopping,
                Kind::Storage,
            ]),
    ]
}

async fn register(State(api): State<Api>, Payload(body): Payload) -> Result<Response, Problem> {
    let row = Row::parse(&body).map_err(Problem::Row)?;
    let pool = row.pool_id.clone();
    let is_new = api.coordinator.register_outside(row).await?;
    let place = [(LOCATION, format!("/pools/{pool}"))];
    let view = pools::show(State(api), Segment(pool)).await?;
    Ok(match is_new {
        true => (StatusCode::CREATED, place, view).into_response(),
        false => view.into_response(),
    })
}

/// The query of `DELETE /pools/{pool}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Only this endpoint goes, and the pool with its last one; without it the whole pool goes.
    endpoint: Option<String>,
}

async fn take_out(
    State(api): State<Api>,
    Segment(pool): Segment,
    query: Result<Query<Which>, QueryRejection>,
) -> Result<StatusCode, Problem> {
    let Query(which) = query.map_err(|error| Problem::Query(error.body_text()))?;
    let endpoint = which.endpoint.as_deref();
    api.coordinator.take_out(&pool, endpoint).await?;
    Ok(StatusCode::NO_CONTENT)
}
