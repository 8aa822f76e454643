//! Takes tasks from the broker to functions and settles what they answer.
//!
//! To the coordinator a pool that runs here is a [`PoolService`]: a boxed `tower::Service` from
//! request to response, whatever wakes behind it. One that was registered from outside has one for
//! each of its endpoints. Each [`Claim`](dormouse_broker::Claim) becomes one HTTP
//! POST of one CloudEvent, and each response one [`Report`](dormouse_broker::Report).

pub mod api;
mod asks;
mod balance;
mod breaker;
mod clock;
mod dispatch;
mod drains;
mod endpoints;
mod facts;
mod onward;
mod outside;
mod publish;
mod registry;
mod reply;
mod routes;
mod sinks;
mod sources;
mod splice;

pub use breaker::{BreakerState, BreakerView};
pub use endpoints::{EndpointState, EndpointView, Local};
pub use onward::{BrokerUrl, NoBrokerUrl};
pub use outside::{OutsideError, Row, WrongField};
pub use publish::{Sender, Taken};
pub use registry::{Coordinator, PoolSecrets, PoolService, Settings};
pub use sources::{SourceDeclaration, Sources};
