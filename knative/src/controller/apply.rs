//! Server-side apply that asks for nothing when nothing is to be done.
//!
//! What is wanted is compared with what the watch has brought. Only what differs is applied, and
//! [`Applier::apply`] returns when the watch has caught up: whoever looks next sees what was
//! written.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::names;

/// So long a watch may lag behind before it is no longer waited for.
const LAG: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);

/// Applies objects.
pub struct Applier {
    client: Client,
    /// What the API server keeps in other words than ours, such as `1` for `1000m`: a hash of
    /// what was applied, and the version of the object that came of it.
    reworded: Mutex<HashMap<String, (u64, String)>>,
}

impl Applier {
    /// With this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            reworded: Mutex::default(),
        }
    }

    /// Makes an object what is wanted, unless it is; tells whether something was written. `wanted`
    /// is a whole object, with name and namespace; `store` has those of its kind.
    ///
    /// An object that the operator has not made is not taken over where that would change it.
    ///
    /// # Errors
    /// Those of the API server: 409 when somebody else made the object.
    pub async fn apply<K>(&self, store: &Store<K>, wanted: &Value) -> kube::Result<bool>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned
            + 'static,
    {
        let text = |key: &str| wanted["metadata"][key].as_str().unwrap_or_default();
        let (name, namespace) = (text("name"), text("namespace"));
        let key = ObjectRef::<K>::new(name).within(namespace);
        let live = store.get(&key);
        if let Some(live) = &live
            && (is_met(wanted, live.as_ref()) || self.is_reworded(wanted, live.as_ref()))
        {
            return Ok(false);
        }
        let params = PatchParams::apply(names::MANAGER);
        let params = match live {
            Some(_) => params.force(),
            None => params,
        };
        tracing::debug!(kind = %K::kind(&()), namespace, name, "applying");
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        let made = api.patch(name, &params, &Patch::Apply(wanted)).await?;
        if !is_met(wanted, &made) {
            self.remember(wanted, &made);
        }
        await_seen(store, &key, &made).await;
        Ok(true)
    }

    fn is_reworded<K: Resource<DynamicType = ()>>(&self, wanted: &Value, live: &K) -> bool {
        let reworded = self.reworded.lock().unwrap_or_else(PoisonError::into_inner);
        reworded
            .get(&identity(live))
            .is_some_and(|known| *known == (hash(wanted), version(live)))
    }

    fn remember<K: Resource<DynamicType = ()>>(&self, wanted: &Value, made: &K) {
        let mut reworded = self.reworded.lock().unwrap_or_else(PoisonError::into_inner);
        reworded.insert(identity(made), (hash(wanted), version(made)));
    }
}

/// Waits until a store has an object as it was written, or a later one.
pub async fn await_seen<K>(store: &Store<K>, key: &ObjectRef<K>, written: &K)
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let wanted = resource_version(written);
    let seen = async {
        while store
            .get(key)
            .is_none_or(|live| resource_version(live.as_ref()) < wanted)
        {
            tokio::time::sleep(LOOK).await;
        }
    };
    // A watch that lags longer is in trouble, which it tells itself.
    let _ = tokio::time::timeout(LAG, seen).await;
}

/// Comparable since every API server counts them up (Kubernetes, "Resource versions").
fn resource_version<K: Resource>(object: &K) -> u64 {
    let version = object.meta().resource_version.as_deref();
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}

fn identity<K: Resource<DynamicType = ()>>(object: &K) -> String {
    let namespace = object.namespace().unwrap_or_default();
    format!("{}/{namespace}/{}", K::kind(&()), object.name_any())
}

/// Changes with the spec, and not with the status where an object has one.
fn version<K: Resource>(object: &K) -> String {
    match object.meta().generation {
        Some(generation) => generation.to_string(),
        None => object.meta().resource_version.clone().unwrap_or_default(),
    }
}

fn hash(wanted: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    wanted.to_string().hash(&mut hasher);
    hasher.finish()
}

fn is_met<K: Serialize>(wanted: &Value, live: &K) -> bool {
    let Ok(live) = serde_json::to_value(live) else {
        return false;
    };
    match wanted {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind"))
            .all(|(name, wanted)| is_part(wanted, &live[name])),
        _ => false,
    }
}

/// Whether all that is wanted is there: objects may have further members, lists may not.
fn is_part(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted
            .iter()
            .all(|(name, wanted)| live.get(name).is_some_and(|live| is_part(wanted, live))),
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len()
                && wanted
                    .iter()
                    .zip(live)
                    .all(|(wanted, live)| is_part(wanted, live))
        }
        _ => wanted == live,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_no_difference() {
        let wanted = json!({
            "apiVersion": "v1",
            "metadata": {"name": "a", "labels": {"x": "1"}},
            "spec": {"list": [{"a": 1}]},
        });
        let live = |x: &str, list: Value| {
            json!({
                "metadata": {"name": "a", "uid": "u", "labels": {"x": x, "y": "2"}},
                "spec": {"list": list, "more": true},
                "status": {},
            })
        };
        assert!(is_met(&wanted, &live("1", json!([{"a": 1, "b": 2}]))));
        assert!(!is_met(&wanted, &live("2", json!([{"a": 1}]))));
        assert!(!is_met(&wanted, &live("1", json!([{"a": 1}, {"a": 2}]))));
        assert!(!is_met(&wanted, &live("1", json!([]))));
        assert!(!is_met(&wanted, &json!({"metadata": {"name": "a"}})));
    }
}
