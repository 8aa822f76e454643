//! Which requests of a client are being served, so that each id is used once at a time and can
//! be cancelled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::error::Fault;
use crate::jsonrpc::RequestId;

/// Room for requests that is kept when none is in flight.
const ROOM_KEPT: usize = 64;

/// The requests of one client that are being served.
#[derive(Debug, Default)]
pub struct Flights {
    open: Mutex<HashMap<RequestId, CancellationToken>>,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, CancellationToken>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a request; it is there until the [`Flight`] is dropped.
    ///
    /// # Errors
    /// When the id is in use.
    pub fn begin(self: &Arc<Self>, id: &RequestId) -> Result<Flight, Fault> {
        let token = CancellationToken::new();
        let mut open = self.lock();
        if open.contains_key(id) {
            return Err(Fault::IdInUse(id.to_string()));
        }
        open.insert(id.clone(), token.clone());
        Ok(Flight {
            flights: Arc::clone(self),
            id: id.clone(),
            cancelled: token,
        })
    }

    /// Cancels a request; `false` when it is not there (any more).
    pub fn cancel(&self, id: &RequestId) -> bool {
        match self.lock().get(id) {
            Some(token) => {
                token.cancel();
                true
            }
            None => false,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }
}

/// A request that is being served.
#[derive(Debug)]
pub struct Flight {
    flights: Arc<Flights>,
    id: RequestId,
    /// Cancelled by the client.
    pub cancelled: CancellationToken,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut open = self.flights.lock();
        open.remove(&self.id);
        if open.is_empty() && open.capacity() > ROOM_KEPT {
            open.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RequestId {
        RequestId::from_json(serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn an_id_is_used_once_at_a_time() {
        let flights = Arc::new(Flights::default());
        let one = flights.begin(&id("1")).unwrap();
        assert!(flights.begin(&id("1")).is_err());
        assert!(flights.begin(&id("\"1\"")).is_ok());
        drop(one);
        assert!(flights.begin(&id("1")).is_ok());
        assert_eq!(flights.count(), 0);
    }

    #[test]
    fn only_what_is_there_is_cancelled() {
        let flights = Arc::new(Flights::default());
        let one = flights.begin(&id("1")).unwrap();
        assert!(!flights.cancel(&id("2")));
        assert!(!one.cancelled.is_cancelled());
        assert!(flights.cancel(&id("1")));
        assert!(one.cancelled.is_cancelled());
    }
}
