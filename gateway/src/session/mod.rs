//! Sessions: what the gateway knows of a legacy client between its messages.
//!
//! Their ids are random, bound to the principal, and secret: who has one and is someone else is
//! told that there is none. Where a session is named to others (the broker, the store, logs), its
//! handle stands for it, which is made from the id and does not give it away.
//!
//! Those over HTTP are stored when they are opened, and outlive connections and the process; one
//! that rests for a while is in the store alone. A WebSocket's session ends with it, unless its
//! client asked for one that can be resumed.

pub(crate) mod channel;
mod registry;
mod stored;
mod summary;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dormouse_broker::TaskId;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

use crate::clock::now;
use crate::ears::{Ear, Ears};
use crate::era::Revision;
use crate::flights::Flights;
use crate::level::Level;
use crate::listening::Listening;
use crate::search::ToolsMode;
use crate::websocket::{Desk, Wanted};
use channel::Channel;

pub(crate) use registry::Sessions;
pub use summary::Summary;

/// How many streams of calls that have ended are kept for a client that lost the connection.
const ENDED_KEPT: usize = 16;

/// By which way a session's messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// One WebSocket; the session ends with it, unless it can be resumed.
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
    /// What `tools/list` shall offer.
    pub tools: Option<ToolsMode>,
}

/// A legacy session.
#[derive(Debug)]
pub struct Session {
    id: Arc<str>,
    handle: Arc<str>,
    principal: Arc<str>,
    revision: Revision,
    transport: Transport,
    /// The `client` of every task, up to what differs between calls: see [`crate::call`].
    client: Box<str>,
    log_level: AtomicU8,
    /// What `tools/list` offers, where the client said so.
    tools: Option<ToolsMode>,
    flights: Arc<Flights>,
    /// What it hears of resources, once it has subscribed or listens.
    ear: OnceLock<Arc<Ear>>,
    /// The resources that it had subscribed to when it was stored.
    remembered: Vec<String>,
    /// Milliseconds since the Unix epoch, as is `used`.
    created: i64,
    used: AtomicI64,
    /// Something else than `used` has changed since it was stored.
    changed: AtomicBool,
    /// Whether it can be found in the store.
    stored: AtomicBool,
    way: Way,
}

/// How messages reach the client.
#[derive(Debug)]
enum Way {
    /// By its WebSocket, which knows. A session that can be resumed can be asked for.
    Socket(Mutex<Option<mpsc::UnboundedSender<Wanted>>>),
    /// By streams of events.
    Http(Box<Streams>),
}

/// The streams of an HTTP session.
#[derive(Debug, Default)]
struct Streams {
    /// What the server says of itself.
    standing: Standing,
    /// Those of calls, by task.
    calls: Mutex<HashMap<TaskId, Arc<Channel>>>,
}

/// The standing stream of a session over HTTP, across the connections that carry it.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// What it tells.
    pub channel: Arc<Channel>,
    /// Where that comes from, while nobody reads: what changes meanwhile is told to the next one.
    pub source: Mutex<Option<Listening>>,
}

impl Session {
    /// Its id, a secret.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Its name where others may see it.
    #[must_use]
    pub fn handle(&self) -> &Arc<str> {
        &self.handle
    }

    /// Whose it is.
    #[must_use]
    pub fn principal(&self) -> &Arc<str> {
        &self.principal
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

    /// What `tools/list` offers, where the client said so.
    #[must_use]
    pub fn tools(&self) -> Option<ToolsMode> {
        self.tools
    }

    /// The requests that are being served.
    #[must_use]
    pub fn flights(&self) -> &Arc<Flights> {
        &self.flights
    }

    /// What it hears of resources. One that was in the store alone may have missed something, so
    /// it hears of everything that it had subscribed to.
    pub(crate) fn ear(&self, ears: &Arc<Ears>) -> &Arc<Ear> {
        self.ear.get_or_init(|| {
            let ear = ears.grow();
            for uri in &self.remembered {
                if let Err(fault) = ear.want(uri) {
                    tracing::warn!(%fault, "a stored subscription is dropped");
                }
            }
            ear.doubt();
            ear
        })
    }

    /// Notes that it has subscribed to other resources.
    pub(crate) fn subscriptions_changed(&self) {
        self.changed.store(true, Ordering::Release);
    }

    /// The resources that it subscribed to.
    fn subscriptions(&self) -> Vec<String> {
        match self.ear.get() {
            Some(ear) => ear.wanted(),
            None => self.remembered.clone(),
        }
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
        self.changed.store(true, Ordering::Release);
    }

    /// The standing stream of a session over HTTP.
    pub(crate) fn standing(&self) -> Option<&Standing> {
        match &self.way {
            Way::Socket(_) => None,
            Way::Http(streams) => Some(&streams.standing),
        }
    }

    /// The stream of a call that is in memory.
    pub(crate) fn call_stream(&self, task: TaskId) -> Option<Arc<Channel>> {
        match &self.way {
            Way::Socket(_) => None,
            Way::Http(streams) => lock(&streams.calls).get(&task).cloned(),
        }
    }

    /// Keeps the stream of a call, so that its client can come back to it. Where there is one
    /// that is not spent that one stays, and is returned.
    pub(crate) fn keep_call_stream(&self, task: TaskId, stream: Arc<Channel>) -> Arc<Channel> {
        let Way::Http(streams) = &self.way else {
            return stream;
        };
        let mut calls = lock(&streams.calls);
        if let Some(there) = calls.get(&task)
            && !there.is_spent()
        {
            return Arc::clone(there);
        }
        forget_ended(&mut calls);
        calls.insert(task, Arc::clone(&stream));
        stream
    }

    /// Forgets the stream of a call whose answer has been read.
    pub(crate) fn drop_call_stream(&self, task: TaskId) {
        if let Way::Http(streams) = &self.way {
            lock(&streams.calls).remove(&task);
        }
    }

    /// Takes the session of a WebSocket into possession: what others want of it comes to the owner.
    pub(crate) fn own(&self) -> mpsc::UnboundedReceiver<Wanted> {
        let (sender, wanted) = mpsc::unbounded_channel();
        if let Way::Socket(owner) = &self.way {
            *lock(owner) = Some(sender);
        }
        wanted
    }

    /// Asks whoever owns the session of a WebSocket; `false` when nobody does.
    pub(crate) fn want(&self, wanted: Wanted) -> bool {
        let Way::Socket(owner) = &self.way else {
            return false;
        };
        lock(owner)
            .as_ref()
            .is_some_and(|owner| owner.send(wanted).is_ok())
    }

    /// Takes the session of a WebSocket over from whoever owns it; `None` when nobody does.
    pub(crate) async fn take_over(&self) -> Option<Desk> {
        let (taker, desk) = oneshot::channel();
        self.want(Wanted::TakeOver(taker));
        desk.await.ok()
    }

    /// Whether it is the session of a WebSocket that can be resumed.
    fn can_be_wanted(&self) -> bool {
        match &self.way {
            Way::Socket(owner) => lock(owner).is_some(),
            Way::Http(_) => false,
        }
    }

    /// Notes that a message came.
    pub fn touch(&self) {
        self.used.store(now(), Ordering::Relaxed);
    }

    fn rests_since(&self) -> Duration {
        let millis = now() - self.used.load(Ordering::Relaxed);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }

    /// Nothing is being served.
    fn is_at_rest(&self) -> bool {
        self.flights.count() == 0
            && match &self.way {
                Way::Socket(_) => false,
                Way::Http(streams) => !streams.standing.channel.is_read(),
            }
    }

    /// Ends its streams.
    fn close(&self) {
        if let Way::Http(streams) = &self.way {
            streams.standing.channel.close();
            for (_, stream) in lock(&streams.calls).drain() {
                stream.close();
            }
        }
    }
}

/// Makes room where many streams have ended without being read.
fn forget_ended(calls: &mut HashMap<TaskId, Arc<Channel>>) {
    let mut ended: Vec<TaskId> = calls
        .iter()
        .filter(|(_, stream)| stream.has_ended())
        .map(|(task, _)| *task)
        .collect();
    if ended.len() >= ENDED_KEPT {
        // Task ids sort by time.
        ended.sort_unstable();
        for task in &ended[..=ended.len() - ENDED_KEPT] {
            calls.remove(task);
        }
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

/// A session's handle.
pub(crate) fn handle_of(id: &str) -> String {
    // 144 bits: as hard to guess or to meet twice as the id.
    URL_SAFE_NO_PAD.encode(&Sha256::digest(id)[..18])
}

/// A new session's id.
pub(crate) fn new_id() -> Arc<str> {
    let id: [u8; 24] = rand::random();
    URL_SAFE_NO_PAD.encode(id).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
