//! A small client of the coordinator's API: plain HTTP/1.1, one connection a request.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Connection;
use super::endpoint::Endpoint;
use super::failure::Failure;

/// The API answers at once; what takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The coordinator, as this command reaches it.
pub(super) struct Coordinator {
    endpoint: Endpoint,
    token: Option<HeaderValue>,
}

/// What was answered.
pub(super) struct Answered {
    pub status: StatusCode,
    /// After how long the same may be asked again.
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

impl Answered {
    /// What a problem says, or at least the status.
    pub(super) fn detail(&self) -> String {
        let reason = self.status.canonical_reason();
        detail(&self.body).unwrap_or_else(|| reason.unwrap_or("no reason given").to_owned())
    }
}

impl Coordinator {
    pub(super) fn new(connection: &Connection) -> Result<Self, Failure> {
        let endpoint = Endpoint::parse("--coordinator-url", "http", &connection.coordinator_url)?;
        Ok(Self {
            endpoint,
            token: bearer(connection)?,
        })
    }

    /// The gateway's admin door, which is spoken to in the same way.
    pub(super) fn admin(connection: &Connection) -> Result<Self, Failure> {
        let endpoint = Endpoint::parse("--admin-url", "http", &connection.admin_url)?;
        Ok(Self {
            endpoint,
            token: bearer(connection)?,
        })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Bytes, Failure> {
        self.request(Method::GET, path, HeaderMap::new(), Bytes::new())
            .await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Bytes, Failure> {
        self.request(Method::POST, path, headers, body).await
    }

    /// Posts, and hands back whatever is answered.
    pub(super) async fn try_post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answered, Failure> {
        self.ask(Method::POST, path, headers, body).await
    }

    /// Reads an answer into the type that the API documents.
    pub(super) fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Failure> {
        serde_json::from_slice(body).map_err(|error| self.endpoint.strange(error.to_string()))
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Bytes, Failure> {
        let answered = self.ask(method, path, headers, body).await?;
        accepted(answered)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answered, Failure> {
        let exchange = self.exchange(method, path, headers, body);
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(answered) => answered,
            Err(_) => Err(self.slow()),
        }
    }

    /// Opens a stream of server-sent events, after the one that was heard last.
    pub(super) async fn listen(&self, path: &str, heard: HeaderValue) -> Result<Incoming, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert("last-event-id", heard);
        let opening = async {
            let response = self.open(Method::GET, path, headers, Bytes::new()).await?;
            match response.status().is_success() {
                true => Ok(response.into_body()),
                false => Err(refused(&self.whole(response).await?)),
            }
        };
        match tokio::time::timeout(PATIENCE, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(self.slow()),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answered, Failure> {
        let response = self.open(method, path, headers, body).await?;
        self.whole(response).await
    }

    /// Reads an answer to its end.
    async fn whole(&self, response: Response<Incoming>) -> Result<Answered, Failure> {
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| self.strange(&error))?;
        Ok(Answered {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            body: body.to_bytes(),
        })
    }

    /// Sends a request, and waits for the head of the answer.
    async fn open(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let stream = self.endpoint.connect().await?;
        let strange = |error: hyper::Error| self.strange(&error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(strange)?;
        // Its error is the request's error too, and is told there.
        tokio::spawn(connection);
        let request = self.build(method, path, headers, body)?;
        sender.send_request(request).await.map_err(strange)
    }

    fn strange(&self, error: &hyper::Error) -> Failure {
        self.endpoint.strange(error.to_string())
    }

    fn slow(&self) -> Failure {
        Failure::Slow {
            url: self.endpoint.url.clone(),
            within: PATIENCE,
        }
    }

    fn build(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint.path))
            .header(HOST, &self.endpoint.authority)
            .header(ACCEPT, "application/json")
            .body(Full::new(body))
            .map_err(|error| self.endpoint.strange(error.to_string()))?;
        request.headers_mut().extend(headers);
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        Ok(request)
    }
}

/// The Authorization header, when there is a token.
pub(super) fn bearer(connection: &Connection) -> Result<Option<HeaderValue>, Failure> {
    let Some(token) = connection.token.as_deref().filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
        Failure::Usage("--token holds characters that no HTTP header can carry".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// A name as one segment of a path, or one value of a query.
pub(super) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// The query of a page: at most `limit` entries, and of the members those that are said.
pub(super) fn query<const N: usize>(limit: u8, members: [(&str, Option<String>); N]) -> String {
    let mut query = format!("limit={limit}");
    for (name, value) in members {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", encoded(&value)));
        }
    }
    query
}

/// What a problem (RFC 9457) says; `None` when the body is none.
pub(super) fn detail(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    let problem: Problem = serde_json::from_slice(body).ok()?;
    Some(problem.detail)
}

fn accepted(answered: Answered) -> Result<Bytes, Failure> {
    match answered.status.is_success() {
        true => Ok(answered.body),
        false => Err(refused(&answered)),
    }
}

fn refused(answered: &Answered) -> Failure {
    match answered.status {
        StatusCode::UNAUTHORIZED => Failure::Token,
        status => Failure::Refused {
            status: status.as_u16(),
            detail: answered.detail(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: StatusCode, body: &'static str) -> Answered {
        Answered {
            status,
            retry_after: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn a_problem_is_told_by_its_detail() {
        let body = r#"{"type":"x","title":"t","status":404,"detail":"no such task"}"#;
        let failure = accepted(answered(StatusCode::NOT_FOUND, body)).unwrap_err();
        assert!(failure.to_string().contains("(404): no such task"));
        let failure = accepted(answered(StatusCode::BAD_GATEWAY, "<html>")).unwrap_err();
        assert!(failure.to_string().contains("Bad Gateway"));
        let failure = accepted(answered(StatusCode::UNAUTHORIZED, "")).unwrap_err();
        assert!(failure.to_string().contains("DORMOUSE_TOKEN"));
    }

    #[test]
    fn names_cannot_leave_their_place_in_the_path() {
        assert_eq!(encoded("a/../b?c"), "a%2F%2E%2E%2Fb%3Fc");
    }
}
