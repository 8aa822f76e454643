//! The monotonic clock that breakers and probes go by. It is the runtime's, so that a test can
//! stop and wind it.

use std::time::Instant;

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
