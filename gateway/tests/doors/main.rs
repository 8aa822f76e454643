//! The gateway through its doors, on a real broker, with a dispatcher that plays the functions.

mod admin;
mod catalogue;
mod door;
mod drain;
mod http_client;
mod legacy;
mod modern;
mod platform;
mod socket_client;
mod websocket;
