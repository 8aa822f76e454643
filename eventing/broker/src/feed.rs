//! Who looks on: what is committed, told to whoever follows it.

use tokio::sync::broadcast;

use crate::event::Fact;

/// So many facts wait for who looks on slowly; then the oldest are lost to it.
const KEPT: usize = 1_024;

/// The two feeds; clones share them. Events have one of their own, so that who only wants those is
/// not woken by every call.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    all: broadcast::Sender<Fact>,
    arrivals: broadcast::Sender<Fact>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            all: broadcast::Sender::new(KEPT),
            arrivals: broadcast::Sender::new(KEPT),
        }
    }

    /// Everything from now on.
    pub(crate) fn all(&self) -> broadcast::Receiver<Fact> {
        self.all.subscribe()
    }

    /// The events that are taken from now on.
    pub(crate) fn arrivals(&self) -> broadcast::Receiver<Fact> {
        self.arrivals.subscribe()
    }

    /// Whether anybody wants to hear of tasks.
    pub(crate) fn is_followed(&self) -> bool {
        self.all.receiver_count() > 0
    }

    /// Whether anybody wants to hear of events.
    pub(crate) fn has_arrivals_followed(&self) -> bool {
        self.is_followed() || self.arrivals.receiver_count() > 0
    }

    /// Tells a fact. Who has gone does not want to know.
    pub(crate) fn tell(&self, fact: Fact) {
        match &fact {
            Fact::Event { .. } => drop(self.arrivals.send(fact.clone())),
            Fact::Task { .. } => {}
        }
        let _ = self.all.send(fact);
    }
}
