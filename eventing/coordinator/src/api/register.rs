//! `POST /pools`, `PUT /pools/{pool}` and `DELETE /pools/{pool}`: pools that run elsewhere join, are
//! declared and leave.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use dormouse_contract::registration::Instances;

use super::operation::{Content, Operation, Tag, delete, post, put};
use super::payload::Payload;
use super::pools;
use super::problem::{Kind, Problem};
use super::read::Given;
use super::segment::Segment;
use super::{Api, examples};
use crate::Row;
use crate::outside::{declaration, pool_name};

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
                Kind::OnKnative,
                Kind::NoClient,
                Kind::TooLarge,
                Kind::Unreadable,
                Kind::Stopping,
                Kind::Storage,
            ]),
        put("/pools/{pool}", declare)
            .named(
                Tag::Pools,
                "declarePool",
                "Declare a pool that runs elsewhere",
                "All that there is to know of it, in place of what was known; the same again \
                 changes nothing. For whoever deploys pools, such as an operator on Kubernetes. A \
                 pool that runs on Knative is neither probed nor asked what it offers, because both \
                 would wake it: its manifest is declared with its revision. Declarations survive a \
                 restart.",
            )
            .takes(
                "The declaration.",
                vec![Content::json(examples::declaration())],
            )
            .answers(
                StatusCode::CREATED,
                "A new pool.",
                Content::json(examples::knative_pool()),
            )
            .answers(
                StatusCode::OK,
                "A pool that was known already.",
                Content::json(examples::knative_pool()),
            )
            .problems(&[
                Kind::InvalidPath,
                Kind::InvalidRow,
                Kind::DeployedPool,
                Kind::NoClient,
                Kind::TooLarge,
                Kind::Unreadable,
                Kind::Stopping,
                Kind::Storage,
            ]),
        put("/pools/{pool}/instances", count)
            .named(
                Tag::Pools,
                "countInstances",
                "Tell how many instances a pool on Knative has",
                "Whoever watches its pods tells, whenever the counts change. They are shown with the \
                 pool and in the metrics, and while none is ready, callers who follow their calls \
                 hear that the pool is waking.",
            )
            .takes("The counts.", vec![Content::json(examples::instances())])
            .answers_empty(StatusCode::NO_CONTENT, "They are known.")
            .problems(&[
                Kind::InvalidBody,
                Kind::UnknownPool,
                Kind::NotKnative,
                Kind::TooLarge,
                Kind::Unreadable,
                Kind::Stopping,
                Kind::Storage,
            ]),
        delete("/pools/{pool}", take_out)
            .named(
                Tag::Pools,
                "removePool",
                "Take out a pool that runs elsewhere",
                "Its tools disappear. Calls that are on their way go on; what waits for the pool \
                 stays stored until it expires. Drain the pool first to let calls end before it \
                 goes.",
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
    registered(api, pool, is_new).await
}

async fn declare(
    State(api): State<Api>,
    Segment(pool): Segment,
    Payload(body): Payload,
) -> Result<Response, Problem> {
    let pool = pool_name(&pool).map_err(Problem::Path)?;
    let declaration = declaration::read(&pool, &body).map_err(Problem::Row)?;
    let is_new = api.coordinator.declare(&pool, declaration).await?;
    registered(api, pool, is_new).await
}

async fn registered(api: Api, pool: String, is_new: bool) -> Result<Response, Problem> {
    let place = [(LOCATION, format!("/pools/{pool}"))];
    let view = pools::show(State(api), Segment(pool)).await?;
    Ok(match is_new {
        true => (StatusCode::CREATED, place, view).into_response(),
        false => view.into_response(),
    })
}

async fn count(
    State(api): State<Api>,
    Segment(pool): Segment,
    Given(counts): Given<Instances>,
) -> Result<StatusCode, Problem> {
    api.coordinator.count_pods(&pool, counts).await?;
    Ok(StatusCode::NO_CONTENT)
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
