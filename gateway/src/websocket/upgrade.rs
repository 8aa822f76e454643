//! The upgrade from HTTP/1.1 to WebSocket (RFC 6455, section 4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::http::Body;

/// The subprotocol that is spoken; a client that offers any must offer this one.
const SUBPROTOCOL: &str = "mcp";

/// Whether a request asks for an upgrade to WebSocket.
pub(crate) fn asks(headers: &HeaderMap) -> bool {
    lists(headers, CONNECTION.as_str(), "upgrade") && lists(headers, UPGRADE.as_str(), "websocket")
}

/// The response that switches protocols, or refuses to.
pub(crate) fn respond(headers: &HeaderMap) -> Response<Body> {
    let version = headers.get(SEC_WEBSOCKET_VERSION);
    if version.map(HeaderValue::as_bytes) != Some(b"13") {
        let mut refusal = plain(
            StatusCode::UPGRADE_REQUIRED,
            "this server speaks WebSocket version 13 (RFC 6455)\n",
        );
        refusal
            .headers_mut()
            .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return refusal;
    }
    let accept = headers
        .get(SEC_WEBSOCKET_KEY)
        .map(HeaderValue::as_bytes)
        .filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16))
        .and_then(|key| HeaderValue::from_str(&derive_accept_key(key)).ok());
    let Some(accept) = accept else {
        return plain(
            StatusCode::BAD_REQUEST,
            "the header Sec-WebSocket-Key is missing or not 16 bytes in base64\n",
        );
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if lists(headers, SEC_WEBSOCKET_PROTOCOL.as_str(), SUBPROTOCOL) {
        answer.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        );
    }
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

fn lists(headers: &HeaderMap, name: &str, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(word))
}

/// A connection that HTTP has let go of.
#[derive(Debug)]
pub(crate) struct Upgraded {
    pub io: TcpStream,
    /// Bytes that were read behind the request.
    pub early: Bytes,
}

impl Upgraded {
    /// Takes the connection over; `None` when it has broken meanwhile.
    pub async fn take(pending: OnUpgrade) -> Option<Self> {
        let parts = pending.await.ok()?.downcast::<TokioIo<TcpStream>>().ok()?;
        // Copied: a slice would keep the whole read buffer of the HTTP connection.
        let early = Bytes::copy_from_slice(&parts.read_buf);
        Some(Self {
            io: parts.io.into_inner(),
            early,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    const GOOD: [(&str, &str); 5] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "dormouse.bearer.eA, mcp"),
    ];

    #[test]
    fn the_handshake_is_that_of_the_rfc_and_echoes_the_subprotocol() {
        let headers = headers(&GOOD);
        assert!(asks(&headers));
        let response = respond(&headers);
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        // The example of RFC 6455, section 1.3.
        assert_eq!(
            response.headers()[SEC_WEBSOCKET_ACCEPT],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "mcp");
    }

    #[test]
    fn without_an_offer_no_subprotocol_is_chosen() {
        let response = respond(&headers(&GOOD[..4]));
        assert!(!response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn other_requests_are_refused() {
        assert!(!asks(&headers(&GOOD[1..])));
        let version = respond(&headers(&GOOD[3..]));
        assert_eq!(version.status(), StatusCode::UPGRADE_REQUIRED);
        let key = respond(&headers(&GOOD[..3]));
        assert_eq!(key.status(), StatusCode::BAD_REQUEST);
    }
}
