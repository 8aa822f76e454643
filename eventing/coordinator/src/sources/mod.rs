//! Which event sources there are, and how each has fared.
//!
//! What they do is said by `dormouse-source`; the door of [webhooks](crate::api) asks here for the
//! source of a path, and [`run_schedules`](crate::Coordinator::run_schedules) for the schedules.

mod timetable;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use dormouse_source::{Kind, Schedule, Source, Webhook};
use jiff::Timestamp;
use tokio::sync::watch;

/// A source as its file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDeclaration {
    /// Its name.
    pub name: String,
    /// `github`, `webhook` or `schedule`.
    pub word: &'static str,
    /// What it does, or why it cannot: a secret that is not there.
    pub source: Result<Source, String>,
}

/// The sources; clones share them.
#[derive(Clone)]
pub struct Sources {
    served: Arc<RwLock<BTreeMap<String, Arc<Served>>>>,
    /// Whether all that there are have been seen.
    is_complete: Arc<AtomicBool>,
    changed: Arc<watch::Sender<()>>,
}

/// A source at work.
pub(crate) struct Served {
    pub(crate) declared: SourceDeclaration,
    log: Mutex<Log>,
}

/// What has become of a source since the platform started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    /// How many of its events were taken.
    pub(crate) events: u64,
    /// The last of them, and when.
    pub(crate) last_event: Option<(String, Timestamp)>,
    /// What went wrong last, and when.
    pub(crate) last_error: Option<(String, Timestamp)>,
    /// When a schedule's next event is due.
    pub(crate) next_run: Option<Timestamp>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            served: Arc::default(),
            is_complete: Arc::default(),
            changed: Arc::new(watch::Sender::new(())),
        }
    }
}

impl Sources {
    /// Serves a source, in place of one of the same name. One that did not change goes on as it was;
    /// `false` says so.
    pub fn put(&self, declared: SourceDeclaration) -> bool {
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        let before = served.get(&declared.name);
        if before.is_some_and(|served| served.declared == declared) {
            return false;
        }
        served.insert(declared.name.clone(), Arc::new(Served::new(declared)));
        drop(served);
        self.changed.send_replace(());
        true
    }

    /// Takes out all but these, which are all that there are.
    pub fn keep_only(&self, is_kept: impl Fn(&str) -> bool) {
        self.is_complete.store(true, Ordering::Release);
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        let before = served.len();
        served.retain(|name, _| is_kept(name));
        if served.len() < before {
            drop(served);
            self.changed.send_replace(());
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Served>> {
        self.read().get(name).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Served>> {
        self.read().values().cloned().collect()
    }

    /// Whether what is not among them is gone for good, rather than in a file that nobody has been
    /// able to read yet.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// Is told whenever the sources have been replaced.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Arc<Served>>> {
        self.served.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Served {
    fn new(declared: SourceDeclaration) -> Self {
        if let Err(why) = &declared.source {
            tracing::error!(source = declared.name, why, "the source cannot work");
        }
        Self {
            log: Mutex::new(Log {
                last_error: declared
                    .source
                    .as_ref()
                    .err()
                    .map(|why| (why.clone(), Timestamp::now())),
                ..Log::default()
            }),
            declared,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.declared.name
    }

    /// Why it cannot work, if it cannot; else the webhook that it is, if it is one.
    pub(crate) fn webhook(&self) -> Result<Option<&Webhook>, &str> {
        match &self.declared.source {
            Ok(source) => match &source.kind {
                Kind::Webhook(webhook) => Ok(Some(webhook)),
                Kind::Schedule(_) => Ok(None),
            },
            Err(why) => Err(why),
        }
    }

    pub(crate) fn schedule(&self) -> Option<&Schedule> {
        match &self.declared.source.as_ref().ok()?.kind {
            Kind::Schedule(schedule) => Some(schedule),
            Kind::Webhook(_) => None,
        }
    }

    pub(crate) fn log(&self) -> Log {
        self.lock().clone()
    }

    pub(crate) fn note_event(&self, id: &str) {
        let mut log = self.lock();
        log.events += 1;
        log.last_event = Some((id.to_owned(), Timestamp::now()));
        self.count("taken");
    }

    pub(crate) fn set_next_run(&self, next: Option<Timestamp>) {
        self.lock().next_run = next;
    }

    pub(crate) fn note_error(&self, why: &str) {
        self.lock().last_error = Some((why.to_owned(), Timestamp::now()));
        self.count("refused");
    }

    fn count(&self, outcome: &'static str) {
        let source = self.declared.name.clone();
        metrics::counter!("dormouse_source_events_total", "source" => source, "outcome" => outcome)
            .increment(1);
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
