//! The frames of a WebSocket session that can be resumed: numbered, stored before they leave, and
//! kept until the client has them.
//!
//! Answers and requests are stored, an answer that the broker knows as a reference to its task.
//! Notifications are in memory only.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dormouse_broker::{Standing, TaskId};
use futures_util::future::join_all;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::backlog::{Backlog, Content, Frame};
use crate::answer::Reply;
use crate::core::Core;
use crate::ending;
use crate::era::Era;
use crate::error::Fault;
use crate::feature::Feature;
use crate::jsonrpc::RequestId;
use crate::outbox::{Message, Outbox};
use crate::store::Error;
use crate::store::frames::{Owner, Resumed, StoredContent, StoredFlight, StoredFrame};

/// How many frames may be unacknowledged before the client is asked how far it has got.
const ASK_AFTER: u64 = 256;

/// How many answers are fetched at once.
const FETCHED: usize = 32;

type Writing = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
type Fetching = Pin<Box<dyn Future<Output = Vec<(u64, String)>> + Send>>;

/// The frames of one session.
pub(super) struct Relay {
    core: Arc<Core>,
    /// The session's id, a secret.
    id: Arc<str>,
    /// `None` until the session is open: until then nothing is kept.
    owner: Option<Owner>,
    era: Era,
    backlog: Backlog,
    writing: Option<Writing>,
    fetching: Option<Fetching>,
    /// How many messages came from the client.
    received: u64,
    /// The last frame that the client is known to have, and the one it was asked about last.
    confirmed: u64,
    asked: u64,
}

/// The session is another connection's by now.
#[derive(Debug)]
pub(super) struct Fenced;

impl Relay {
    /// For a session that is to be opened under this id.
    pub fn new(core: Arc<Core>, id: Arc<str>, era: Era) -> Self {
        Self::behind(core, id, era, 0)
    }

    fn behind(core: Arc<Core>, id: Arc<str>, era: Era, has: u64) -> Self {
        Self {
            core,
            id,
            owner: None,
            era,
            backlog: Backlog::behind(has),
            writing: None,
            fetching: None,
            received: 0,
            confirmed: has,
            asked: has,
        }
    }

    /// What the store has of a session whose client has this many frames.
    pub fn restore(core: Arc<Core>, id: Arc<str>, era: Era, has: u64, resumed: &Resumed) -> Self {
        let mut relay = Self::behind(core, id, era, has);
        relay.owner = Some(resumed.owner.clone());
        relay.received = resumed.received;
        for frame in &resumed.frames {
            relay.backlog.push(restored(&frame.content));
        }
        relay.backlog.release();
        relay
    }

    /// The session's id.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// How many messages came from the client.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Notes that a message came.
    pub fn receive(&mut self) {
        self.received += 1;
    }

    /// Whether frames wait to be sent or stored.
    pub fn is_behind(&self) -> bool {
        self.writing.is_some() || self.backlog.is_behind()
    }

    /// The session is open and stored: from here on frames are kept.
    pub fn open(&mut self, owner: Option<Owner>, era: Era) {
        self.owner = owner;
        self.era = era;
    }

    /// Stores that a request has come, before it is served.
    pub fn begin(
        &self,
        request: RequestId,
        task: Option<TaskId>,
    ) -> impl Future<Output = Result<(), Fenced>> + Send + use<> {
        let (store, owner) = (self.core.store.clone(), self.owner.clone());
        let flight = StoredFlight {
            request: request.to_string(),
            task: task.map(|task| task.to_string()),
        };
        let received = self.received;
        async move {
            let Some(owner) = owner else { return Ok(()) };
            settle(store.begin_flight(owner, flight, received).await)
        }
    }

    /// A request that its client has cancelled: there will be no answer.
    pub fn forget(&self, request: &RequestId) {
        if let Some(owner) = self.owner.clone() {
            self.core.store.drop_flight(owner, request.to_string());
        }
    }

    /// Adds what waits in the outbox.
    pub fn collect(&mut self, outbox: &Outbox) {
        while let Some(Message { text, is_notice }) = outbox.pop_message() {
            let content = if is_notice {
                Content::Notice
            } else {
                Content::Text(None)
            };
            self.backlog.push(frame(content, text));
        }
    }

    /// Adds the answer of a request; `task` is what became of it, where the broker knows it.
    pub fn answer(&mut self, request: RequestId, task: Option<TaskId>, text: String) {
        let content = match task {
            Some(task) => Content::Answer(task, request),
            None => Content::Text(Some(request)),
        };
        self.backlog.push(frame(content, text));
    }

    /// The next frame that may leave; `None`: not now.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Result<Option<Utf8Bytes>, Fenced> {
        loop {
            if let Poll::Ready(stored) = self.poll_store(cx) {
                stored?;
            }
            if let Some(text) = self.backlog.take() {
                if self.owner.is_none() {
                    self.backlog.acknowledge(self.backlog.sent());
                }
                return Ok(Some(text));
            }
            if !self.backlog.has_more() {
                return Ok(None);
            }
            let fetching = match &mut self.fetching {
                Some(fetching) => fetching,
                None => self.fetching.insert(fetch(
                    Arc::clone(&self.core),
                    self.era,
                    self.backlog.missing(FETCHED),
                )),
            };
            match fetching.as_mut().poll(cx) {
                Poll::Pending => return Ok(None),
                Poll::Ready(found) => {
                    self.fetching = None;
                    for (number, text) in found {
                        self.backlog.fill(number, text.into());
                    }
                }
            }
        }
    }

    /// Ready when nothing more is being stored.
    pub fn poll_store(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fenced>> {
        loop {
            if let Some(writing) = &mut self.writing {
                let stored = std::task::ready!(writing.as_mut().poll(cx));
                self.writing = None;
                self.backlog.release();
                settle(stored)?;
            }
            let (number, held) = self.backlog.held();
            let frames = stored_frames(number, held);
            self.backlog.store();
            match (frames.is_empty(), &self.owner) {
                (false, Some(owner)) => {
                    let (store, owner) = (self.core.store.clone(), owner.clone());
                    let received = self.received;
                    self.writing = Some(Box::pin(async move {
                        store.add_frames(owner, frames, received).await
                    }));
                }
                (true, _) | (false, None) => {
                    self.backlog.release();
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// What to ask the client, when it is to be asked how far it has got.
    pub fn question(&mut self, now: bool) -> Option<[u8; 8]> {
        let sent = self.backlog.sent();
        if !now && sent < self.asked + ASK_AFTER {
            return None;
        }
        self.asked = sent;
        Some(sent.to_be_bytes())
    }

    /// Takes the client's word for how far it has got. What it has is kept until it says so
    /// again: its program may not have seen yet what its network stack has.
    pub fn confirm(&mut self, payload: &[u8]) {
        let Ok(number) = payload.try_into().map(u64::from_be_bytes) else {
            return;
        };
        if number > self.backlog.sent() || number < self.confirmed {
            return;
        }
        let known = std::mem::replace(&mut self.confirmed, number);
        let before = self.backlog.len();
        self.backlog.acknowledge(known);
        if before != self.backlog.len()
            && let Some(owner) = self.owner.clone()
        {
            self.core.store.acknowledge(owner, known);
        }
    }

    /// Whether it is stored.
    pub fn is_kept(&self) -> bool {
        self.owner.is_some()
    }

    /// Goes on for a client that has this many frames.
    ///
    /// # Errors
    /// When it cannot have so many, or they were forgotten, or the session has ended.
    pub async fn resume(&mut self, has: u64) -> Result<(), Fault> {
        // What was being stored is stored first, so that its number can change.
        let stored = std::future::poll_fn(|cx| self.poll_store(cx)).await;
        let Some(owner) = self.owner.clone().filter(|_| stored.is_ok()) else {
            return Err(Fault::UnknownSession);
        };
        let left = self.backlog.resume(has).ok_or(Fault::OutOfPlace(
            "there are not that many frames of this session, or some of the rest were forgotten: \
             initialize again",
        ))?;
        let principal = self.core.principal.to_string();
        let store = self.core.store.clone();
        let taken = store.take_over(owner.handle, principal, has, Some(left));
        match taken.await {
            Ok(Some(resumed)) => self.owner = Some(resumed.owner),
            Ok(None) => return Err(Fault::UnknownSession),
            Err(error) => tracing::error!(
                %error,
                "a session goes on, but would not outlive this process"
            ),
        }
        self.fetching = None;
        (self.confirmed, self.asked) = (has, has);
        Ok(())
    }
}

/// A store that fails takes no session down; only another owner does.
fn settle(stored: Result<(), Error>) -> Result<(), Fenced> {
    match stored {
        Ok(()) => Ok(()),
        Err(Error::Fenced) => Err(Fenced),
        Err(error) => {
            tracing::error!(%error, "messages could not be stored: a restart would lose them");
            Ok(())
        }
    }
}

fn frame(content: Content, text: String) -> Frame {
    Frame {
        content,
        text: Some(text.into()),
    }
}

fn restored(content: &StoredContent) -> Frame {
    let id = |request: &str| {
        serde_json::from_str(request)
            .ok()
            .and_then(RequestId::from_json)
    };
    match content {
        StoredContent::Answer { task, request } => match (task.parse(), id(request)) {
            (Ok(task), Some(request)) => Frame {
                content: Content::Answer(task, request),
                text: None,
            },
            // Written by nobody: nothing can be said, but the number stands.
            _ => Frame {
                content: Content::Notice,
                text: None,
            },
        },
        StoredContent::Text { text, request } => Frame {
            content: Content::Text(request.as_deref().and_then(id)),
            text: Some(text.as_str().into()),
        },
    }
}

fn stored_frames<'a>(first: u64, frames: impl Iterator<Item = &'a Frame>) -> Vec<StoredFrame> {
    (first..)
        .zip(frames)
        .filter_map(|(number, frame)| {
            let content = match (&frame.content, &frame.text) {
                (Content::Notice, _) | (_, None) => return None,
                (Content::Answer(task, request), _) => StoredContent::Answer {
                    task: task.to_string(),
                    request: request.to_string(),
                },
                (Content::Text(request), Some(text)) => StoredContent::Text {
                    text: text.to_string(),
                    request: request.as_ref().map(ToString::to_string),
                },
            };
            Some(StoredFrame { number, content })
        })
        .collect()
}

/// Brings answers back that are not in memory.
fn fetch(core: Arc<Core>, era: Era, missing: Vec<(u64, Content)>) -> Fetching {
    let found = missing.into_iter().map(move |(number, content)| {
        let core = Arc::clone(&core);
        async move {
            let text = match content {
                Content::Answer(task, request) => ended(&core, era, task, &request).await,
                Content::Notice | Content::Text(_) => String::new(),
            };
            (number, text)
        }
    });
    Box::pin(join_all(found))
}

async fn ended(core: &Core, era: Era, task: TaskId, request: &RequestId) -> String {
    match core.broker.standing(task).await {
        Ok(Some(Standing {
            ending: Some(ending),
            work,
            ..
        })) => {
            let feature = Feature::of_work(&work);
            ending::answer(request, era, feature, task, ending).0.text
        }
        Ok(_) | Err(_) => Reply::error(Some(request), &Fault::Stopped, era).text,
    }
}
