//! What every backend of the broker must do, told through its public door.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod asking;
mod dead_letters;
mod events;
mod life;
mod order;
mod recovery;
mod retries;
mod stage;
mod steps;
mod store;
mod suspension;
mod waits;
mod waits_at_random;
mod wandering;
