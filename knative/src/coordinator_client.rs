//! What the operator says to coordinators, and the one thing that it asks functions.

use std::time::Duration;

use dormouse_contract::registration::Instances;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header};
use serde::Deserialize;

/// A coordinator answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// A function may have to be started first.
const COLD: Duration = Duration::from_secs(60);

/// Why something could not be told or asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody answers.
    #[error("{url} does not answer: {why}")]
    Unreachable {
        /// Who was to answer.
        url: String,
        /// What happened.
        why: String,
    },
    /// The answer is a refusal.
    #[error("{url} refuses with {status}: {detail}")]
    Refused {
        /// Who refuses.
        url: String,
        /// The HTTP status.
        status: u16,
        /// Why, as far as it says so.
        detail: String,
    },
    /// The answer is of no use.
    #[error("{url} answers what cannot be used: {why}")]
    Unusable {
        /// Who answers.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Error {
    /// In one CamelCase word.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "Unreachable",
            Self::Refused { .. } => "Refused",
            Self::Unusable { .. } => "Unusable",
        }
    }
}

/// A coordinator, and what makes it believe us.
#[derive(Clone, Copy)]
pub struct Coordinator<'a> {
    /// Its address.
    pub url: &'a str,
    /// Its bearer token.
    pub token: Option<&'a str>,
}

/// Speaks HTTP.
pub struct CoordinatorClient(Client);

/// The members of a problem (RFC 9457) that are passed on.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl CoordinatorClient {
    /// A client without connections yet.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> reqwest::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(4)
            .pool_idle_timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none());
        Ok(Self(client.build()?))
    }

    /// Tells all that there is to know of a pool: a row as JSON.
    ///
    /// # Errors
    /// When it could not be told, or is refused.
    pub async fn register(
        &self,
        coordinator: Coordinator<'_>,
        pool: &str,
        row: String,
    ) -> Result<(), Error> {
        let request = self.request(coordinator, Method::PUT, &format!("/pools/{pool}"));
        let request = request
            .header(header::CONTENT_TYPE, "application/json")
            .body(row);
        send(request).await.map(drop)
    }

    /// Tells how many pods a pool has.
    ///
    /// # Errors
    /// When it could not be told, or is refused.
    pub async fn count(
        &self,
        coordinator: Coordinator<'_>,
        pool: &str,
        instances: &Instances,
    ) -> Result<(), Error> {
        let request = self.request(
            coordinator,
            Method::PUT,
            &format!("/pools/{pool}/instances"),
        );
        send(request.json(instances)).await.map(drop)
    }

    /// Takes a pool out; one that is not known is out already.
    ///
    /// # Errors
    /// When it could not be told, or is refused.
    pub async fn take_out(&self, coordinator: Coordinator<'_>, pool: &str) -> Result<(), Error> {
        let request = self.request(coordinator, Method::DELETE, &format!("/pools/{pool}"));
        match send(request).await {
            Err(Error::Refused { status: 404, .. }) => Ok(()),
            sent => sent.map(drop),
        }
    }

    /// Asks a function what it offers; no more than `largest` bytes are taken.
    ///
    /// # Errors
    /// When it does not answer, or with no text.
    pub async fn manifest(&self, function: &str, largest: usize) -> Result<String, Error> {
        let url = format!("{}/capabilities", function.trim_end_matches('/'));
        let mut answer = send(self.0.get(&url).timeout(COLD)).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&url, &error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > largest {
                let why = format!("its manifest has more than {largest} bytes");
                return Err(Error::Unusable { url, why });
            }
        }
        String::from_utf8(bytes).map_err(|error| Error::Unusable {
            url,
            why: error.to_string(),
        })
    }

    fn request(&self, to: Coordinator<'_>, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", to.url.trim_end_matches('/'));
        let request = self.0.request(method, url).timeout(PATIENCE);
        match to.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

async fn send(request: RequestBuilder) -> Result<Response, Error> {
    let (client, request) = request.build_split();
    let request = request.map_err(|error| lost("the address", &error))?;
    let url = request.url().to_string();
    let sent = client.execute(request).await;
    let response = sent.map_err(|error| lost(&url, &error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    Err(Error::Refused {
        url,
        status: status.as_u16(),
        detail: detail(status, &body),
    })
}

fn detail(status: StatusCode, body: &str) -> String {
    let said = match serde_json::from_str::<Problem>(body) {
        Ok(problem) => problem.detail.or(problem.title),
        Err(_) => body.lines().next().map(str::to_owned),
    };
    let said = said.filter(|said| !said.is_empty());
    let said = said.or_else(|| status.canonical_reason().map(str::to_owned));
    said.unwrap_or_default().chars().take(500).collect()
}

fn lost(url: &str, error: &reqwest::Error) -> Error {
    // The outermost text only repeats the address.
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let why = match error.is_timeout() {
        true => "it takes too long".to_owned(),
        false => cause.to_string(),
    };
    Error::Unreachable {
        url: url.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_why() {
        let status = StatusCode::CONFLICT;
        assert_eq!(detail(status, r#"{"title":"t","detail":"d"}"#), "d");
        assert_eq!(detail(status, r#"{"title":"t"}"#), "t");
        assert_eq!(
            detail(status, "no healthy upstream\nx"),
            "no healthy upstream"
        );
        assert_eq!(detail(status, ""), "Conflict");
    }
}
