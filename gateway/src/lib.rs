//! The MCP gateway of Dormouse: WebSocket and Streamable HTTP on one port, both protocol eras.
//!
//! The way of a message: a transport (`http`, `websocket`) yields its text; the edge (`jsonrpc`)
//! takes it apart without copying; `dispatch` finds its `era` and what is to be done; what a
//! function serves is checked against the `catalogue` (`admission`), stored with the broker as a
//! `call`, waited for and answered (`answer`) around bytes that pass to the letter. The gateway
//! never talks to a function. What clients hear unasked comes by `listening`.
//!
//! | door | what |
//! |---|---|
//! | `/mcp` | Streamable HTTP (2025-03-26 … 2026-07-28) and WebSocket (subprotocol `mcp`) |
//! | `/` | WebSocket only |
//! | `/health` | open |

mod abandoned;
mod admin;
mod admission;
mod answer;
mod batch;
mod call;
mod capabilities;
mod catalogue;
mod clock;
mod config;
mod core;
mod dispatch;
mod ears;
mod ending;
mod era;
mod error;
mod feature;
mod flights;
mod follow;
mod gateway;
mod headers;
mod hears;
mod http;
mod jsonrpc;
mod level;
mod listening;
mod meters;
mod method;
mod names;
mod outbox;
mod own;
mod pulse;
mod regain;
mod response;
mod run;
mod schema;
mod search;
mod session;
mod store;
mod suspension;
mod tasks;
mod websocket;

pub use admin::{RenderMetrics, health};
pub use catalogue::{About, CatalogueView, Entry, Place, Remark};
pub use config::Config;
pub use gateway::Gateway;
pub use search::ToolsMode;
pub use store::{Error as StoreError, Store};
pub use suspension::state::Keys;
