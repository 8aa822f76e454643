//! What a handler tells on the way, progress and log messages, and the queue they wait in until
//! the platform has taken them.
//!
//! The queue never holds a handler up: a newer progress takes the place of an older one that has
//! not left, and of logs the oldest make room. Numbers have gaps where that happened.

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dormouse_contract::task::{Client, Notification, Progressed};
use http::header::HeaderValue;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::delivery::Attempt;
use crate::reply;
use crate::sink::Sink;

/// So many log messages wait at most.
const WAITING_LOGS: usize = 256;
/// An answer waits at most so long for the reports before it.
const FLUSH: Duration = Duration::from_secs(2);

/// How severe a log message is (MCP `LoggingLevel`, RFC 5424), the least severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are RFC 5424's")]
pub enum Level {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// The text names no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no log level of RFC 5424")]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "notice" => Ok(Self::Notice),
            "warning" => Ok(Self::Warning),
            "error" => Ok(Self::Error),
            "critical" => Ok(Self::Critical),
            "alert" => Ok(Self::Alert),
            "emergency" => Ok(Self::Emergency),
            other => Err(UnknownLevel(other.to_owned())),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Progress,
    Log,
}

#[derive(Debug)]
struct Report {
    seq: u64,
    kind: Kind,
    notification: Box<RawValue>,
}

/// What waits to leave.
#[derive(Debug, Default)]
struct Queue {
    seq: u64,
    waiting: VecDeque<Report>,
    furthest: Option<f64>,
    started: bool,
    closed: bool,
}

impl Queue {
    /// Takes a progress that is further than all before, as MCP asks; others are dropped.
    fn push_progress(&mut self, done: f64, notification: Box<RawValue>) {
        let rises = self.furthest.is_none_or(|furthest| done > furthest);
        if done.is_finite() && rises {
            self.furthest = Some(done);
            self.push(Kind::Progress, notification);
        }
    }

    fn push(&mut self, kind: Kind, notification: Box<RawValue>) {
        let replaced = match kind {
            Kind::Progress => self.waiting.iter().position(|old| old.kind == kind),
            Kind::Log if self.waiting.len() < WAITING_LOGS => None,
            Kind::Log => self.waiting.iter().position(|old| old.kind == kind),
        };
        if let Some(index) = replaced {
            self.waiting.remove(index);
        }
        self.seq += 1;
        self.waiting.push_back(Report {
            seq: self.seq,
            kind,
            notification,
        });
    }
}

struct Outbox {
    queue: Mutex<Queue>,
    changed: Notify,
    /// The number of the last report that left, or was given up.
    sent: watch::Sender<u64>,
}

impl Outbox {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reports of one attempt. Dropping it lets what waits leave, and ends the sending.
pub(crate) struct Reports {
    outbox: Arc<Outbox>,
    progress: bool,
    level: Option<Level>,
    attempt: Arc<Attempt>,
    source: HeaderValue,
    sink: Arc<Sink>,
    runtime: Handle,
}

#[derive(Serialize)]
struct Progress<'a> {
    progress: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<f64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

#[derive(Serialize)]
struct Log<T> {
    level: Level,
    data: T,
}

impl Reports {
    /// `None` when nobody wants to hear, or nobody would believe it.
    pub(crate) fn wanted(
        attempt: &Arc<Attempt>,
        client: &Client,
        source: &HeaderValue,
        sink: Option<&Arc<Sink>>,
    ) -> Option<Self> {
        let wanted = client.progress || client.log_level.is_some();
        let sink = sink.filter(|_| wanted && attempt.has_token())?;
        Some(Self {
            outbox: Arc::new(Outbox {
                queue: Mutex::default(),
                changed: Notify::new(),
                sent: watch::Sender::new(0),
            }),
            progress: client.progress,
            // A level that only a later revision knows: rather too much than nothing.
            level: client
                .log_level
                .as_deref()
                .map(|level| level.parse().unwrap_or(Level::Info)),
            attempt: Arc::clone(attempt),
            source: source.clone(),
            sink: Arc::clone(sink),
            runtime: Handle::current(),
        })
    }

    pub(crate) fn progress(&self, done: f64, total: Option<f64>, message: &str) {
        if self.progress {
            let params = Progress {
                progress: done,
                total: total.filter(|total| total.is_finite()),
                message,
            };
            let notification = notification("notifications/progress", &params);
            self.push(notification, |queue, notification| {
                queue.push_progress(done, notification);
            });
        }
    }

    pub(crate) fn log(&self, level: Level, data: impl Serialize) {
        if self.level.is_some_and(|least| level >= least) {
            let notification = notification("notifications/message", &Log { level, data });
            self.push(notification, |queue, notification| {
                queue.push(Kind::Log, notification);
            });
        }
    }

    fn push(
        &self,
        notification: serde_json::Result<Box<RawValue>>,
        push: impl FnOnce(&mut Queue, Box<RawValue>),
    ) {
        let notification = match notification {
            Ok(notification) => notification,
            Err(error) => return tracing::warn!(%error, "a report cannot be written as JSON"),
        };
        let mut queue = self.outbox.queue();
        push(&mut queue, notification);
        let start = !std::mem::replace(&mut queue.started, true);
        drop(queue);
        self.outbox.changed.notify_one();
        if start {
            self.runtime.spawn(send_all(
                Arc::clone(&self.outbox),
                Arc::clone(&self.attempt),
                self.source.clone(),
                Arc::clone(&self.sink),
            ));
        }
    }

    /// Waits until everything told so far has left, but not for ever.
    pub(crate) async fn flush(&self) {
        let last = self.outbox.queue().seq;
        if last == 0 {
            return;
        }
        let mut sent = self.outbox.sent.subscribe();
        let flushed = sent.wait_for(|sent| *sent >= last);
        if tokio::time::timeout(FLUSH, flushed).await.is_err() {
            tracing::warn!("reports did not leave in time: the answer goes first");
        }
    }
}

fn notification(method: &str, params: &impl Serialize) -> serde_json::Result<Box<RawValue>> {
    to_raw_value(&Notification {
        method: method.into(),
        params: &to_raw_value(params)?,
    })
}

impl Drop for Reports {
    fn drop(&mut self) {
        self.outbox.queue().closed = true;
        self.outbox.changed.notify_one();
    }
}

async fn send_all(
    outbox: Arc<Outbox>,
    attempt: Arc<Attempt>,
    source: HeaderValue,
    sink: Arc<Sink>,
) {
    loop {
        let next = {
            let mut queue = outbox.queue();
            match queue.waiting.pop_front() {
                None if queue.closed => return,
                next => next,
            }
        };
        match next {
            None => outbox.changed.notified().await,
            Some(report) => {
                send(&report, &attempt, &source, &sink).await;
                outbox.sent.send_replace(report.seq);
            }
        }
    }
}

/// Reports are best effort: one that is lost is not sent again.
async fn send(report: &Report, attempt: &Attempt, source: &HeaderValue, sink: &Sink) {
    let progressed = Progressed {
        seq: report.seq,
        notification: &report.notification,
    };
    let sent = match serde_json::to_vec(&progressed) {
        Ok(data) => {
            let headers = reply::progressed(attempt, source, report.seq);
            sink.post(headers, data.into()).await
        }
        Err(error) => return tracing::warn!(%error, "a report cannot be written as JSON"),
    };
    if let Err(error) = sent {
        tracing::debug!(%error, task = attempt.task, "a report was lost");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> Box<RawValue> {
        to_raw_value(text).unwrap()
    }

    fn waiting(queue: &Queue) -> Vec<(u64, Kind)> {
        let entry = |report: &Report| (report.seq, report.kind);
        queue.waiting.iter().map(entry).collect()
    }

    #[test]
    fn a_newer_progress_takes_the_place_of_an_older_one_and_logs_keep_order() {
        let mut queue = Queue::default();
        for kind in [Kind::Log, Kind::Progress, Kind::Log, Kind::Progress] {
            queue.push(kind, note("x"));
        }
        assert_eq!(
            waiting(&queue),
            [(1, Kind::Log), (3, Kind::Log), (4, Kind::Progress)]
        );
    }

    #[test]
    fn of_too_many_logs_the_oldest_make_room() {
        let mut queue = Queue::default();
        for _ in 0..WAITING_LOGS + 2 {
            queue.push(Kind::Log, note("x"));
        }
        assert_eq!(queue.waiting.len(), WAITING_LOGS);
        assert_eq!(queue.waiting.front().map(|report| report.seq), Some(3));
    }

    #[test]
    fn progress_only_rises() {
        let mut queue = Queue::default();
        let mut told = Vec::new();
        for done in [0.0, 0.0, 2.0, 1.0, f64::NAN, f64::INFINITY, 3.0] {
            let before = queue.seq;
            queue.push_progress(done, note("x"));
            told.push(queue.seq > before);
        }
        assert_eq!(told, [true, false, true, false, false, false, true]);
    }

    #[test]
    fn levels_are_ordered_by_severity() {
        assert!(Level::Emergency > Level::Error && Level::Error > Level::Debug);
        assert_eq!("warning".parse(), Ok(Level::Warning));
        assert!("loud".parse::<Level>().is_err());
    }
}
