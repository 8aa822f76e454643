//! Going on with a session over a new WebSocket: a documented extension of our own, see
//! `docs/websocket-transport.md`.
//!
//! | says | by headers | by a subprotocol entry |
//! |---|---|---|
//! | wants a session that can be resumed | `Dormouse-Resume: new` | `dormouse.resume.new` |
//! | resumes one | `Mcp-Session-Id: ID`, `Dormouse-Received: N` | `dormouse.resume.ID.N` |

use std::sync::Arc;

use dormouse_broker::Refusal;
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::relay::Relay;
use crate::answer::Reply;
use crate::core::Core;
use crate::era::Era;
use crate::error::Fault;
use crate::headers;
use crate::jsonrpc::RequestId;
use crate::regain;
use crate::session::{Session, handle_of, new_id};
use crate::store::frames::{Resumed, StoredFlight};

/// What a connection says about its session when it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing: the session ends with the connection.
    None,
    /// A session that can be resumed.
    New,
    /// This session, of which this many frames have come.
    Resume(String, u64),
}

const MALFORMED: Fault = Fault::OutOfPlace(
    "resumption is asked for with `Dormouse-Resume: new`, or with Mcp-Session-Id and \
     `Dormouse-Received: N`, or with the subprotocol dormouse.resume.new or dormouse.resume.ID.N",
);

impl Wish {
    /// Reads it from the headers of an upgrade.
    ///
    /// # Errors
    /// When it is said in another way than it is to be.
    pub fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let wanted = headers::single(headers, headers::RESUME)?;
        let received = headers::single(headers, headers::RECEIVED)?;
        match (wanted, received) {
            (None, None) => Self::of_subprotocols(headers),
            (Some("new"), None) => Ok(Self::New),
            (None, Some(received)) => {
                let id = headers::single(headers, headers::SESSION_ID)?.ok_or(MALFORMED)?;
                let received = received.parse().map_err(|_| MALFORMED)?;
                Ok(Self::Resume(id.to_owned(), received))
            }
            (Some(_), _) => Err(MALFORMED),
        }
    }

    fn of_subprotocols(headers: &HeaderMap) -> Result<Self, Fault> {
        let entry = headers
            .get_all(SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .find_map(|entry| entry.trim().strip_prefix("dormouse.resume."));
        match entry {
            None => Ok(Self::None),
            Some("new") => Ok(Self::New),
            Some(entry) => {
                let (id, received) = entry.split_once('.').ok_or(MALFORMED)?;
                let received = received.parse().map_err(|_| MALFORMED)?;
                Ok(Self::Resume(id.to_owned(), received))
            }
        }
    }

    /// The desk that it asks for.
    ///
    /// # Errors
    /// When the session is not there for this caller, or not as the caller knows it.
    pub async fn grant(self, core: &Arc<Core>, stop: &CancellationToken) -> Result<Desk, Fault> {
        match self {
            Self::None => Ok(Desk::new(core.clone(), stop.clone(), None)),
            Self::New => Ok(Desk::new(core.clone(), stop.clone(), Some(new_id()))),
            Self::Resume(id, has) => take_over(core, stop, &id, has).await,
        }
    }
}

async fn take_over(
    core: &Arc<Core>,
    stop: &CancellationToken,
    id: &str,
    has: u64,
) -> Result<Desk, Fault> {
    if let Some(session) = core.sessions.socket(id, &core.principal)
        && let Some(desk) = session.take_over().await
    {
        return desk.resume(has).await;
    }
    let (handle, principal) = (handle_of(id), core.principal.to_string());
    match core.store.take_over(handle, principal, has, None).await {
        Ok(Some(resumed)) => restore(core, stop, id, has, resumed),
        Ok(None) => Err(Fault::UnknownSession),
        Err(error) => {
            tracing::error!(%error, "a session could not be looked up");
            Err(Fault::Refused(Refusal::Storage(error.to_string())))
        }
    }
}

/// A desk for a session that is in the store alone.
fn restore(
    core: &Arc<Core>,
    stop: &CancellationToken,
    id: &str,
    has: u64,
    resumed: Resumed,
) -> Result<Desk, Fault> {
    let session = core
        .sessions
        .wake_socket(id, &resumed.session, &core.principal)
        .ok_or(Fault::UnknownSession)?;
    let era = Era::Legacy(session.revision());
    let relay = Relay::restore(core.clone(), session.id().clone(), era, has, &resumed);
    let mut desk = Desk::restored(core.clone(), stop.clone(), session.clone(), relay);
    for flight in resumed.flights {
        take_up(core, &session, &mut desk, flight);
    }
    tracing::debug!("session resumed from the store");
    Ok(desk)
}

/// Goes on with a request that was not answered.
fn take_up(core: &Arc<Core>, session: &Arc<Session>, desk: &mut Desk, flight: StoredFlight) {
    let id = serde_json::from_str(&flight.request)
        .ok()
        .and_then(RequestId::from_json);
    let Some(id) = id else { return };
    let task = flight.task.and_then(|task| task.parse().ok());
    let era = Era::Legacy(session.revision());
    let lost = Reply::error(Some(&id), &Fault::Interrupted, era);
    let (core, session, outbox) = (core.clone(), session.clone(), desk.outbox());
    let request = id.clone();
    desk.take_up(request, task, async move {
        match task {
            None => Some(lost),
            Some(task) => match regain::call(&core, &session, task, outbox).await {
                Some(answer) => answer.await,
                // It had not been stored: nothing ran.
                None => Some(lost),
            },
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn wish(pairs: &[(&'static str, &'static str)]) -> Result<Wish, Fault> {
        let headers = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        Wish::of(&headers.collect())
    }

    #[test]
    fn wishes_are_read_from_headers_and_subprotocols() {
        let protocol = "sec-websocket-protocol";
        let resume = |id: &str, received| Ok(Wish::Resume(id.to_owned(), received));
        type Case = (&'static [(&'static str, &'static str)], Result<Wish, Fault>);
        let cases: [Case; 10] = [
            (&[], Ok(Wish::None)),
            (&[("sec-websocket-protocol", "mcp")], Ok(Wish::None)),
            (&[("dormouse-resume", "new")], Ok(Wish::New)),
            (
                &[("sec-websocket-protocol", "mcp, dormouse.resume.new")],
                Ok(Wish::New),
            ),
            (
                &[("mcp-session-id", "a-B_1"), ("dormouse-received", "7")],
                resume("a-B_1", 7),
            ),
            (
                &[("sec-websocket-protocol", "dormouse.resume.a-B_1.7, mcp")],
                resume("a-B_1", 7),
            ),
            (&[("dormouse-resume", "old")], Err(MALFORMED)),
            (&[("dormouse-received", "7")], Err(MALFORMED)),
            (
                &[("mcp-session-id", "a"), ("dormouse-received", "-1")],
                Err(MALFORMED),
            ),
            (
                &[("sec-websocket-protocol", "dormouse.resume.a")],
                Err(MALFORMED),
            ),
        ];
        for (pairs, expected) in cases {
            assert_eq!(wish(pairs), expected, "{pairs:?}");
        }
        // A session id alone says nothing: HTTP clients may send it with every request.
        assert_eq!(
            wish(&[("mcp-session-id", "a"), (protocol, "mcp")]),
            Ok(Wish::None)
        );
    }
}
