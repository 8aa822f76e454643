//! Who wants to hear of which resource, and what they have not heard yet.
//!
//! An [`Ear`] belongs to one legacy session or one modern subscription. An update waits in it, at
//! most once per resource, until somebody listens: a slow reader misses none and fills no memory.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::error::Fault;

/// The most resources that one ear listens for.
const MOST: usize = 1_000;

/// How many messages wait for one ear at most; of more the oldest are dropped.
const SAID: usize = 64;

/// Ears by their number, by the resource that they listen for.
type ByUri = HashMap<Arc<str>, HashMap<u64, Weak<Ear>>>;

/// All ears, by what they listen for.
#[derive(Debug, Default)]
pub(crate) struct Ears {
    by_uri: Mutex<ByUri>,
    next: AtomicU64,
}

/// One listener.
#[derive(Debug)]
pub(crate) struct Ear {
    ears: Arc<Ears>,
    number: u64,
    state: Mutex<State>,
    notify: Notify,
    /// Cancelled when nobody listens any more.
    gone: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    wanted: BTreeSet<Arc<str>>,
    unheard: BTreeSet<Arc<str>>,
    said: VecDeque<String>,
}

impl Ears {
    fn lock(&self) -> MutexGuard<'_, ByUri> {
        self.by_uri.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A further ear, which listens for nothing yet.
    pub fn grow(self: &Arc<Self>) -> Arc<Ear> {
        Arc::new(Ear {
            ears: Arc::clone(self),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            state: Mutex::default(),
            notify: Notify::new(),
            gone: CancellationToken::new(),
        })
    }

    /// Tells everyone who wants to know that this resource has changed.
    pub fn tell(&self, uri: &str) {
        // Ears are let go of after the lock: the last one to hold an ear locks again.
        let ears: Vec<Arc<Ear>> = match self.lock().get(uri) {
            Some(ears) => ears.values().filter_map(Weak::upgrade).collect(),
            None => return,
        };
        for ear in ears {
            ear.hear(uri);
        }
    }

    /// Tells everyone that whatever they listen for may have changed.
    pub fn tell_all(&self) {
        self.tell_under("");
    }

    /// The same for resources whose URIs begin so.
    pub fn tell_under(&self, start: &str) {
        let under = |uri: &&Arc<str>| uri.starts_with(start);
        let uris: Vec<Arc<str>> = self.lock().keys().filter(under).cloned().collect();
        for uri in uris {
            self.tell(&uri);
        }
    }

    fn forget(&self, number: u64, uri: &str) {
        let mut by_uri = self.lock();
        if let Some(ears) = by_uri.get_mut(uri) {
            ears.remove(&number);
            if ears.is_empty() {
                by_uri.remove(uri);
            }
        }
    }
}

impl Ear {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens for a resource from now on.
    ///
    /// # Errors
    /// When it listens for too many already.
    pub fn want(self: &Arc<Self>, uri: &str) -> Result<(), Fault> {
        let uri: Arc<str> = uri.into();
        {
            let mut state = self.lock();
            if state.wanted.len() >= MOST && !state.wanted.contains(&uri) {
                return Err(Fault::InvalidParams(format!(
                    "a client subscribes to at most {MOST} resources: unsubscribe from others first"
                )));
            }
            state.wanted.insert(uri.clone());
        }
        self.ears
            .lock()
            .entry(uri)
            .or_default()
            .insert(self.number, Arc::downgrade(self));
        Ok(())
    }

    /// Listens for a resource no more.
    pub fn ignore(&self, uri: &str) {
        self.ears.forget(self.number, uri);
        let mut state = self.lock();
        state.wanted.remove(uri);
        state.unheard.remove(uri);
    }

    fn hear(&self, uri: &str) {
        let mut state = self.lock();
        let Some(uri) = state.wanted.get(uri).cloned() else {
            return;
        };
        state.unheard.insert(uri);
        drop(state);
        self.notify.notify_one();
    }

    /// Says something to this ear alone: a notification, ready for the wire.
    pub fn say(&self, message: String) {
        let mut state = self.lock();
        if state.said.len() >= SAID {
            state.said.pop_front();
        }
        state.said.push_back(message);
        drop(state);
        self.notify.notify_one();
    }

    /// What was said to it and not told yet.
    pub fn take_said(&self) -> Option<String> {
        self.lock().said.pop_front()
    }

    /// Cancelled when nobody listens any more.
    pub fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    /// Takes every resource that is listened for as changed: nobody knows.
    pub fn doubt(&self) {
        let mut state = self.lock();
        state.unheard = state.wanted.clone();
        drop(state);
        self.notify.notify_one();
    }

    /// What is listened for.
    pub fn wanted(&self) -> Vec<String> {
        self.lock().wanted.iter().map(ToString::to_string).collect()
    }

    /// A resource that has changed since it was last told here.
    pub fn take(&self) -> Option<Arc<str>> {
        self.lock().unheard.pop_first()
    }

    /// Waits for a moment at which [`Self::take`] may have something.
    pub async fn listen(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.gone.cancel();
        let wanted = std::mem::take(&mut self.lock().wanted);
        for uri in wanted {
            self.ears.forget(self.number, &uri);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_waits_once_for_each_who_wants_it() {
        let ears = Arc::new(Ears::default());
        let (one, other) = (ears.grow(), ears.grow());
        one.want("a").unwrap();
        other.want("b").unwrap();
        ears.tell("a");
        ears.tell("a");
        ears.tell("c");
        assert_eq!(one.take().as_deref(), Some("a"));
        assert_eq!((one.take(), other.take()), (None, None));
        ears.tell_all();
        assert_eq!(one.take().as_deref(), Some("a"));
        assert_eq!(other.take().as_deref(), Some("b"));
    }

    #[test]
    fn who_has_gone_or_no_longer_cares_is_forgotten() {
        let ears = Arc::new(Ears::default());
        let (one, other) = (ears.grow(), ears.grow());
        one.want("a").unwrap();
        other.want("a").unwrap();
        ears.tell("a");
        one.ignore("a");
        assert_eq!(one.take(), None);
        drop(other);
        assert!(ears.lock().is_empty());
    }

    #[test]
    fn an_ear_has_its_bounds() {
        let ears = Arc::new(Ears::default());
        let ear = ears.grow();
        for place in 0..MOST {
            ear.want(&place.to_string()).unwrap();
        }
        assert!(ear.want("0").is_ok());
        assert!(ear.want("one more").is_err());
    }

    #[tokio::test]
    async fn who_listens_is_woken_even_if_it_was_told_before() {
        let ears = Arc::new(Ears::default());
        let ear = ears.grow();
        ear.want("a").unwrap();
        ears.tell("a");
        ear.listen().await;
        assert!(ear.take().is_some());
    }
}
