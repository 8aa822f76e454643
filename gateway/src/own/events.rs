//! Events as resources: `events://TYPE` are the newest events of a type.
//!
//! Any type can be read and subscribed to, also before its first event; those that the log has
//! events of are listed. Every principal sees every event, as at the coordinator's API.

use dormouse_broker::{EventFilter, StoredEvent};
use dormouse_contract::http_binding;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::core::Core;
use crate::error::Fault;

/// What stands before the type in a URI.
pub(crate) const SCHEME: &str = "events://";

/// How many events one reading gives.
const READ: usize = 20;

/// How many bytes of events one reading gives.
const LARGEST: usize = 1 << 20;

/// How many types one completion gives (2025-11-25, "Completion Results").
const COMPLETED: usize = 100;

/// All but the unreserved characters of RFC 3986, as RFC 6570 expands `{type}`.
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The resource of a type.
pub(crate) fn uri(ty: &str) -> String {
    format!("{SCHEME}{}", utf8_percent_encode(ty, &RESERVED))
}

/// How clients may write the resource of a type: as it is listed, and with the type as it is.
pub(super) fn uris(ty: &str) -> impl Iterator<Item = String> {
    let listed = uri(ty);
    let plain = Some(format!("{SCHEME}{ty}")).filter(|plain| *plain != listed);
    std::iter::once(listed).chain(plain)
}

/// The type whose resource this is.
pub(super) fn type_of(uri: &str) -> Option<String> {
    let ty = uri.strip_prefix(SCHEME)?;
    Some(percent_decode_str(ty).decode_utf8_lossy().into_owned())
}

/// The MCP `ResourceTemplate` of all types.
pub(super) fn template() -> Value {
    json!({
        "uriTemplate": format!("{SCHEME}{{type}}"),
        "name": "events",
        "title": "Recent events",
        "description": "The newest events of a type, e.g. `events://com.github.push`. Subscribe \
                        to be told when the next one comes.",
        "mimeType": "application/json",
    })
}

/// The MCP `Resource` of one type.
pub(super) fn resource(ty: &str) -> Value {
    json!({
        "uri": uri(ty),
        "name": ty,
        "title": format!("Recent events: {ty}"),
        "mimeType": "application/json",
    })
}

/// What reading a type's resource gives.
#[derive(Serialize)]
struct Reading<'a> {
    #[serde(rename = "type")]
    ty: &'a str,
    /// The newest first.
    events: Vec<Occurrence>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Occurrence {
    seq: u64,
    received_at: String,
    /// In the CloudEvents JSON format.
    event: Box<RawValue>,
    /// So many bytes of data were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<usize>,
}

/// The newest events of a type, JSON text.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn newest(core: &Core, ty: &str) -> Result<String, Fault> {
    let unreadable = |error| {
        tracing::error!(%error, "the event log cannot be read");
        Fault::Stopped
    };
    let filter = EventFilter {
        ty: Some(ty.to_owned()),
        limit: Some(READ),
        ..EventFilter::default()
    };
    let records = core.broker.events(filter).await.map_err(unreadable)?;
    let (mut events, mut room) = (Vec::with_capacity(records.len()), LARGEST);
    for record in records {
        // One that was forgotten in between is none of the newest.
        if let Some(stored) = core.broker.event(record.seq).await.map_err(unreadable)?
            && let Some(occurrence) = occurrence(stored, &mut room)
        {
            events.push(occurrence);
        }
    }
    let reading = Reading { ty, events };
    Ok(serde_json::to_string_pretty(&reading).unwrap_or_default())
}

/// An event as it is read, without its data where that is more than there is room for.
fn occurrence(stored: StoredEvent, room: &mut usize) -> Option<Occurrence> {
    let StoredEvent {
        record, mut event, ..
    } = stored;
    let size = event.data.as_ref().map_or(0, bytes::Bytes::len);
    let omitted = match room.checked_sub(size) {
        Some(left) => {
            *room = left;
            None
        }
        None => {
            event.data = None;
            Some(size)
        }
    };
    let (_, text) = http_binding::write_structured(&event);
    Some(Occurrence {
        seq: record.seq.0,
        received_at: record.received_at,
        event: serde_json::from_slice(&text).ok()?,
        omitted,
    })
}

/// An MCP `CompleteResult`: the types that begin with what was typed.
pub(super) fn completion<'a>(types: impl Iterator<Item = &'a str>, typed: &str) -> Value {
    let all: Vec<_> = types.filter(|ty| ty.starts_with(typed)).collect();
    let values = &all[..all.len().min(COMPLETED)];
    let more = all.len() > COMPLETED;
    json!({"completion": {"values": values, "total": all.len(), "hasMore": more}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_uri_that_leads_back_to_it() {
        assert_eq!(uri("com.example.order"), "events://com.example.order");
        assert_eq!(uri("a b/c?é"), "events://a%20b%2Fc%3F%C3%A9");
        for ty in ["com.github.push", "a b/c?é", "100%", "{}"] {
            assert_eq!(type_of(&uri(ty)).as_deref(), Some(ty));
        }
        assert_eq!(type_of("tasks://recent"), None);
    }

    #[test]
    fn a_completion_begins_with_what_was_typed() {
        let types = ["com.a", "com.b", "org.c"];
        let completed = completion(types.into_iter(), "com.");
        assert_eq!(
            completed,
            json!({"completion": {"values": ["com.a", "com.b"], "total": 2, "hasMore": false}})
        );
    }
}
