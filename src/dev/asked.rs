//! Which events the functions last asked for, kept across restarts: a start at which a function cannot
//! be asked (its code does not compile, say) still lets them in, and they wait until it can run.

use bytes::Bytes;
use dormouse_broker::{Error, Note};
use dormouse_contract::filter::Trigger;
use dormouse_coordinator::Coordinator;

/// The kind of the broker's notes that hold them.
const ASKED: &str = "asked";

/// Keeps what a pool's function asks for.
pub async fn remember(
    coordinator: &Coordinator,
    pool: &str,
    triggers: &[Trigger],
) -> anyhow::Result<()> {
    let json = serde_json::to_vec(triggers)?;
    Ok(note(coordinator, pool, Some(json.into())).await?)
}

/// Forgets what the function of a pool that is gone asked for.
pub async fn forget(coordinator: &Coordinator, pool: &str) -> Result<(), Error> {
    note(coordinator, pool, None).await
}

async fn note(coordinator: &Coordinator, pool: &str, value: Option<Bytes>) -> Result<(), Error> {
    let note = Note {
        kind: ASKED,
        name: pool.to_owned(),
        value,
    };
    coordinator.broker().note(note).await
}

/// What a pool's function asked for when it last could be asked, if ever it could.
pub async fn last(coordinator: &Coordinator, pool: &str) -> Option<Vec<Trigger>> {
    let notes = coordinator.broker().notes(ASKED).await;
    let notes = notes.unwrap_or_else(|error| {
        tracing::error!(pool, %error, "what it last asked for cannot be read: its events are not taken");
        Vec::new()
    });
    let (_, json) = notes.into_iter().find(|(name, _)| name == pool)?;
    serde_json::from_slice(&json).ok()
}
