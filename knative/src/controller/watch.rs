//! One watch of one kind.

use std::fmt::Debug;

use futures_util::{StreamExt as _, pin_mut};
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

/// So many objects are read at once when a watch begins: few, because all are in memory twice.
const PAGE: u32 = 100;

/// Whether an object is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// It has come, or is another one now.
    Is,
    /// It is gone.
    Gone,
}

/// Watches what `selector` chooses into a store and calls `tell` for each object that comes,
/// changes or goes.
pub fn watch<K>(
    watches: &mut JoinSet<()>,
    api: Api<K>,
    selector: watcher::Config,
    tell: impl Fn(&K) + Send + 'static,
) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    watch_changes(watches, api, selector, move |object, _| tell(object))
}

/// As [`watch`], for who has to know which of it has happened.
pub fn watch_changes<K>(
    watches: &mut JoinSet<()>,
    api: Api<K>,
    selector: watcher::Config,
    tell: impl Fn(&K, Change) + Send + 'static,
) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let changes = watcher(api, selector.page_size(PAGE))
        .default_backoff()
        .modify(slim)
        .reflect(writer);
    watches.spawn(async move {
        pin_mut!(changes);
        while let Some(change) = changes.next().await {
            match change {
                Ok(Event::Apply(object) | Event::InitApply(object)) => tell(&object, Change::Is),
                Ok(Event::Delete(object)) => tell(&object, Change::Gone),
                Ok(Event::Init | Event::InitDone) => {}
                Err(error) => {
                    tracing::warn!(kind = %K::kind(&()), %error, "a watch is interrupted");
                }
            }
        }
    });
    store
}

/// Leaves out what nobody reads and takes most of the room.
fn slim<K: Resource>(object: &mut K) {
    object.managed_fields_mut().clear();
    object
        .annotations_mut()
        .remove("kubectl.kubernetes.io/last-applied-configuration");
}
