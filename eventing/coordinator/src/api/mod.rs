//! The coordinator's HTTP door (port 8888): pools, tasks and dead letters to look at, and the
//! CloudEvents ingress.
//!
//! Every route is an `Operation`, of which both the router and the OpenAPI document are made. Errors
//! are `application/problem+json` (RFC 9457). All routes ask for the platform's token, except the
//! sink of a pool, whose callers prove themselves by a token inside the event, webhooks, whose
//! senders prove themselves by a signature or another secret, and the door of Brokers, who are told
//! a path that has a token in it.

mod brokers;
mod changes;
mod dead_letters;
mod document;
mod drain;
mod events;
mod examples;
mod handshake;
mod ingress;
mod log;
mod operation;
mod page;
mod payload;
mod platform;
mod pools;
mod problem;
mod read;
mod register;
mod room;
mod secrets;
mod segment;
mod sink;
mod sources;
mod tasks;
#[cfg(test)]
mod tests;
mod triggers;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use dormouse_contract::door::{Door, Token};

use crate::registry::Coordinator;
use changes::Listeners;
pub use changes::{EventChange, Missed, PoolChange, TaskChange};
pub use dead_letters::{
    DeadLetterFilter, DeadLetterView, DiscardRequest, Discarded, DiscardedPage, Redriven,
    RedrivenPage,
};
pub use drain::{DrainState, DrainView};
pub use ingress::{Receipt, Receipts, Taker};
pub use log::{EventPage, EventTypePage, EventView};
use operation::{Guard, Operation};
pub use pools::{InstanceCounts, PoolPage, PoolView, ResourceView, TemplateView, ToolView};
use problem::Problem;
pub use problem::ProblemView;
use room::Room;
pub use sources::{SourceError, SourceEvent, SourcePage, SourceView};
pub use tasks::{CancelRequest, Cancelled, TaskPage};
pub use triggers::{TestedEvent, TestedTrigger, TriggerPage, TriggerTest, TriggerView};

/// The largest request body, in bytes; beyond it the answer is 413.
pub const BODY_LIMIT: usize = 4 << 20;

/// How many entries a page holds when the query does not say, and at most.
const PAGE: usize = 100;

/// Renders all metrics in the Prometheus text format.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
struct Api {
    coordinator: Coordinator,
    door: Door,
    brokers: Option<Token>,
    render_metrics: RenderMetrics,
    listeners: Listeners,
}

/// Who may come in at port 8888.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// Who may do everything.
    pub door: Door,
    /// By which token Brokers may send events to `/brokers/TOKEN/events`; `None`: they may not.
    pub brokers: Option<Token>,
}

/// Everything that port 8888 serves.
pub fn router(
    coordinator: Coordinator,
    admission: Admission,
    render_metrics: RenderMetrics,
) -> Router {
    let Admission { door, brokers } = admission;
    let api = Api {
        coordinator,
        door: door.clone(),
        brokers,
        render_metrics,
        listeners: Listeners::default(),
    };
    let (mut guarded, mut open) = (Router::new(), Router::new());
    for operation in operations() {
        let (routes, handler) = match operation.guard {
            Guard::Token => {
                let rate = from_fn_with_state(door.clone(), keep_rate);
                (&mut guarded, operation.handler.route_layer(rate))
            }
            Guard::Producer => (&mut guarded, operation.handler),
            Guard::Open => (&mut open, operation.handler),
        };
        *routes = std::mem::take(routes).route(operation.path, handler);
    }
    let guarded = guarded
        .fallback(async || Problem::UnknownPath)
        .method_not_allowed_fallback(async || Problem::WrongMethod)
        .layer(from_fn_with_state(door.clone(), admit));
    let open = open
        .method_not_allowed_fallback(async || Problem::WrongMethod)
        .layer(from_fn_with_state((door, Room::default()), admit_anyone));
    guarded.merge(open).with_state(api)
}

/// Every operation, in the order in which people read of them.
fn operations() -> Vec<Operation> {
    [
        pools::operations(),
        register::operations(),
        tasks::operations(),
        events::operations(),
        log::operations(),
        triggers::operations(),
        sources::operations(),
        dead_letters::operations(),
        platform::operations(),
        changes::operations(),
        drain::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn admit(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    name_host(&mut request);
    if let Err(refused) = door.admit(request.headers()) {
        return Problem::Door(refused).into_response();
    }
    next.run(request).await
}

async fn keep_rate(State(door): State<Door>, request: Request, next: Next) -> Response {
    match door.within_rate() {
        Ok(()) => next.run(request).await,
        Err(too_often) => Problem::TooOften(too_often).into_response(),
    }
}

async fn admit_anyone(
    State((door, room)): State<(Door, Room)>,
    mut request: Request,
    next: Next,
) -> Response {
    name_host(&mut request);
    if let Err(refused) = door.admit_anyone(request.headers()) {
        return Problem::Door(refused).into_response();
    }
    match room.take(&request) {
        Some(_taken) => next.run(request).await,
        None => Problem::Crowded.into_response(),
    }
}

/// In HTTP/2 a request names its host in `:authority` in place of `Host` (RFC 9113, section 8.3.1);
/// the door asks for it all the same.
fn name_host(request: &mut Request) {
    let Some(authority) = request.uri().authority() else {
        return;
    };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        request.headers_mut().entry(HOST).or_insert(host);
    }
}
