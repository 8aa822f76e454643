//! `K_SINK`: where the function's own events go. Plain HTTP, as the platform hands it out.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::Event;
use dormouse_contract::task::POOL_TOKEN;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// One event may take so long to be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// More of a refusal is not read, in bytes.
const MOST_SAID: usize = 4_096;

/// Why an event did not reach the sink.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SinkError {
    #[error("the sink answered {0}{1}")]
    Refused(StatusCode, String),
    #[error("the sink did not answer in {} s", PATIENCE.as_secs())]
    Silent,
    #[error("the sink cannot be reached: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("the event is no valid request: {0}")]
    Request(#[from] http::Error),
}

impl SinkError {
    /// Whether the sink says that sending the event again is pointless.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Refused(StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS, _)
            | Self::Silent
            | Self::Unreachable(_) => false,
            Self::Refused(status, _) => status.is_client_error(),
            Self::Request(_) => true,
        }
    }
}

pub(crate) struct Sink {
    uri: Uri,
    /// The extensions of `K_CE_OVERRIDES`, which Knative asks to set on every event sent; as
    /// attributes, and as headers for events that are written as such.
    overrides: Vec<(String, String)>,
    headers: HeaderMap,
    client: OnceLock<Client<HttpConnector, Full<Bytes>>>,
}

impl Sink {
    pub(crate) fn new(uri: Uri, mut overrides: Vec<(String, String)>) -> Self {
        // Events about a task are believed by the attempt's token; the pool's stays at home.
        overrides.retain(|(name, _)| name != POOL_TOKEN);
        let header = |(name, value): &(String, String)| {
            let name = HeaderName::try_from(format!("ce-{name}")).ok()?;
            Some((name, HeaderValue::try_from(value).ok()?))
        };
        Self {
            uri,
            headers: overrides.iter().filter_map(header).collect(),
            overrides,
            client: OnceLock::new(),
        }
    }

    /// The event with what is set on every one.
    pub(crate) fn overridden(&self, mut event: Event) -> Event {
        for (name, value) in &self.overrides {
            event = event.with_extension(name, value.as_str());
        }
        event
    }

    /// Sends one event; returns when the sink has taken it.
    pub(crate) async fn post(&self, headers: HeaderMap, data: Bytes) -> Result<(), SinkError> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.uri)
            .body(Full::new(data))?;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(headers);
        let end = tokio::time::Instant::now() + PATIENCE;
        let answer = tokio::time::timeout_at(end, self.client().request(request));
        let (head, body) = answer.await.map_err(|_| SinkError::Silent)??.into_parts();
        if head.status.is_success() {
            return Ok(());
        }
        let said = tokio::time::timeout_at(end, Limited::new(body, MOST_SAID).collect());
        let said = said.await.ok().and_then(Result::ok);
        let said = said.and_then(|body| detail(&body.to_bytes()));
        let said = said.map_or_else(String::new, |detail| format!(": {detail}"));
        Err(SinkError::Refused(head.status, said))
    }

    /// Made when first needed: most calls report nothing, and a cold start has no time for it.
    fn client(&self) -> &Client<HttpConnector, Full<Bytes>> {
        self.client.get_or_init(|| {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            Client::builder(TokioExecutor::new()).build(connector)
        })
    }
}

/// What a problem (RFC 9457) says in words.
fn detail(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Problem {
        detail: String,
    }
    let problem: Problem = serde_json::from_slice(body).ok()?;
    Some(problem.detail)
}
