//! The events that a listener missed while it was away, from the log, oldest first.

use dormouse_broker::{Broker, Error, EventFilter, Seq};

use super::{EventChange, missed};

/// So many events are told again at most; whoever missed more is told how many.
const MOST: u64 = 10_000;

/// So many are read at a time: the longest page of the log.
const STEP: u64 = 100;

/// What is left to tell.
pub(super) struct Replay {
    broker: Broker,
    told: u64,
    end: u64,
    missed: u64,
}

/// The place of the newest event.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn log_end(broker: &Broker) -> Result<Seq, Error> {
    let newest = EventFilter {
        limit: Some(1),
        ..EventFilter::default()
    };
    let newest = broker.events(newest).await?;
    Ok(newest.first().map_or(Seq::default(), |event| event.seq))
}

impl Replay {
    /// What came after `heard`, up to now.
    pub(super) async fn new(broker: Broker, heard: Seq) -> Result<Self, Error> {
        let end = log_end(&broker).await?.0;
        let told = heard.0.max(end.saturating_sub(MOST));
        Ok(Self {
            broker,
            told,
            end,
            missed: told - heard.0,
        })
    }

    /// The place up to which the log was told.
    pub(super) fn end(&self) -> Seq {
        Seq(self.end)
    }

    /// What to tell next; `None` when the listener knows all.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn next(&mut self) -> Result<Option<String>, Error> {
        let count = std::mem::take(&mut self.missed);
        if count > 0 {
            return Ok(Some(missed(count)));
        }
        while self.told < self.end {
            let upto = (self.told + STEP).min(self.end);
            let step = EventFilter {
                after: Some(Seq(self.told)),
                before: Some(Seq(upto + 1)),
                ..EventFilter::default()
            };
            let events = self.broker.events(step).await?;
            self.told = upto;
            if events.is_empty() {
                continue;
            }
            let oldest_first = events.into_iter().rev().map(|event| EventChange {
                seq: event.seq,
                id: event.id,
                source: event.source,
                ty: event.ty,
                subject: event.subject,
            });
            return Ok(Some(oldest_first.map(|event| event.frame()).collect()));
        }
        Ok(None)
    }
}
