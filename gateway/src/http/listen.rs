//! The stream of one `subscriptions/listen`: open until the client closes it or the server stops.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::Response;
use tokio_util::sync::CancellationToken;

use crate::http::{Body, sse};
use crate::listening::{Heard, Listening};

/// The response that streams what is heard.
pub(crate) fn response(
    listening: Listening,
    stop: CancellationToken,
    interval: Duration,
) -> Response<Body> {
    sse::response(unfold(Some(listening), move |listening| {
        let stop = stop.clone();
        async move {
            let mut listening = listening?;
            tokio::select! {
                biased;
                heard = listening.next(&stop) => match heard {
                    Heard::Message(message) => Some((sse::event(&message), Some(listening))),
                    Heard::Ended(answer) => Some((sse::event(&answer?), None)),
                    Heard::Unwanted => None,
                },
                () = tokio::time::sleep(interval) => {
                    Some((Bytes::from_static(sse::COMMENT.as_bytes()), Some(listening)))
                }
            }
        }
    }))
}
