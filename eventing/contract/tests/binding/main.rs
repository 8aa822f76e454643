//! The CloudEvents door, rule by rule (CloudEvents, its HTTP protocol binding and its JSON event
//! format, all 1.0.2), and by properties that hold for any event and any damage to one.

mod any_event;
mod batched;
mod binary;
mod damage;
mod damaged;
mod message;
mod round_trips;
mod structured;
