//! Sessions into the store and back.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::{Session, Transport, Way};
use crate::era::Revision;
use crate::level::Level;
use crate::search::ToolsMode;
use crate::store::sessions::{Changed, StoredSession};

impl Transport {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Http => "http",
        }
    }
}

impl Session {
    /// As it is stored when it is opened.
    pub(super) fn to_stored(&self) -> StoredSession {
        let Changed {
            handle,
            level,
            subscriptions,
            used,
        } = self.to_changed();
        StoredSession {
            handle,
            principal: self.principal.to_string(),
            transport: self.transport.as_str().to_owned(),
            revision: self.revision.as_str().to_owned(),
            client: self.client.to_string(),
            level: level.to_owned(),
            tools: self.tools.map_or("", ToolsMode::as_str).to_owned(),
            subscriptions,
            created: self.created,
            used,
        }
    }

    /// What has changed since.
    pub(super) fn to_changed(&self) -> Changed {
        Changed {
            handle: self.handle.to_string(),
            level: self.log_level().as_str(),
            subscriptions: Value::from(self.subscriptions()).to_string(),
            used: self.used.load(Ordering::Relaxed),
        }
    }

    /// The session that was stored, for a caller who showed its id. `None` when it is another's,
    /// comes by another way, or was stored in words that are not known here.
    pub(super) fn from_stored(
        id: &str,
        stored: StoredSession,
        principal: &str,
        transport: Transport,
        way: Way,
    ) -> Option<Self> {
        if stored.principal != principal || stored.transport != transport.as_str() {
            return None;
        }
        let level = Level::parse(&stored.level).unwrap_or(Level::Info);
        Some(Self {
            id: id.into(),
            handle: stored.handle.into(),
            principal: stored.principal.into(),
            revision: Revision::parse(&stored.revision)?,
            transport,
            client: stored.client.into(),
            log_level: AtomicU8::new(level.rank()),
            // Empty where the client did not say.
            tools: stored.tools.parse().ok(),
            flights: Arc::default(),
            ear: OnceLock::new(),
            remembered: serde_json::from_str(&stored.subscriptions).unwrap_or_default(),
            created: stored.created,
            used: AtomicI64::new(stored.used),
            changed: AtomicBool::new(false),
            stored: AtomicBool::new(true),
            way,
        })
    }
}
