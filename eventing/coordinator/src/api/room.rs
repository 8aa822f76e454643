//! How much of strangers' requests may be in memory: at a sink and at a webhook anybody may begin to
//! send, and what they send has to be read before it can prove who they are.

use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::BODY_LIMIT;

/// So many bytes of bodies at the same time.
const MOST: usize = 64 << 20;

/// The room that is left.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Room {
    /// Takes as much as the request's body may need, until what is given is dropped; `None` when
    /// there is not so much.
    pub(super) fn take(&self, request: &Request) -> Option<OwnedSemaphorePermit> {
        let declared = request.body().size_hint().upper();
        let declared = declared.and_then(|length| u32::try_from(length).ok());
        let most = u32::try_from(BODY_LIMIT).unwrap_or(u32::MAX);
        let needed = declared.unwrap_or(most).min(most);
        Arc::clone(&self.0).try_acquire_many_owned(needed).ok()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn strangers_get_as_much_as_they_declare_while_there_is_room() {
        let room = Room::default();
        let small = Request::new(Body::from("x"));
        let unknown = || {
            let never = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
            Request::new(Body::from_stream(never))
        };
        let taken: Vec<_> = (0..MOST / BODY_LIMIT)
            .map(|_| room.take(&unknown()).unwrap())
            .collect();
        assert!(room.take(&small).is_none() && room.take(&unknown()).is_none());
        assert!(room.take(&Request::new(Body::empty())).is_some());
        drop(taken);
        assert!(room.take(&small).is_some());
    }
}
