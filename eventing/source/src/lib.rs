//! What event sources do, as plain functions over plain types: no clock, no network, no files.
//!
//! A [`Source`] makes CloudEvents of something that is none yet. A [`Webhook`] checks an HTTP
//! request's [`Proof`] and reads it as an event, [as GitHub sends it](github) or by a
//! [`Mapping`]; a [`Schedule`] says at which times it has an event to tell, and which of them were
//! missed. Who listens and who sleeps until then is elsewhere.
//!
//! The types are also those of the YAML: they read themselves with serde, and what they hold is
//! checked. `S` is a secret, as it is written or as it is known ([`Secret`]).
//!
//! ```
//! use dormouse_source::{Cron, Missed, Schedule, Zone};
//! let nightly = Schedule {
//!     cron: "30 2 * * *".parse::<Cron>()?,
//!     zone: "Europe/Berlin".parse::<Zone>()?,
//!     missed: Missed::Once,
//!     ..Schedule::hourly("com.example.nightly", "/sources/nightly")
//! };
//! let evening = "2026-03-28T20:00:00Z".parse()?;
//! // In this night the clocks go from 2:00 to 3:00.
//! assert_eq!(nightly.next_after(evening), Some("2026-03-29T01:00:00Z".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod cron;
pub mod github;
mod mapping;
mod proof;
mod schedule;
mod secret;
mod webhook;

pub use body::{NotJson, Pointer};
pub use cron::{Cron, InvalidCron, InvalidZone, Zone};
pub use mapping::{Field, Mapping, Origin, Unmapped};
pub use proof::{Encoding, Hmac, Proof, Unproven};
pub use schedule::{Due, LATE, MOST_MISSED, Missed, Schedule};
pub use secret::Secret;
pub use webhook::{Reading, Unreadable, Webhook};

/// Something that makes events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<S = Secret> {
    /// Its name, unique among sources.
    pub name: String,
    /// What it does.
    pub kind: Kind<S>,
}

/// What a source does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<S = Secret> {
    /// Takes HTTP requests.
    Webhook(Webhook<S>),
    /// Tells that it is time.
    Schedule(Box<Schedule>),
}

impl<S> Source<S> {
    /// The same source with its secrets looked up.
    ///
    /// # Errors
    /// The first of the lookup.
    pub fn with_secrets<T, E>(self, find: impl FnMut(S) -> Result<T, E>) -> Result<Source<T>, E> {
        let kind = match self.kind {
            Kind::Webhook(webhook) => Kind::Webhook(Webhook {
                proof: webhook.proof.with_secret(find)?,
                reading: webhook.reading,
            }),
            Kind::Schedule(schedule) => Kind::Schedule(schedule),
        };
        Ok(Source {
            name: self.name,
            kind,
        })
    }

    /// `github`, `webhook` or `schedule`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match &self.kind {
            Kind::Webhook(webhook) => match webhook.reading {
                Reading::Github => "github",
                Reading::Mapped(_) => "webhook",
            },
            Kind::Schedule(_) => "schedule",
        }
    }
}
