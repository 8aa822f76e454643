//! What functions, broker and gateway say to each other.
//!
//! Plain types and pure functions, no IO: the [`Event`] envelope and its
//! [HTTP binding](http_binding), the [payloads](task) of the platform's own events, the
//! [manifest] with which a function describes itself, [delivery policies](policy),
//! [filters](filter) and the [index](trigger_index) that finds the triggers which take an event,
//! [registration] of pools and their [declaration] by others, [balance] between their endpoints
//! and the [breaker] before each, [suspension] and [announcement]s, [trace context](trace) and the
//! checks every HTTP [door] makes.
//!
//! Payloads are bytes here: what passes through is kept to the letter, and only the members that
//! the platform needs are looked at.

pub mod announcement;
mod attribute;
pub mod balance;
pub mod breaker;
mod client;
pub mod declaration;
pub mod door;
pub mod duration;
pub mod event;
pub mod fact;
pub mod filter;
mod header_value;
pub mod http_binding;
mod json_format;
pub mod manifest;
mod media_type;
pub mod policy;
pub mod registration;
pub mod suspension;
pub mod task;
pub mod trace;
pub mod trigger_index;

pub use event::{Event, ExtensionValue, InvalidEvent};
pub use manifest::Manifest;
