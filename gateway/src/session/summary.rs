//! Sessions as people see them.

use serde::Serialize;
use serde_json::Value;

use super::{Session, Transport};
use crate::clock::now;

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

impl Summary {
    pub(super) fn of(session: &Session) -> Self {
        Self {
            revision: session.revision.as_str(),
            transport: session.transport,
            client: client_name(&session.client),
            principal: session.principal.to_string(),
            age_seconds: u64::try_from((now() - session.created) / 1_000).unwrap_or_default(),
            idle_seconds: session.rests_since().as_secs(),
            in_flight: session.flights.count(),
        }
    }
}

fn client_name(client: &str) -> Option<String> {
    let client: Value = serde_json::from_str(&format!("{client}}}")).ok()?;
    client["info"]["name"].as_str().map(str::to_owned)
}
