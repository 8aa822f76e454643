//! The balance layer: which endpoint gets a delivery, and which one next.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::balance::{AFFINITY_HEADER, Balance};
use dormouse_contract::registration::CallError;
use http::{Request, Response};

use super::{Endpoint, Local, surely_not_run};
use crate::balance::{Candidate, order};
use crate::breaker::{Admission, round_up};

/// Who is turned away by every endpoint is not asked to come back sooner than this.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// A pool's endpoints and the choice between them. Clones share both.
#[derive(Clone)]
pub(crate) struct Endpoints(Arc<Inner>);

struct Inner {
    pool: Arc<str>,
    plan: RwLock<Arc<Plan>>,
    turn: AtomicUsize,
}

/// Which endpoints there are, replaced whole.
struct Plan {
    balance: Balance,
    endpoints: Vec<Arc<Endpoint>>,
}

impl Endpoints {
    /// The one of a pool that runs here.
    pub(crate) fn local(pool: &Arc<str>, local: Local) -> Self {
        let endpoint = Endpoint::new(pool, pool, local.service, local.breaker);
        Self::new(pool, local.balance, vec![Arc::new(endpoint)])
    }

    pub(crate) fn new(pool: &Arc<str>, balance: Balance, endpoints: Vec<Arc<Endpoint>>) -> Self {
        let plan = Arc::new(Plan { balance, endpoints });
        Self(Arc::new(Inner {
            pool: Arc::clone(pool),
            plan: RwLock::new(plan),
            turn: AtomicUsize::new(0),
        }))
    }

    /// Other endpoints from now on; calls on their way stay where they are.
    pub(crate) fn replace(&self, balance: Balance, endpoints: Vec<Arc<Endpoint>>) {
        let plan = Arc::new(Plan { balance, endpoints });
        *self.0.plan.write().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    pub(crate) fn balance(&self) -> Balance {
        self.plan().balance
    }

    pub(crate) fn list(&self) -> Vec<Arc<Endpoint>> {
        self.plan().endpoints.clone()
    }

    fn plan(&self) -> Arc<Plan> {
        let plan = self.0.plan.read();
        Arc::clone(&plan.unwrap_or_else(PoisonError::into_inner))
    }

    async fn deliver(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        let plan = self.plan();
        if let [only] = &plan.endpoints[..]
            && only.admits().is_ok()
        {
            return only.deliver(request).await;
        }
        let turn = self.0.turn.fetch_add(1, Ordering::Relaxed);
        let mut answer = None;
        for endpoint in plan.considered(&request, turn) {
            let last = answer.insert(endpoint.deliver(request.clone()).await);
            if !surely_not_run(last) {
                break;
            }
        }
        answer.unwrap_or_else(|| Err(self.nowhere(&plan)))
    }

    /// Why no endpoint could be asked at all.
    fn nowhere(&self, plan: &Plan) -> CallError {
        let left: Vec<_> = plan
            .endpoints
            .iter()
            .filter_map(|endpoint| endpoint.left_out())
            .collect();
        let why: Vec<_> = left.iter().map(|left| left.why.as_str()).collect();
        let again = left.iter().map(|left| left.again).min();
        CallError::Held {
            why: format!(
                "no endpoint of pool `{}` takes calls now: {}",
                self.0.pool,
                why.join("; ")
            ),
            retry_after: round_up(again.unwrap_or_default()).max(LEAST_PATIENCE),
        }
    }
}

impl Plan {
    /// The endpoints that may be asked, the best first. One that another call tries at this moment
    /// is worth waiting for only when there is no other.
    fn considered(&self, request: &Request<Bytes>, turn: usize) -> Vec<Arc<Endpoint>> {
        let candidates: Vec<_> = self
            .endpoints
            .iter()
            .map(|endpoint| Candidate {
                name: endpoint.name(),
                in_flight: endpoint.in_flight(),
            })
            .collect();
        let affinity = request.headers().get(AFFINITY_HEADER);
        let affinity = affinity.map(http::HeaderValue::as_bytes);
        let (mut open, mut tried) = (Vec::new(), Vec::new());
        for place in order(self.balance, &candidates, affinity, turn) {
            let endpoint = &self.endpoints[place];
            match endpoint.admits() {
                Ok(Admission::Pass | Admission::Try) => open.push(Arc::clone(endpoint)),
                Ok(Admission::Refused(_)) if endpoint.left_out().is_none() => {
                    tried.push(Arc::clone(endpoint));
                }
                Ok(Admission::Refused(_)) | Err(_) => {}
            }
        }
        if open.is_empty() { tried } else { open }
    }
}

impl tower::Service<Request<Bytes>> for Endpoints {
    type Response = Response<Bytes>;
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, CallError>> + Send>>;

    /// Always ready: who finds no endpoint is told so by the call.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let endpoints = self.clone();
        Box::pin(async move { endpoints.deliver(request).await })
    }
}
