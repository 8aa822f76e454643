//! Deliveries and questions over HTTP to an endpoint that somebody else runs.

use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dormouse_contract::registration::CallError;
use http::{Method, Request, Response};
use reqwest::{Client, Url};

use super::knative;

/// The largest answer that is taken from an endpoint.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// When nothing has come for so long from the other end of a connection that is in use, it is asked
/// whether it is still there; a machine that has vanished says nothing, and a call may take minutes.
const ASKED_AFTER: Duration = Duration::from_secs(15);

/// So often it is asked before the connection counts as broken.
const ASKED: u32 = 3;

/// What is at the other end of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// An agent, or whatever else takes a POST.
    Agent,
    /// The ingress of Knative, with a function somewhere behind it.
    Knative {
        /// The function [marks](dormouse_contract::Manifest::marked) its answers.
        is_marked: bool,
    },
}

impl Peer {
    /// How long a connection is kept that nobody uses.
    fn patience(self) -> Duration {
        match self {
            // Servers close kept connections as they please, the strictest common ones after two
            // seconds: none should break while a delivery is written to it.
            Self::Agent => Duration::from_secs(1),
            // An Envoy keeps them for an hour and says `connection: close` before it stops.
            Self::Knative { .. } => Duration::from_secs(60),
        }
    }
}

/// A client that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client could be made for it: {0}")]
pub(crate) struct NoClient(pub(crate) String);

/// The connections to one endpoint. Clones share them.
#[derive(Clone)]
pub(crate) struct Outside(Arc<Inner>);

struct Inner {
    endpoint: Url,
    peer: Peer,
    client: RwLock<Client>,
}

impl Outside {
    pub(crate) fn new(endpoint: Url, peer: Peer) -> Result<Self, NoClient> {
        let client = RwLock::new(connect(&endpoint, peer)?);
        Ok(Self(Arc::new(Inner {
            endpoint,
            peer,
            client,
        })))
    }

    pub(crate) fn endpoint(&self) -> &Url {
        &self.0.endpoint
    }

    /// Drops all kept connections; calls on their way go on.
    pub(crate) fn reset(&self) {
        match connect(&self.0.endpoint, self.0.peer) {
            Ok(fresh) => {
                let client = self.0.client.write();
                *client.unwrap_or_else(PoisonError::into_inner) = fresh;
            }
            Err(error) => tracing::warn!(%error, "the connections are kept"),
        }
    }

    /// `GET`s a page of the endpoint's host; whatever is no 2xx is an error, in words.
    pub(crate) async fn get(&self, url: &Url, patience: Duration) -> Result<Bytes, String> {
        let asked = async {
            let response = self.client().get(url.clone()).send().await;
            let mut response = response.map_err(|error| in_words(&error))?;
            let status = response.status();
            if !status.is_success() {
                return Err(format!("it was answered with {status}"));
            }
            collect(&mut response).await
        };
        let answered = tokio::time::timeout(patience, asked).await;
        let late = || {
            let patience = dormouse_contract::duration::format(patience);
            format!("it was not answered within {patience}")
        };
        let answered = answered.map_err(|_| late()).and_then(|answer| answer);
        answered.map_err(|why| format!("GET {url}: {why}"))
    }

    async fn deliver(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        let endpoint = &self.0.endpoint;
        let (head, body) = request.into_parts();
        let sent = self
            .client()
            .request(Method::POST, endpoint.clone())
            .headers(head.headers)
            .body(body)
            .send();
        let mut response = sent.await.map_err(|error| {
            let words = in_words(&error);
            // No connection: nothing was written. A kept connection that was closed before
            // anything was written to it has been replaced by hyper already.
            match error.is_connect() || error.is_builder() {
                true => CallError::NotRun(format!("{endpoint} was not reached: {words}")),
                false => unknown(endpoint, &words),
            }
        })?;
        let body = collect(&mut response).await;
        let mut answer = Response::new(body.map_err(|words| unknown(endpoint, &words))?);
        *answer.status_mut() = response.status();
        std::mem::swap(answer.headers_mut(), response.headers_mut());
        let in_its_place = match self.0.peer {
            Peer::Agent => None,
            Peer::Knative { is_marked } => knative::in_its_place(is_marked, &answer),
        };
        in_its_place.map_or(Ok(answer), Err)
    }

    fn client(&self) -> Client {
        let client = self.0.client.read();
        client.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn unknown(endpoint: &Url, words: &str) -> CallError {
    CallError::Unknown(format!(
        "{endpoint} gave no answer, and may have acted on the call: {words}"
    ))
}

fn connect(endpoint: &Url, peer: Peer) -> Result<Client, NoClient> {
    // Another part of the process may have installed one: any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = Client::builder()
        .user_agent(concat!("dormouse/", env!("CARGO_PKG_VERSION")))
        // A redirected delivery would lose its body or take its secrets elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        // What is sent where depends on settings, not on the environment.
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(peer.patience())
        .tcp_keepalive(ASKED_AFTER)
        .tcp_keepalive_interval(ASKED_AFTER)
        .tcp_keepalive_retries(ASKED)
        .tcp_nodelay(true);
    if endpoint.scheme() != "https" {
        // Without TLS no certificates are read, and none need be there.
        client = client.tls_certs_only([]);
    }
    client.build().map_err(|error| NoClient(in_words(&error)))
}

async fn collect(response: &mut reqwest::Response) -> Result<Bytes, String> {
    let too_large = || format!("its answer is larger than {} MiB", LARGEST_ANSWER >> 20);
    if response.content_length() > Some(LARGEST_ANSWER as u64) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(|error| in_words(&error))? {
        if body.len() + part.len() > LARGEST_ANSWER {
            return Err(too_large());
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// The innermost reason: what is around it only names the URL again.
fn in_words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

impl tower::Service<Request<Bytes>> for Outside {
    type Response = Response<Bytes>;
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, CallError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    /// Dropping the future closes the call's connection, so that the function sees it.
    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let outside = self.clone();
        Box::pin(async move { outside.deliver(request).await })
    }
}
