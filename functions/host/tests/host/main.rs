//! The host against real processes: the `plain` example as function and launcher.

#![expect(
    clippy::unwrap_used,
    reason = "a scene that cannot be set is a failed test"
)]

mod ending;
mod failing;
mod launching;
mod scaling;
mod scene;
