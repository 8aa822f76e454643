//! Sessions: what the gateway knows of a legacy client between its messages.
//!
//! Their ids are random, bound to the principal, and secret: who has one and is someone else is
//! told that there is none.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use metrics::Gauge;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::era::Revision;
use crate::flights::Flights;
use crate::level::Level;

/// By which way a session's messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// One WebSocket; the session ends with it.
    WebSocket,
    /// HTTP requests that carry the session's id.
    Http,
}

/// What a client says of itself when it opens a session.
#[derive(Debug, Clone, Copy)]
pub struct Introduction<'a> {
    /// The revision that was agreed on.
    pub revision: Revision,
    /// MCP `ClientCapabilities`.
    pub capabilities: Option<&'a RawValue>,
    /// MCP `Implementation`.
    pub info: Option<&'a RawValue>,
}

/// A legacy session.
#[derive(Debug)]
pub struct Session {
    id: Arc<str>,
    principal: Arc<str>,
    revision: Revision,
    transport: Transport,
    /// The `client` of every task, up to what differs between calls: see [`crate::call`].
    client: Box<str>,
    log_level: AtomicU8,
    flights: Arc<Flights>,
    opened: Instant,
    /// Milliseconds from `opened` to the last message.
    used: AtomicU64,
    /// Counts the standing streams that were opened; the newest one is served.
    stream: watch::Sender<u64>,
}

impl Session {
    /// Its id, a secret.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The revision that was agreed on.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The beginning of a task's `client`, an object that is not closed.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client
    }

    /// The requests that are being served.
    #[must_use]
    pub fn flights(&self) -> &Arc<Flights> {
        &self.flights
    }

    /// The least severe log message that the client wants. `info` until it says otherwise:
    /// without `logging/setLevel` the choice is the server's (2025-11-25, "Logging").
    #[must_use]
    pub fn log_level(&self) -> Level {
        Level::of_rank(self.log_level.load(Ordering::Relaxed))
    }

    /// Sets it.
    pub fn set_log_level(&self, level: Level) {
        self.log_level.store(level.rank(), Ordering::Relaxed);
    }

    /// Takes over the standing stream; the receiver changes when a newer one does, and closes
    /// with the session.
    #[must_use]
    pub fn open_stream(&self) -> watch::Receiver<u64> {
        self.stream.send_modify(|count| *count += 1);
        self.stream.subscribe()
    }

    /// Notes that a message came.
    pub fn touch(&self) {
        let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used.store(millis, Ordering::Relaxed);
    }

    fn rests_since(&self) -> Duration {
        let used = Duration::from_millis(self.used.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(used)
    }

    fn is_idle(&self, limit: Duration) -> bool {
        self.rests_since() > limit && self.flights.count() == 0 && self.stream.receiver_count() == 0
    }
}

/// The beginning of a task's `client`: the members that hold for all calls of a client.
#[must_use]
pub fn client_json(
    version: &str,
    capabilities: Option<&RawValue>,
    info: Option<&RawValue>,
) -> String {
    let mut text = format!(r#"{{"protocolVersion":"{version}""#);
    for (name, value) in [("capabilities", capabilities), ("info", info)] {
        if let Some(value) = value {
            text.push_str(r#",""#);
            text.push_str(name);
            text.push_str(r#"":"#);
            text.push_str(value.get());
        }
    }
    text
}

/// A session as people see it; its id is left out, for it is a secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The revision that was agreed on.
    pub revision: &'static str,
    /// By which way its messages come.
    pub transport: Transport,
    /// What the client calls itself.
    pub client: Option<String>,
    /// Who it is.
    pub principal: String,
    /// Seconds since it was opened.
    pub age_seconds: u64,
    /// Seconds since its last message.
    pub idle_seconds: u64,
    /// Requests that are being served.
    pub in_flight: usize,
}

/// All open sessions.
pub struct Sessions {
    open: Mutex<HashMap<Arc<str>, Arc<Session>>>,
    gauge: Gauge,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Sessions({})", self.count())
    }
}

impl Sessions {
    /// None yet; their number is told to this gauge.
    #[must_use]
    pub fn new(gauge: Gauge) -> Self {
        Self {
            open: Mutex::default(),
            gauge,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session.
    #[must_use]
    pub fn open(
        &self,
        principal: &Arc<str>,
        transport: Transport,
        introduction: Introduction<'_>,
        flights: Arc<Flights>,
    ) -> Arc<Session> {
        let id: [u8; 24] = rand::random();
        let Introduction {
            revision,
            capabilities,
            info,
        } = introduction;
        let session = Arc::new(Session {
            id: URL_SAFE_NO_PAD.encode(id).into(),
            principal: principal.clone(),
            revision,
            transport,
            client: client_json(revision.as_str(), capabilities, info).into(),
            log_level: AtomicU8::new(Level::Info.rank()),
            flights,
            opened: Instant::now(),
            used: AtomicU64::new(0),
            stream: watch::Sender::new(0),
        });
        let mut open = self.lock();
        open.insert(session.id.clone(), session.clone());
        self.tell(open.len());
        session
    }

    /// The HTTP session of this id and principal, marked as used; `None` to everyone else.
    #[must_use]
    pub fn get(&self, id: &str, principal: &str) -> Option<Arc<Session>> {
        let session = self.lock().get(id).cloned();
        session
            .filter(|session| {
                *session.principal == *principal && session.transport == Transport::Http
            })
            .inspect(|session| session.touch())
    }

    /// Ends a session.
    pub fn end(&self, session: &Session) {
        let mut open = self.lock();
        open.remove(&session.id);
        self.tell(open.len());
    }

    /// Forgets HTTP sessions that have rested for longer than this; returns how many.
    pub fn sweep(&self, limit: Duration) -> usize {
        let mut open = self.lock();
        let before = open.len();
        open.retain(|_, session| {
            session.transport == Transport::WebSocket || !session.is_idle(limit)
        });
        self.tell(open.len());
        before - open.len()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// The newest ones, at most `limit`.
    #[must_use]
    pub fn summaries(&self, limit: usize) -> Vec<Summary> {
        let mut sessions: Vec<_> = self.lock().values().cloned().collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.opened));
        sessions
            .iter()
            .take(limit)
            .map(|session| Summary {
                revision: session.revision.as_str(),
                transport: session.transport,
                client: client_name(&session.client),
                principal: session.principal.to_string(),
                age_seconds: session.opened.elapsed().as_secs(),
                idle_seconds: session.rests_since().as_secs(),
                in_flight: session.flights.count(),
            })
            .collect()
    }

    fn tell(&self, count: usize) {
        self.gauge
            .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
}

fn client_name(client: &str) -> Option<String> {
    let client: Value = serde_json::from_str(&format!("{client}}}")).ok()?;
    client["info"]["name"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(sessions: &Sessions, principal: &str, transport: Transport) -> Arc<Session> {
        let info: &RawValue = serde_json::from_str(r#"{"name":"probe","version":"1"}"#).unwrap();
        sessions.open(
            &principal.into(),
            transport,
            Introduction {
                revision: Revision::LATEST,
                capabilities: None,
                info: Some(info),
            },
            Arc::default(),
        )
    }

    #[test]
    fn a_session_is_its_principals_alone() {
        let sessions = Sessions::new(Gauge::noop());
        let session = open(&sessions, "a", Transport::Http);
        assert!(sessions.get(session.id(), "a").is_some());
        assert!(sessions.get(session.id(), "b").is_none());
        assert!(sessions.get("other", "a").is_none());
        sessions.end(&session);
        assert!(sessions.get(session.id(), "a").is_none());
    }

    #[test]
    fn sessions_at_rest_are_forgotten_but_not_those_in_use() {
        let sessions = Sessions::new(Gauge::noop());
        let _idle = open(&sessions, "a", Transport::Http);
        let streaming = open(&sessions, "a", Transport::Http);
        let _stream = streaming.open_stream();
        let _socket = open(&sessions, "a", Transport::WebSocket);
        assert_eq!(sessions.sweep(Duration::from_secs(3_600)), 0);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(sessions.sweep(Duration::ZERO), 1);
        assert_eq!(sessions.count(), 2);
    }

    #[test]
    fn a_summary_names_the_client_and_no_secret() {
        let sessions = Sessions::new(Gauge::noop());
        let session = open(&sessions, "a", Transport::Http);
        let summary = serde_json::to_string(&sessions.summaries(10)).unwrap();
        assert!(summary.contains("probe"));
        assert!(!summary.contains(&**session.id()));
    }

    #[test]
    fn a_newer_stream_tells_the_older_one() {
        let sessions = Sessions::new(Gauge::noop());
        let session = open(&sessions, "a", Transport::Http);
        let older = session.open_stream();
        assert!(!older.has_changed().unwrap());
        let newer = session.open_stream();
        assert!(older.has_changed().unwrap());
        assert!(!newer.has_changed().unwrap());
    }
}
