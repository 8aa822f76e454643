//! A deployed revision: calls in, answers out, processes as needed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use dormouse_contract::balance::AFFINITY_HEADER;
use dormouse_contract::registration::{CallError, Instances, Unwritten};
use dormouse_contract::task::DELIVERY_SECRET_HEADER;
use http::{HeaderName, HeaderValue, Request, Response, Uri, header};
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::connection::Failure;
use crate::instance::{Instance, live};
use crate::keeper::keep;
use crate::launch::Launch;
use crate::rotation::{Admission, Released, Rotation, Waiting};

/// So many instances are tried for one call; only ones that surely did not see it are left.
const TRIES: usize = 3;

/// A deployed revision. Clones share it. Its processes end with [`Revision::retire`] or
/// [`Host::shutdown`](crate::Host::shutdown), and fall asleep when nobody calls; dropping it stops
/// nothing.
#[derive(Clone)]
pub struct Revision(pub(crate) Arc<Shared>);

/// What calls, instances and keeper of a revision share.
pub(crate) struct Shared {
    pub(crate) launch: Launch,
    /// The program that `exec` is run with.
    pub(crate) launcher: PathBuf,
    /// The environment of every instance, without `PORT`.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Cancelled when running calls are not waited for any more.
    pub(crate) cut: CancellationToken,
    /// Woken when the keeper should look again.
    pub(crate) look: Notify,
    secret: Option<HeaderValue>,
    state: Mutex<State>,
    seen: watch::Sender<Instances>,
}

pub(crate) struct State {
    pub(crate) rotation: Rotation<Arc<Instance>, Call>,
    /// Whether the keeper runs.
    pub(crate) kept: bool,
}

/// A call that waits for room.
pub(crate) type Call = oneshot::Sender<Result<Lease, CallError>>;

impl Waiting for Call {
    fn gave_up(&self) -> bool {
        self.is_closed()
    }
}

/// A call's place on an instance; given back when dropped.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    instance: Arc<Instance>,
    answered: bool,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let id = self.instance.id;
        let released = self
            .shared
            .state()
            .rotation
            .release(id, self.answered, Instant::now());
        match released {
            Released::Handed(call) => self.shared.hand(&self.instance, vec![call]),
            Released::Free => {}
            Released::Drained => self.instance.stop(),
        }
    }
}

impl Revision {
    /// How many processes there are, and what is wrong if anything is; changes as they do.
    #[must_use]
    pub fn instances(&self) -> watch::Receiver<Instances> {
        self.0.seen.subscribe()
    }

    /// Takes no new calls, lets running and waiting ones finish, stops the processes, and returns
    /// when they are gone. It waits as long as the calls take.
    pub async fn retire(self) {
        self.0.retire().await;
    }
}

impl tower::Service<Request<Bytes>> for Revision {
    type Response = Response<Bytes>;
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, CallError>> + Send>>;

    /// Always ready: who finds no room waits inside the call.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    /// Dropping the future closes the call's connection, so that the function sees it.
    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.deliver(request).await })
    }
}

impl Shared {
    pub(crate) fn new(launch: Launch, launcher: PathBuf, env: Vec<(OsString, OsString)>) -> Self {
        let secret = HeaderValue::from_str(&launch.delivery_secret)
            .ok()
            .filter(|secret| !secret.is_empty())
            .map(|mut secret| {
                secret.set_sensitive(true);
                secret
            });
        Self {
            state: Mutex::new(State {
                rotation: Rotation::new(launch.scaling, launch.balance),
                kept: false,
            }),
            launch,
            launcher,
            env,
            cut: CancellationToken::new(),
            look: Notify::new(),
            secret,
            seen: watch::Sender::default(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver(
        self: Arc<Self>,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, CallError> {
        let unwritten = request.extensions().get::<Unwritten>().cloned();
        let unwritten = unwritten.unwrap_or_default();
        let mut request = self.addressed(request);
        let mut tries = 1;
        loop {
            unwritten.set(true);
            let mut lease = self.lease(request.headers().get(AFFINITY_HEADER)).await?;
            unwritten.set(false);
            let words = match lease.instance.exchange(request).await {
                Ok(response) => {
                    lease.answered = true;
                    return Ok(response);
                }
                Err(Failure::Unsent(unsent, words)) => {
                    // It lives no more, or does not listen: nobody else should meet it.
                    self.withdraw(&lease.instance);
                    if tries < TRIES {
                        tries += 1;
                        request = *unsent;
                        continue;
                    }
                    words
                }
                Err(Failure::Unwritten(words)) => words,
                Err(Failure::Broken(words)) => {
                    let words = match lease.instance.obituary().await {
                        Some(obituary) => format!("{words}; {obituary}"),
                        None => words,
                    };
                    return Err(CallError::Unknown(format!(
                        "{} gave no answer, and may have acted on the call: {words}",
                        lease.instance.name
                    )));
                }
            };
            return Err(CallError::NotRun(format!(
                "{} was not reached: {words}",
                lease.instance.name
            )));
        }
    }

    /// The request as it is sent: origin form, a Host, the pool's secret.
    fn addressed(&self, mut request: Request<Bytes>) -> Request<Bytes> {
        if request.uri().authority().is_some() {
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
        }
        let headers = request.headers_mut();
        headers
            .entry(header::HOST)
            .or_insert(HeaderValue::from_static("localhost"));
        if let Some(secret) = &self.secret {
            let name = HeaderName::from_static(DELIVERY_SECRET_HEADER);
            headers.insert(name, secret.clone());
        }
        request
    }

    async fn lease(self: &Arc<Self>, affinity: Option<&HeaderValue>) -> Result<Lease, CallError> {
        let granted = {
            let mut state = self.state();
            match state
                .rotation
                .admit(affinity.map(HeaderValue::as_bytes), Instant::now())
            {
                Admission::Here(instance) => return Ok(self.granted(&instance)),
                Admission::Refused(words) => return Err(self.refusal(&words)),
                Admission::Wait => {
                    let (call, granted) = oneshot::channel();
                    state.rotation.enqueue(call);
                    granted
                }
            }
        };
        self.start_missing();
        granted
            .await
            .unwrap_or_else(|_| Err(self.refusal("the host is stopping")))
    }

    fn granted(self: &Arc<Self>, instance: &Arc<Instance>) -> Lease {
        Lease {
            shared: Arc::clone(self),
            instance: Arc::clone(instance),
            answered: false,
        }
    }

    fn refusal(&self, words: &str) -> CallError {
        CallError::NotRun(format!(
            "pool `{}` cannot run it: {words}",
            self.launch.pool
        ))
    }

    /// Starts as many instances as the calls ask for, and the keeper with the first.
    pub(crate) fn start_missing(self: &Arc<Self>) {
        let now = Instant::now();
        let mut state = self.state();
        if self.cut.is_cancelled() {
            return;
        }
        let missing = state.rotation.shortfall(now);
        for _ in 0..missing {
            let id = state.rotation.waking(now);
            tokio::spawn(live(Arc::clone(self), id));
        }
        if missing > 0 && !state.kept {
            state.kept = true;
            tokio::spawn(keep(Arc::clone(self)));
        }
        self.publish(&state);
    }

    /// An instance is ready for its calls.
    pub(crate) fn ready(self: &Arc<Self>, instance: &Arc<Instance>) {
        let (calls, stop) = {
            let mut state = self.state();
            let ready = state
                .rotation
                .ready(instance.id, Arc::clone(instance), Instant::now());
            self.publish(&state);
            ready
        };
        self.look.notify_one();
        if stop {
            instance.stop();
        }
        self.hand(instance, calls);
    }

    /// Takes an instance out of rotation; it stops when its last call has left.
    pub(crate) fn withdraw(&self, instance: &Arc<Instance>) {
        let mut state = self.state();
        if state.rotation.withdraw(instance.id) {
            instance.stop();
        }
        self.publish(&state);
    }

    /// An instance is gone; `failure` in words when nobody had told it to.
    pub(crate) fn gone(self: &Arc<Self>, id: u64, failure: Option<&str>) {
        let hopeless = {
            let mut state = self.state();
            let hopeless = state.rotation.gone(id, failure, Instant::now());
            self.publish(&state);
            hopeless
        };
        for call in hopeless {
            // Whoever gave up meanwhile misses nothing.
            let _ = call.send(Err(self.refusal(failure.unwrap_or_default())));
        }
        self.start_missing();
        self.look.notify_one();
    }

    pub(crate) async fn retire(self: &Arc<Self>) {
        let stopped = {
            let mut state = self.state();
            let stopped = state.rotation.retire();
            self.publish(&state);
            stopped
        };
        stopped.iter().for_each(|instance| instance.stop());
        self.look.notify_one();
        self.until_gone().await;
    }

    /// Stops everything now, whatever runs.
    pub(crate) async fn cut(&self) {
        let waiting = {
            let state = &mut *self.state();
            self.cut.cancel();
            state.rotation.abandon()
        };
        for call in waiting {
            let _ = call.send(Err(self.refusal("the host is stopping")));
        }
        self.until_gone().await;
    }

    async fn until_gone(&self) {
        let mut seen = self.seen.subscribe();
        // The sender is in `self`: it cannot be gone.
        let _ = seen
            .wait_for(|seen| seen.ready + seen.waking + seen.stopping == 0)
            .await;
    }

    fn hand(self: &Arc<Self>, instance: &Arc<Instance>, calls: Vec<Call>) {
        for call in calls {
            // A call that gave up in this moment gives its place back by being dropped here.
            drop(call.send(Ok(self.granted(instance))));
        }
    }

    pub(crate) fn publish(&self, state: &State) {
        let now = state.rotation.instances();
        self.seen.send_if_modified(|seen| {
            if *seen == now {
                return false;
            }
            let counts = [
                ("ready", seen.ready, now.ready),
                ("waking", seen.waking, now.waking),
                ("stopping", seen.stopping, now.stopping),
            ];
            for (word, before, after) in counts {
                let pool = self.launch.pool.to_string();
                let gauge = metrics::gauge!("dormouse_instances", "pool" => pool, "state" => word);
                // Revisions of one pool share the gauge, so each adds its own changes.
                gauge.increment(after as f64 - before as f64);
            }
            *seen = now;
            true
        });
    }
}
