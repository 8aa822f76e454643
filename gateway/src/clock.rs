//! The time of day, as tasks and stored sessions have it.

use std::time::{SystemTime, UNIX_EPOCH};

use dormouse_broker::Millis;

/// Milliseconds since the Unix epoch.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
