//! Sinks outside: an event that a pool could not take is posted to a URL, and what functions send
//! to a Broker ([`onward`](crate::onward)).
//!
//! To the broker they are one pool, whose capabilities are the URLs; its deliveries name the URL as
//! the request's address. A sink is no function: it gets no token and no secret, and whatever it says
//! with a 2xx is a thank-you.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use dormouse_broker::{Error, SINKS};
use dormouse_contract::balance::Balance;
use dormouse_contract::breaker::BreakerPolicy;
use dormouse_contract::registration::{CallError, Instances};
use http::{Request, Response, StatusCode, Uri};
use reqwest::Url;
use tokio::sync::watch;
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt as _, service_fn};

use crate::endpoints::client::{Outside, Peer};
use crate::endpoints::{Endpoints, Local};
use crate::registry::{Coordinator, Pool, PoolSecrets};

/// How many deliveries to sinks run at the same time.
const SLOTS: usize = 16;

/// The connections of so many sinks are kept.
const KEPT: usize = 32;

type Connections = Arc<Mutex<HashMap<Uri, Outside>>>;

impl Coordinator {
    /// Delivers to sinks outside from now on.
    ///
    /// # Errors
    /// When the broker has stopped.
    pub async fn open_sinks(&self) -> Result<(), Error> {
        let connections = Connections::default();
        let service = service_fn(move |request| post(Arc::clone(&connections), request));
        let local = Local {
            service: BoxCloneSyncService::new(service),
            balance: Balance::default(),
            // Each sink stands for itself: one that fails must not hold up the others.
            breaker: BreakerPolicy {
                failures: 0,
                ..BreakerPolicy::default()
            },
        };
        let secrets = PoolSecrets {
            delivery: "".into(),
            events: "".into(),
        };
        let (_, instances) = watch::channel(Instances::default());
        let name: Arc<str> = SINKS.into();
        let pool = Pool::new(
            &name,
            Endpoints::local(&name, local),
            secrets,
            instances,
            None,
        );
        self.insert(Arc::clone(&name), pool);
        // No calls come here, so none may wait.
        self.broker().open_pool(name, SLOTS, 0).await
    }
}

async fn post(
    connections: Connections,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, CallError> {
    let sink = connection(&connections, request.uri())?;
    let mut answer = sink.oneshot(request).await?;
    if answer.status().is_success() {
        answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::ACCEPTED;
    }
    Ok(answer)
}

fn connection(connections: &Connections, uri: &Uri) -> Result<Outside, CallError> {
    let mut kept = connections.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sink) = kept.get(uri) {
        return Ok(sink.clone());
    }
    let url: Url = uri
        .to_string()
        .parse()
        .map_err(|error| CallError::NotRun(format!("the sink `{uri}` is no URL: {error}")))?;
    let sink =
        Outside::new(url, Peer::Agent).map_err(|error| CallError::NotRun(error.to_string()))?;
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(uri.clone(), sink.clone());
    Ok(sink)
}
