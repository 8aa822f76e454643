//! The door of Brokers, `POST /brokers/{token}/events`.
//!
//! A Knative Trigger names its subscriber by an address, and no header goes with it. So the address
//! is what admits: it has a token in it that is good for sending events and for nothing else. Who may
//! read Triggers, or what Knative logs and traces, may therefore send events, as may whoever reaches
//! the Broker.
//!
//! Two answers are made for Knative. Success has no body: one that is no CloudEvent counts as a
//! failed delivery. And a wrong token is a 404, which is tried again, where after a 401 the event
//! would be given up while a token is replaced.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::HeaderMap;

use super::payload::Payload;
use super::problem::Problem;
use super::segment::Segment;
use super::{Api, ingress};

pub(super) async fn accept(
    State(api): State<Api>,
    Segment(token): Segment,
    headers: HeaderMap,
    Payload(body): Payload,
) -> Result<StatusCode, Problem> {
    match &api.brokers {
        Some(good) if good.is(&token) => {}
        Some(_) | None => return Err(Problem::UnknownBroker),
    }
    ingress::take_any(&api, &headers, body).await?;
    Ok(StatusCode::ACCEPTED)
}
