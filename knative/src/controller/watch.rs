//! One watch of one kind.

use std::fmt::Debug;

use futures_util::{StreamExt as _, pin_mut};
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

/// So many objects are read at once when a watch begins: few, because all are in memory twice.
const PAGE: u32 = 100;

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
    let (store, writer) = reflector::store();
    let changes = watcher(api, selector.page_size(PAGE))
        .default_backoff()
        .modify(slim)
        .reflect(writer)
        .touched_objects();
    watches.spawn(async move {
        pin_mut!(changes);
        while let Some(change) = changes.next().await {
            match change {
                Ok(object) => tell(&object),
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
