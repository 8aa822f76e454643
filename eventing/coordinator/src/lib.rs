//! Takes tasks from the broker to functions and settles what they answer.
//!
//! To the coordinator a pool is a [`PoolService`]: a boxed `tower::Service` from request to
//! response, whatever wakes behind it. Each [`Claim`](dormouse_broker::Claim) becomes one HTTP
//! POST of one CloudEvent, and each response one [`Report`](dormouse_broker::Report).

pub mod api;
mod asks;
mod dispatch;
mod registry;
mod reply;
mod sources;
mod splice;

pub use registry::{Coordinator, PoolSecrets, PoolService};
pub use sources::{SourceDeclaration, Sources};
