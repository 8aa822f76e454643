//! The gateway through its doors, on a real broker, with a dispatcher that plays the functions.

#![expect(clippy::unwrap_used, reason = "a test that fails to set up has failed")]

mod admin;
mod catalogue;
mod door;
mod drain;
mod events;
mod features;
mod fuzz;
mod http_client;
mod legacy;
mod limits;
mod listening;
mod modern;
mod platform;
mod recent;
mod resume;
mod resumed_socket;
mod search;
mod socket_client;
mod suspension;
mod tasks;
mod websocket;
