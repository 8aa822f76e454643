//! Where a door is: a URL taken apart, and the plain TCP connection to it.

use http::Uri;
use tokio::net::TcpStream;

use super::failure::Failure;

/// A door's address. Only plain `ws` and `http` are spoken: TLS ends at a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// As the user gave it.
    pub url: String,
    /// The flag that it came from, for error texts.
    pub flag: &'static str,
    /// `host[:port]`, for the Host header.
    pub authority: String,
    /// The path without a slash at its end; empty for the root.
    pub path: String,
    host: String,
    port: u16,
}

impl Endpoint {
    /// Takes the URL of a flag apart.
    pub(super) fn parse(flag: &'static str, scheme: &str, url: &str) -> Result<Self, Failure> {
        let bad = |reason| Failure::Url {
            flag,
            url: url.to_owned(),
            reason,
        };
        let parsed: Uri = url.trim().parse().map_err(|_| bad("it is no URL"))?;
        match parsed.scheme_str() {
            Some(given) if given == scheme => {}
            Some("https" | "wss") => {
                return Err(bad(
                    "this command speaks no TLS; reach the platform over ws:// and http://, for example through an SSH tunnel",
                ));
            }
            Some("ws") => return Err(bad("it must start with http://")),
            Some("http") => return Err(bad("it must start with ws://")),
            Some(_) | None => {
                return Err(bad("it must look like ws://HOST:PORT or http://HOST:PORT"));
            }
        }
        let authority = parsed.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it holds a user name; give the token with --token"));
        }
        Ok(Self {
            url: url.trim().to_owned(),
            flag,
            authority: authority.to_string(),
            path: parsed.path().trim_end_matches('/').to_owned(),
            host: authority
                .host()
                .trim_matches(|letter| matches!(letter, '[' | ']'))
                .to_owned(),
            port: authority.port_u16().unwrap_or(80),
        })
    }

    /// Connects.
    pub(super) async fn connect(&self) -> Result<TcpStream, Failure> {
        TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| self.unreachable(&error))
    }

    pub(super) fn unreachable(&self, error: &std::io::Error) -> Failure {
        let reason = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            _ => error.to_string(),
        };
        Failure::Unreachable {
            url: self.url.clone(),
            reason,
            flag: self.flag,
        }
    }

    pub(super) fn strange(&self, reason: impl Into<String>) -> Failure {
        Failure::Strange {
            url: self.url.clone(),
            reason: reason.into(),
            flag: self.flag,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let endpoint = Endpoint::parse("--mcp-url", "ws", "ws://[::1]:9876/mcp/").unwrap();
        assert_eq!(endpoint.authority, "[::1]:9876");
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("::1", 9876));
        assert_eq!(endpoint.path, "/mcp");
        let endpoint = Endpoint::parse("--coordinator-url", "http", "http://tools.test").unwrap();
        assert_eq!((endpoint.port, endpoint.path.as_str()), (80, ""));
    }

    #[test]
    fn what_cannot_be_used_is_refused_in_words() {
        for (scheme, url, named) in [
            ("http", "https://tools.test", "TLS"),
            ("ws", "wss://tools.test", "TLS"),
            ("ws", "http://localhost:9876", "ws://"),
            ("http", "ws://localhost:8888", "http://"),
            ("http", "localhost:8888", "HOST:PORT"),
            ("http", "", "no URL"),
            ("http", "http://me:secret@localhost", "--token"),
        ] {
            let failure = Endpoint::parse("--x", scheme, url).unwrap_err();
            assert!(failure.to_string().contains(named), "{url}: {failure}");
            assert_eq!(failure.exit_code(), 2);
        }
    }
}
