//! `GET /mcp`: the standing stream of a legacy session, for what the server says of itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{ACCEPT, HeaderMap};
use http::{Response, StatusCode};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::answer::{Reply, TOOLS_CHANGED};
use crate::core::Core;
use crate::dispatch::Presented;
use crate::error::Fault;
use crate::http::{Body, LEGACY, error, is_modern, not_allowed, reply, session_of, sse};

/// Opens the stream; an older one of the same session ends.
pub(crate) fn serve(
    core: &Arc<Core>,
    headers: &HeaderMap,
    stop: &CancellationToken,
) -> Response<Body> {
    if is_modern(headers) {
        return not_allowed("POST");
    }
    if !takes_events(headers) {
        return error(
            StatusCode::NOT_ACCEPTABLE,
            &Fault::OutOfPlace("the header Accept must list text/event-stream"),
        );
    }
    let session = match session_of(core, headers) {
        Presented::Open(session) => session,
        Presented::Unknown => return reply(Reply::error(None, &Fault::UnknownSession, LEGACY)),
        Presented::Nothing => {
            return error(
                StatusCode::BAD_REQUEST,
                &Fault::OutOfPlace("the header Mcp-Session-Id is missing: POST `initialize` first"),
            );
        }
    };
    sse::response(pieces(Standing {
        tools: core.tools_changes(),
        stream: session.open_stream(),
        stop: stop.clone(),
        interval: core.config.keep_alive,
    }))
}

fn takes_events(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| {
            let range = range.trim();
            range.eq_ignore_ascii_case("text/event-stream") || range == "*/*" || range == "text/*"
        })
}

struct Standing {
    tools: watch::Receiver<u64>,
    /// Changes when a newer stream takes over, closes with the session.
    stream: watch::Receiver<u64>,
    stop: CancellationToken,
    interval: Duration,
}

fn pieces(standing: Standing) -> impl Stream<Item = Bytes> + Send {
    let opening = futures_util::stream::iter([Bytes::from_static(sse::COMMENT.as_bytes())]);
    let rest = futures_util::stream::unfold(standing, |mut standing| async move {
        let piece = tokio::select! {
            biased;
            () = standing.stop.cancelled() => return None,
            _ = standing.stream.changed() => return None,
            changed = standing.tools.changed() => {
                changed.ok()?;
                let mut text = String::new();
                sse::write_event(TOOLS_CHANGED, &mut text);
                Bytes::from(text)
            }
            () = tokio::time::sleep(standing.interval) => {
                Bytes::from_static(sse::COMMENT.as_bytes())
            }
        };
        Some((piece, standing))
    });
    // The first piece lets the client know at once that the stream is open.
    futures_util::StreamExt::chain(opening, rest)
}
