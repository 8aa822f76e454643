//! The frame in which every kind is reconciled.
//!
//! Each kind of object is watched once, into a [`Store`] that all reconcilers read, so that none of
//! them asks the API server for anything. A change of an object asks for the reconciliation of
//! whom it concerns ([`Requests`]), and [`drive`] runs one kind's reconciler: an object once at a
//! time, several objects side by side, each that fails after a longer pause.
//!
//! A further kind has a store in [`Stores`], a queue in [`Requests`], and a [`drive`] in [`run`].

pub mod apply;
pub mod backoff;
mod kinds;
pub mod names;
mod seen;
mod stores;
mod watch;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use kube::core::response::StatusCause;
use kube::runtime::controller::{self, Action, Config};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource, ResourceExt as _};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use kinds::ForeignKinds;
pub(crate) use stores::api;
pub use stores::{Requests, Stores};
pub(crate) use watch::watch;

use crate::coordinator_client::{self, CoordinatorClient};
use crate::platform::reconcile::PlatformReconciler;
use crate::pool::reconcile::PoolReconciler;
use apply::Applier;
use backoff::Backoffs;

/// So many objects of a kind are reconciled side by side.
const CONCURRENCY: u16 = 16;

/// Changes that come together are looked at together.
const DEBOUNCE: Duration = Duration::from_millis(30);

/// Why the API server creates nothing in a namespace that is going (`NamespaceTerminatingCause` of
/// `k8s.io/api/core/v1`).
const NAMESPACE_ENDS: &str = "NamespaceTerminating";

/// Why an object could not be reconciled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused or could not be reached.
    #[error("the API server: {}", words(.0))]
    Kube(#[from] kube::Error),
    /// A coordinator or function refused or could not be reached; its object's status says so too.
    #[error(transparent)]
    Peer(#[from] coordinator_client::Error),
}

impl Error {
    /// Whether the namespace is going, and with it whom this is about.
    fn is_farewell(&self) -> bool {
        match self {
            Self::Kube(error) => is_farewell(error),
            Self::Peer(_) => false,
        }
    }
}

fn is_farewell(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    let causes = status.details.as_ref().map(|it| it.causes.as_slice());
    let is_end = |cause: &StatusCause| cause.reason == NAMESPACE_ENDS;
    causes.unwrap_or_default().iter().any(is_end)
}

/// What the API server says, without the frame around it.
#[must_use]
pub fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Why the API server refuses, in one CamelCase word.
#[must_use]
pub fn refusal(error: &kube::Error) -> &'static str {
    match error {
        kube::Error::Api(status) if status.code == 409 => "NameTaken",
        kube::Error::Api(_) => "Refused",
        _ => "Unreachable",
    }
}

/// What all reconcilers work with.
pub struct Cluster {
    /// The API server.
    pub client: Client,
    /// What the watches have brought.
    pub stores: Stores,
    /// Writes objects.
    pub applier: Applier,
    /// Talks to coordinators and functions.
    pub coordinators: CoordinatorClient,
    recorder: Recorder,
}

impl Cluster {
    /// Tells people of something that happened to an object. That it could not be told is only
    /// logged.
    pub async fn tell<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        good: bool,
        reason: &str,
        note: &str,
    ) {
        let event = Event {
            type_: match good {
                true => EventType::Normal,
                false => EventType::Warning,
            },
            reason: reason.to_owned(),
            note: Some(note.chars().take(1_000).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let about = object.object_ref(&());
        if let Err(error) = self.recorder.publish(&event, &about).await
            && !is_farewell(&error)
        {
            tracing::warn!(
                error = words(&error),
                reason,
                "an event could not be written"
            );
        }
    }
}

/// Reconciles everything until told to stop. `namespace` is the one that is looked at, or `None`
/// for all; `identity` names this process in events.
///
/// # Errors
/// When a client for functions and coordinators cannot be made.
pub async fn run(
    client: Client,
    namespace: Option<&str>,
    identity: &str,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let Some(kinds) = stop.run_until_cancelled(kinds::find(&client)).await else {
        return Ok(());
    };
    let mut watches = JoinSet::new();
    let (requests, queues) = Requests::new();
    let stores = Stores::watch(&client, namespace, kinds, &requests, &mut watches);
    let reporter = Reporter {
        controller: names::MANAGER.to_owned(),
        instance: Some(identity.to_owned()),
    };
    let cluster = Arc::new(Cluster {
        recorder: Recorder::new(client.clone(), reporter),
        applier: Applier::new(client.clone()),
        coordinators: CoordinatorClient::new()?,
        client,
        stores,
    });
    if stop
        .run_until_cancelled(cluster.stores.ready())
        .await
        .is_none()
    {
        return Ok(());
    }
    tracing::info!(pools = cluster.stores.pools.len(), "reconciling");
    let pools = Arc::new(PoolReconciler::new(Arc::clone(&cluster)));
    let servers = Arc::new(PlatformReconciler::new(Arc::clone(&cluster)));
    let servers = drive(
        cluster.stores.servers.clone(),
        queues.servers,
        move |server| {
            let reconciler = Arc::clone(&servers);
            async move { reconciler.reconcile(&server).await }.boxed()
        },
        stop,
    );
    let pools = drive(
        cluster.stores.pools.clone(),
        queues.pools,
        move |pool| {
            let reconciler = Arc::clone(&pools);
            async move { reconciler.reconcile(&pool).await }.boxed()
        },
        stop,
    );
    tokio::join!(pools, servers);
    watches.shutdown().await;
    Ok(())
}

/// Runs the reconciler of a kind until told to stop; what runs then is finished.
pub async fn drive<K, R>(
    store: Store<K>,
    queue: UnboundedReceiver<ObjectRef<K>>,
    reconcile: R,
    stop: &CancellationToken,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    R: Fn(Arc<K>) -> BoxFuture<'static, Result<Action, Error>>,
{
    let backoffs = Arc::new(Backoffs::default());
    let queue = stream::unfold(queue, async |mut queue| Some((queue.recv().await?, queue)));
    let queue = queue
        .take_until(stop.clone().cancelled_owned())
        .map(Ok::<_, std::convert::Infallible>)
        .boxed();
    let observed = |object: Arc<K>, backoffs: Arc<Backoffs>| {
        if is_paused(object.as_ref()) {
            return async { Ok(Action::await_change()) }.boxed();
        }
        let (began, work) = (Instant::now(), reconcile(Arc::clone(&object)));
        async move {
            let done = match work.await {
                Err(error) if error.is_farewell() => Ok(Action::await_change()),
                done => done,
            };
            if done.is_ok() {
                backoffs.succeeded(&key(object.as_ref()));
            }
            measure::<K>(began, done.is_ok());
            done
        }
        .boxed()
    };
    controller::applier(
        observed,
        pause,
        backoffs,
        store,
        queue,
        Config::default()
            .debounce(DEBOUNCE)
            .concurrency(CONCURRENCY),
    )
    .for_each(async |_| {})
    .await;
}

fn is_paused<K: Resource>(object: &K) -> bool {
    let paused = object.annotations().get(names::PAUSED);
    paused.is_some_and(|it| it == "true") && object.meta().deletion_timestamp.is_none()
}

fn key<K: Resource>(object: &K) -> String {
    format!(
        "{}/{}",
        object.namespace().unwrap_or_default(),
        object.name_any()
    )
}

/// What is done about an object that could not be reconciled: later, again.
fn pause<K: Resource<DynamicType = ()>>(
    object: Arc<K>,
    error: &Error,
    backoffs: Arc<Backoffs>,
) -> Action {
    let key = key(object.as_ref());
    let wait = backoffs.failed(&key);
    tracing::warn!(
        kind = %K::kind(&()),
        object = key,
        %error,
        again_in_s = wait.as_secs(),
        "not reconciled"
    );
    Action::requeue(wait)
}

fn measure<K: Resource<DynamicType = ()>>(began: Instant, good: bool) {
    let kind = K::kind(&()).into_owned();
    let result = match good {
        true => "ok",
        false => "error",
    };
    metrics::counter!(
        "dormouse_operator_reconciliations_total", "kind" => kind.clone(), "result" => result
    )
    .increment(1);
    metrics::histogram!("dormouse_operator_reconciliation_seconds", "kind" => kind)
        .record(began.elapsed().as_secs_f64());
}
