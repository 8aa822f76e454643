//! Tells changes that concern others from those that do not.
//!
//! Pools and MCPServers look at each other, and most changes of the one, such as how many pods are
//! awake, are nothing to the other.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Mutex, PoisonError};

use kube::{Resource, ResourceExt as _};

use super::watch::Change;

/// What others have seen of the objects of a kind: a hash for each.
#[derive(Default)]
pub struct Seen(Mutex<HashMap<String, u64>>);

impl Seen {
    /// Whether others have not seen an object so: what was written, whether it is going, and what
    /// they look at in its status.
    pub fn is_new<K: Resource>(&self, object: &K, change: Change, status: impl Hash) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let meta = object.meta();
        let key = format!(
            "{}/{}",
            object.namespace().unwrap_or_default(),
            object.name_any()
        );
        if change == Change::Gone {
            seen.remove(&key);
            return true;
        }
        let mut hasher = DefaultHasher::new();
        meta.uid.hash(&mut hasher);
        meta.generation.hash(&mut hasher);
        meta.deletion_timestamp.is_some().hash(&mut hasher);
        status.hash(&mut hasher);
        let now = hasher.finish();
        seen.insert(key, now) != Some(now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::AgentPool;

    #[test]
    fn what_others_do_not_look_at_is_nothing_new() {
        let seen = Seen::default();
        let mut pool = AgentPool::new("a", json!({"image": "x"}));
        pool.metadata.generation = Some(1);
        assert!(seen.is_new(&pool, Change::Is, "educational"));
        pool.metadata.resource_version = Some("7".to_owned());
        assert!(!seen.is_new(&pool, Change::Is, "educational"));
        assert!(seen.is_new(&pool, Change::Is, "github"));
        pool.metadata.generation = Some(2);
        assert!(seen.is_new(&pool, Change::Is, "github"));
        assert!(seen.is_new(&pool, Change::Gone, "github"));
        assert!(seen.is_new(&pool, Change::Is, "github"));
    }
}
