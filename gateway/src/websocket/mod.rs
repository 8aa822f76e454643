//! MCP over WebSocket: one JSON-RPC message a text frame, subprotocol `mcp`.
//!
//! MCP permits it as a custom transport. Legacy clients open a session with `initialize`; modern
//! requests follow the rules of stdio: ids interleave, `notifications/cancelled` cancels.

mod backlog;
mod connection;
mod desk;
pub(crate) mod frames;
mod relay;
mod resumption;
mod socket;
mod upgrade;

pub(crate) use connection::serve;
pub(crate) use desk::{Desk, Wanted};
pub(crate) use resumption::Wish;
pub(crate) use upgrade::{Upgraded, asks, respond};
