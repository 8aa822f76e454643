//! The events that a handler sends before its answer, and that are stored before they are taken:
//! steps and announcements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::HeaderValue;

use crate::delivery::Attempt;
use crate::reply;
use crate::sink::{Sink, SinkError};

/// The way of one attempt to the sink.
pub(crate) struct Outlet {
    attempt: Arc<Attempt>,
    source: HeaderValue,
    sink: Arc<Sink>,
    announced: AtomicU64,
}

impl Outlet {
    /// `None` when there is no sink, or nobody would believe the attempt.
    pub(crate) fn of(
        attempt: &Arc<Attempt>,
        source: &HeaderValue,
        sink: Option<&Arc<Sink>>,
    ) -> Option<Self> {
        let sink = sink.filter(|_| attempt.has_token())?;
        Some(Self {
            attempt: Arc::clone(attempt),
            source: source.clone(),
            sink: Arc::clone(sink),
            announced: AtomicU64::new(0),
        })
    }

    /// Sends an event; returns when the platform has it. `what` tells its id from others of the
    /// attempt.
    pub(crate) async fn send(
        &self,
        ty: &'static str,
        what: &str,
        data: Bytes,
    ) -> Result<(), SinkError> {
        let headers = reply::attributes(&self.attempt, &self.source, ty, what);
        self.sink.post(headers, data).await
    }

    /// Sends an event that may come more than once in an attempt.
    pub(crate) async fn announce(&self, ty: &'static str, data: Bytes) -> Result<(), SinkError> {
        let number = self.announced.fetch_add(1, Ordering::Relaxed);
        self.send(ty, &format!("/announced/{number}"), data).await
    }
}
