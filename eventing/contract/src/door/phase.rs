//! Whether the platform takes calls: what `/health` tells at every door.

use std::sync::{Arc, PoisonError, RwLock};

/// How far the platform is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Not every pool is there yet.
    Starting,
    /// It takes calls.
    #[default]
    Ready,
    /// What runs is finished, and nothing more is taken.
    Stopping,
}

impl Phase {
    /// What `/health` says of it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ok",
            Self::Stopping => "stopping",
        }
    }

    /// The HTTP status of `/health`: 503 keeps callers away.
    #[must_use]
    pub fn status(self) -> http::StatusCode {
        match self {
            Self::Ready => http::StatusCode::OK,
            Self::Starting | Self::Stopping => http::StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The phase of the moment; clones share it. [`Phase::Ready`] until something else is said.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<RwLock<Phase>>);

impl Readiness {
    /// From now on it is this one.
    pub fn enter(&self, phase: Phase) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Which it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
