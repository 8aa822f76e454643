//! What every HTTP door checks before it looks at a request: Host, Origin and the bearer token.
//!
//! Host and Origin stop a web page from reaching a loopback service by DNS rebinding (MCP
//! transports, "Security Warning"); the token says who may come in at all. A door also tells whether
//! the platform behind it takes calls.

mod phase;
mod token;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN, SEC_WEBSOCKET_PROTOCOL};

use crate::duration;

pub use phase::{Phase, Readiness};
pub use token::Token;

/// The prefix of a WebSocket subprotocol entry that carries the bearer token, for clients that
/// cannot set headers. What follows it is the token, base64url without padding.
pub const TOKEN_SUBPROTOCOL: &str = "dormouse.bearer.";

/// Whether a principal may ask once more now; if not, after how long it may.
pub type Rate = Arc<dyn Fn(&str) -> Result<(), Duration> + Send + Sync>;

/// Who may come in.
#[derive(Clone, Default)]
pub struct Door {
    token: Option<Token>,
    hosts: Vec<String>,
    rate: Option<Rate>,
    readiness: Readiness,
}

/// 429: someone asks more often than one principal may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "more requests than one caller may make in a minute: ask again in {}, or raise \
     RATE_LIMIT_MAX_REQUESTS",
    duration::format(*.retry_after)
)]
pub struct TooOften {
    /// After so long the next request is taken; whole seconds.
    pub retry_after: Duration,
}

/// Why someone may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// 401: no token, or a wrong one.
    #[error(
        "a bearer token is required: send `Authorization: Bearer TOKEN` with the value of \
         DORMOUSE_TOKEN"
    )]
    Token,
    /// 403: a web page of another origin.
    #[error(
        "this Origin may not connect: only pages of this host may, so that no web page reaches local tools"
    )]
    Origin,
    /// 403: addressed by a name that is not ours.
    #[error(
        "this Host is not served here: use localhost, an address, or add the name to --allow-host"
    )]
    Host,
}

impl Refused {
    /// The HTTP status that tells it.
    #[must_use]
    pub fn status(self) -> http::StatusCode {
        match self {
            Self::Token => http::StatusCode::UNAUTHORIZED,
            Self::Origin | Self::Host => http::StatusCode::FORBIDDEN,
        }
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Door")
            .field("token", &self.token)
            .field("hosts", &self.hosts)
            .field("phase", &self.phase())
            .finish()
    }
}

impl Door {
    /// A door that asks for `token` when there is one, and serves `hosts` besides loopback names.
    #[must_use]
    pub fn new(token: Option<Token>, hosts: Vec<String>) -> Self {
        Self {
            token,
            hosts,
            rate: None,
            readiness: Readiness::default(),
        }
    }

    /// The same door, telling this of the platform behind it.
    #[must_use]
    pub fn with_readiness(mut self, readiness: Readiness) -> Self {
        self.readiness = readiness;
        self
    }

    /// Whether the platform behind it takes calls.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.readiness.phase()
    }

    /// The same door, with a bound on how often each principal may ask. Where no token is asked
    /// for there are no principals to tell apart, and no bound.
    #[must_use]
    pub fn with_rate(mut self, rate: Option<Rate>) -> Self {
        self.rate = rate;
        self
    }

    /// Who a caller is, once it has been let in: static tokens know one principal.
    #[must_use]
    pub fn principal(&self) -> &'static str {
        match self.is_guarded() {
            true => "token/static",
            false => "local/anonymous",
        }
    }

    /// Counts a request of whoever has been let in.
    ///
    /// # Errors
    /// [`TooOften`], when it is one too many.
    pub fn within_rate(&self) -> Result<(), TooOften> {
        let Some(rate) = self.rate.as_ref().filter(|_| self.is_guarded()) else {
            return Ok(());
        };
        rate(self.principal()).map_err(|left| TooOften {
            retry_after: Duration::from_secs(left.as_secs() + 1),
        })
    }

    /// Whether a token is asked for.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.token.is_some()
    }

    /// Checks Host, Origin and token.
    ///
    /// # Errors
    /// [`Refused`], with its HTTP status.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Refused> {
        self.admit_anyone(headers)?;
        match &self.token {
            Some(token) if !carries(headers, token) => Err(Refused::Token),
            Some(_) | None => Ok(()),
        }
    }

    /// Checks Host and Origin only: for callers who prove themselves in another way.
    ///
    /// # Errors
    /// [`Refused`], with its HTTP status.
    pub fn admit_anyone(&self, headers: &HeaderMap) -> Result<(), Refused> {
        // HTTP/2 has no Host header: hyper puts :authority in the URI, and browsers that could be
        // rebound always send Host over plain HTTP/1.1.
        match single(headers, &HOST) {
            Ok(None) => {}
            Ok(Some(host)) if self.is_ours(host_name(host)) => {}
            Ok(Some(_)) | Err(()) => return Err(Refused::Host),
        }
        match single(headers, &ORIGIN) {
            Ok(None) => Ok(()),
            Ok(Some(origin)) if self.trusts(origin) => Ok(()),
            Ok(Some(_)) | Err(()) => Err(Refused::Origin),
        }
    }

    /// Only a name can be rebound; who asks for an address, as probes and scrapers do, means it.
    fn is_ours(&self, host: &str) -> bool {
        address(host).is_some() || self.serves(host)
    }

    fn serves(&self, host: &str) -> bool {
        is_loopback(host)
            || self
                .hosts
                .iter()
                .any(|ours| ours.eq_ignore_ascii_case(host))
    }

    fn trusts(&self, origin: &str) -> bool {
        origin.split_once("://").is_some_and(|(scheme, host)| {
            matches!(scheme, "http" | "https" | "vscode-webview") && self.serves(host_name(host))
        })
    }
}

/// The value of a header, in text. One that is there twice could be read in two ways.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

fn carries(headers: &HeaderMap, token: &Token) -> bool {
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then_some(token.trim())
        });
    bearer.is_some_and(|sent| token.is(sent))
        || subprotocol_token(headers).is_some_and(|sent| token.is(&sent))
}

fn subprotocol_token(headers: &HeaderMap) -> Option<String> {
    use base64::Engine as _;
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|entry| entry.trim().strip_prefix(TOKEN_SUBPROTOCOL))
        .and_then(|encoded| {
            base64::engine::general_purpose::URL_SAFE_NO_PAD
                .decode(encoded)
                .ok()
        })
        .and_then(|bytes| String::from_utf8(bytes).ok())
}

/// The host of `host[:port]`, with the brackets of an IPv6 address.
fn host_name(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        Some(_) | None => authority,
    }
}

/// Whether a host name or address can only mean this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || address(host).is_some_and(|address| address.is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn strangers_are_told_apart() {
        let open = Door::new(None, vec!["tools.example".into()]);
        let guarded = Door::new(Some("secret".into()), vec![]);
        let local = ("host", "localhost:9876");
        type Case<'a> = (&'a Door, &'a [(&'static str, &'a str)], Result<(), Refused>);
        let cases: [Case<'_>; 16] = [
            (&open, &[local], Ok(())),
            (&open, &[("host", "[::1]:9876")], Ok(())),
            (&open, &[("host", "tools.example")], Ok(())),
            (&open, &[("host", "evil.example")], Err(Refused::Host)),
            (&open, &[("host", "10.244.0.7:9877")], Ok(())),
            (&open, &[("host", "[fd00::7]:9877")], Ok(())),
            (
                &open,
                &[("host", "10.244.0.7"), ("origin", "http://10.244.0.7")],
                Err(Refused::Origin),
            ),
            (&open, &[local, ("origin", "http://localhost:3000")], Ok(())),
            (
                &open,
                &[local, ("origin", "http://evil.example")],
                Err(Refused::Origin),
            ),
            (&open, &[local, ("origin", "null")], Err(Refused::Origin)),
            (&open, &[local, local], Err(Refused::Host)),
            (
                &open,
                &[
                    local,
                    ("origin", "http://localhost"),
                    ("origin", "http://localhost"),
                ],
                Err(Refused::Origin),
            ),
            (&guarded, &[local], Err(Refused::Token)),
            (
                &guarded,
                &[local, ("authorization", "Bearer wrong")],
                Err(Refused::Token),
            ),
            (
                &guarded,
                &[local, ("authorization", "bearer secret")],
                Ok(()),
            ),
            (
                &guarded,
                &[
                    local,
                    ("sec-websocket-protocol", "mcp, dormouse.bearer.c2VjcmV0"),
                ],
                Ok(()),
            ),
        ];
        for (door, sent, expected) in cases {
            assert_eq!(door.admit(&headers(sent)), expected, "{sent:?}");
        }
    }

    #[test]
    fn the_token_is_not_in_the_debug_text() {
        assert!(!format!("{:?}", Door::new(Some("secret".into()), vec![])).contains("secret"));
    }
}
