//! All sessions: those in memory, and the way to those in the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use metrics::Gauge;

use super::{
    Introduction, Session, Streams, Summary, Transport, Way, client_json, handle_of, lock, new_id,
};
use crate::clock::now;
use crate::error::Fault;
use crate::flights::Flights;
use crate::level::Level;
use crate::store::Store;
use crate::store::frames::Owner;
use crate::store::sessions::StoredSession;
use crate::websocket::Wanted;

/// How long a session that can be found in the store rests before it is there alone.
const RESTS_IN_MEMORY: Duration = Duration::from_secs(5 * 60);

/// How many sessions the store holds for each that may be in memory.
const STORED_PER_OPEN: usize = 10;

type Open = HashMap<Arc<str>, Arc<Session>>;

/// All sessions.
pub(crate) struct Sessions {
    open: Mutex<Open>,
    store: Store,
    /// How many sessions over HTTP may be in memory.
    most: usize,
    gauge: Gauge,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Sessions({})", self.count())
    }
}

impl Sessions {
    /// Those of this store; at most so many over HTTP are in memory. The number of those that are
    /// is told to this gauge.
    pub fn new(store: Store, most: usize, gauge: Gauge) -> Self {
        Self {
            open: Mutex::default(),
            store,
            most,
            gauge,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        lock(&self.open)
    }

    /// Opens a session over HTTP. It is to be [stored](Self::store) before its client hears of it.
    ///
    /// # Errors
    /// When there are too many, and none of them rests.
    pub fn open(
        &self,
        principal: &Arc<str>,
        introduction: Introduction<'_>,
    ) -> Result<Arc<Session>, Fault> {
        let session = Arc::new(begin(
            new_id(),
            principal,
            introduction,
            Arc::default(),
            Way::Http(Box::default()),
        ));
        let mut open = self.lock();
        self.make_room(&mut open)?;
        open.insert(session.id.clone(), session.clone());
        self.tell(open.len());
        Ok(session)
    }

    /// Opens the session of a WebSocket, under this id if it can be resumed by it.
    pub fn open_socket(
        &self,
        id: Option<Arc<str>>,
        principal: &Arc<str>,
        introduction: Introduction<'_>,
        flights: Arc<Flights>,
    ) -> Arc<Session> {
        let session = Arc::new(begin(
            id.unwrap_or_else(new_id),
            principal,
            introduction,
            flights,
            Way::Socket(Mutex::default()),
        ));
        let mut open = self.lock();
        open.insert(session.id.clone(), session.clone());
        self.tell(open.len());
        session
    }

    /// Stores a new session, so that it outlives the process. When that fails it goes on in
    /// memory, and the log says so.
    pub async fn store(&self, session: &Session) {
        match self.store.add_session(session.to_stored()).await {
            Ok(()) => session.stored.store(true, Ordering::Release),
            Err(error) => tracing::error!(
                %error,
                "a session could not be stored: it will not outlive this process"
            ),
        }
    }

    /// Stores a new session of a WebSocket that can be resumed, and returns by which its frames are
    /// stored; `None` when that failed: it then ends with its connection.
    pub async fn store_socket(&self, session: &Session) -> Option<Owner> {
        self.store(session).await;
        if !session.stored.load(Ordering::Acquire) {
            return None;
        }
        let (handle, principal) = (session.handle.to_string(), session.principal.to_string());
        let taken = self.store.take_over(handle, principal, 0, None).await;
        taken.ok().flatten().map(|resumed| resumed.owner)
    }

    /// The session of a WebSocket in memory that can be resumed.
    pub fn socket(&self, id: &str, principal: &str) -> Option<Arc<Session>> {
        let session = self.lock().get(id).cloned();
        session.filter(|session| session.can_be_wanted() && *session.principal == *principal)
    }

    /// Takes the session of a WebSocket from the store into memory; one that is there already
    /// belongs to nobody any more.
    pub fn wake_socket(
        &self,
        id: &str,
        stored: &StoredSession,
        principal: &str,
    ) -> Option<Arc<Session>> {
        let way = Way::Socket(Mutex::default());
        let session =
            Session::from_stored(id, stored.clone(), principal, Transport::WebSocket, way)?;
        session.touch();
        let session = Arc::new(session);
        let mut open = self.lock();
        open.insert(session.id.clone(), session.clone());
        self.tell(open.len());
        Some(session)
    }

    /// Leaves the session of a WebSocket to the store.
    pub fn leave(&self, session: &Arc<Session>) {
        self.store.note_sessions(vec![session.to_changed()]);
        let mut open = self.lock();
        // Another connection may have it from the store by now.
        if open
            .get(&session.id)
            .is_some_and(|there| Arc::ptr_eq(there, session))
        {
            open.remove(&session.id);
        }
        self.tell(open.len());
    }

    /// Ends the session of a WebSocket that can be resumed; `false` when there is none of this id.
    pub async fn end_socket(&self, id: &str, principal: &str) -> bool {
        if let Some(session) = self.socket(id, principal)
            && session.want(Wanted::End)
        {
            return true;
        }
        let handle = handle_of(id);
        match self.store.session(handle.clone()).await {
            Ok(Some(stored))
                if stored.principal == principal
                    && stored.transport == Transport::WebSocket.as_str() =>
            {
                self.store.end_session(handle).await.is_ok()
            }
            Ok(_) => false,
            Err(error) => {
                tracing::error!(%error, "a session could not be looked up");
                false
            }
        }
    }

    /// The session over HTTP of this id and principal, marked as used; `None` to everyone else.
    pub async fn find(&self, id: &str, principal: &str) -> Option<Arc<Session>> {
        let known = self.lock().get(id).cloned();
        if let Some(session) = known {
            return (*session.principal == *principal && session.transport == Transport::Http)
                .then(|| {
                    session.touch();
                    session
                });
        }
        match self.store.session(handle_of(id)).await {
            Ok(Some(stored)) => {
                let way = Way::Http(Box::<Streams>::default());
                let session = Session::from_stored(id, stored, principal, Transport::Http, way)?;
                Some(self.wake(session))
            }
            Ok(None) => None,
            Err(error) => {
                tracing::error!(%error, "a session could not be looked up");
                None
            }
        }
    }

    /// Takes a session from the store into memory, unless another request has just done so.
    fn wake(&self, session: Session) -> Arc<Session> {
        session.touch();
        let mut open = self.lock();
        // Better one too many than to turn away a client that has a session.
        let _ = self.make_room(&mut open);
        let session = Arc::clone(
            open.entry(session.id.clone())
                .or_insert_with(|| Arc::new(session)),
        );
        self.tell(open.len());
        session
    }

    /// Ends a session: nobody finds it any more.
    pub async fn end(&self, session: &Session) {
        if session.stored.load(Ordering::Acquire)
            && let Err(error) = self.store.end_session(session.handle.to_string()).await
        {
            tracing::error!(%error, "an ended session is still stored");
        }
        session.close();
        let mut open = self.lock();
        open.remove(&session.id);
        self.tell(open.len());
    }

    /// Stores what has changed of a session, soon.
    pub fn note(&self, session: &Session) {
        if session.stored.load(Ordering::Acquire) && session.changed.swap(false, Ordering::AcqRel) {
            self.store.note_sessions(vec![session.to_changed()]);
        }
    }

    /// Stores when sessions were last used, leaves those that rest to the store, and forgets those
    /// that have rested for longer than `idle`; how many.
    pub async fn sweep(&self, idle: Duration) -> usize {
        let forgotten = self.sweep_memory(idle);
        let most = self.most.saturating_mul(STORED_PER_OPEN);
        match self.store.age_out(now(), idle, most).await {
            Ok(aged_out) => forgotten + aged_out,
            Err(error) => {
                tracing::error!(%error, "stored sessions could not be swept");
                forgotten
            }
        }
    }

    /// Returns how many were forgotten that were in memory alone.
    fn sweep_memory(&self, idle: Duration) -> usize {
        let mut changed = Vec::new();
        let mut forgotten = 0;
        let mut open = self.lock();
        open.retain(|_, session| {
            let stored = session.stored.load(Ordering::Acquire);
            if session.transport == Transport::WebSocket {
                if stored {
                    changed.push(session.to_changed());
                }
                return true;
            }
            let at_rest = session.is_at_rest();
            if !at_rest {
                session.touch();
            }
            if stored {
                session.changed.store(false, Ordering::Release);
                changed.push(session.to_changed());
            }
            let rests_since = session.rests_since();
            if stored {
                !(at_rest && rests_since > RESTS_IN_MEMORY.min(idle))
            } else {
                let stays = !(at_rest && rests_since > idle);
                forgotten += usize::from(!stays);
                stays
            }
        });
        self.tell(open.len());
        drop(open);
        if !changed.is_empty() {
            self.store.note_sessions(changed);
        }
        forgotten
    }

    /// Leaves the longest idle tenth to the store when memory holds as many as it may.
    fn make_room(&self, open: &mut Open) -> Result<(), Fault> {
        if open.len() < self.most {
            return Ok(());
        }
        let mut resting: Vec<_> = open
            .values()
            .filter(|session| session.transport == Transport::Http)
            .cloned()
            .collect();
        if resting.len() < self.most {
            return Ok(());
        }
        resting.retain(|session| session.is_at_rest());
        if resting.is_empty() {
            return Err(Fault::TooManySessions);
        }
        resting.sort_by_key(|session| session.used.load(Ordering::Relaxed));
        resting.truncate(self.most.div_ceil(10));
        let mut changed = Vec::new();
        for session in &resting {
            open.remove(&session.id);
            if session.stored.load(Ordering::Acquire) {
                changed.push(session.to_changed());
            }
        }
        self.store.note_sessions(changed);
        Ok(())
    }

    /// How many are in memory.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// The newest ones in memory, at most `limit`.
    pub fn summaries(&self, limit: usize) -> Vec<Summary> {
        let mut sessions: Vec<_> = self.lock().values().cloned().collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.created));
        sessions
            .iter()
            .take(limit)
            .map(|session| Summary::of(session))
            .collect()
    }

    fn tell(&self, count: usize) {
        self.gauge
            .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
}

fn begin(
    id: Arc<str>,
    principal: &Arc<str>,
    introduction: Introduction<'_>,
    flights: Arc<Flights>,
    way: Way,
) -> Session {
    let Introduction {
        revision,
        capabilities,
        info,
        tools,
    } = introduction;
    let created = now();
    Session {
        handle: handle_of(&id).into(),
        id,
        principal: principal.clone(),
        revision,
        transport: match way {
            Way::Socket(_) => Transport::WebSocket,
            Way::Http(_) => Transport::Http,
        },
        client: client_json(revision.as_str(), capabilities, info).into(),
        log_level: AtomicU8::new(Level::Info.rank()),
        tools,
        flights,
        ear: OnceLock::new(),
        remembered: Vec::new(),
        created,
        used: AtomicI64::new(created),
        changed: AtomicBool::new(false),
        stored: AtomicBool::new(false),
        way,
    }
}
