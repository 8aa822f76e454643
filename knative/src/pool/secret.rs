//! The secrets of a pool: what deliveries to it carry, and what its own events carry.
//!
//! They are made once and kept. Who deletes the Secret gets new ones, and with them a new
//! revision.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::controller::names;

/// The key with what deliveries carry in `dormouse-delivery-secret`.
pub const DELIVERY_SECRET: &str = "delivery-secret";
/// The key with what the pool's events carry in `pooltoken`.
pub const POOL_TOKEN: &str = "pool-token";
/// The key with the whole of `K_CE_OVERRIDES`, which has the pool's token in it.
pub const OVERRIDES: &str = "ce-overrides";

/// The secrets of one pool.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// What deliveries carry.
    pub delivery: String,
    /// What its events carry.
    pub token: String,
}

impl Secrets {
    /// New ones, 192 random bits each.
    #[must_use]
    pub fn random() -> Self {
        Self {
            delivery: random(),
            token: random(),
        }
    }

    /// Those of a Secret; `None` when it is not complete.
    #[must_use]
    pub fn read(secret: &Secret) -> Option<Self> {
        let data = secret.data.as_ref()?;
        let secrets = Self {
            delivery: text(data, DELIVERY_SECRET)?,
            token: text(data, POOL_TOKEN)?,
        };
        let overrides = text(data, OVERRIDES)?;
        (overrides == secrets.overrides()).then_some(secrets)
    }

    /// What tells them from others without telling them.
    #[must_use]
    pub fn mark(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.delivery.as_bytes());
        hash.update([0]);
        hash.update(self.token.as_bytes());
        hash.finalize()[..8].iter().map(hex).collect()
    }

    /// The Secret, as it is applied.
    #[must_use]
    pub fn object(&self, namespace: &str, pool: &str, owner: &OwnerReference) -> Value {
        let encoded = |value: String| json!(ByteString(value.into_bytes()));
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": names::pool_secret(pool),
                "namespace": namespace,
                "labels": names::pool_labels(namespace, pool),
                "ownerReferences": [owner],
            },
            "data": {
                DELIVERY_SECRET: encoded(self.delivery.clone()),
                POOL_TOKEN: encoded(self.token.clone()),
                OVERRIDES: encoded(self.overrides()),
            },
        })
    }

    fn overrides(&self) -> String {
        json!({"extensions": {"pooltoken": self.token}}).to_string()
    }
}

fn text(data: &BTreeMap<String, ByteString>, key: &str) -> Option<String> {
    let text = String::from_utf8(data.get(key)?.0.clone()).ok()?;
    (!text.is_empty()).then_some(text)
}

fn random() -> String {
    rand::random::<[u8; 24]>().iter().map(hex).collect()
}

fn hex(byte: &u8) -> String {
    format!("{byte:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(secrets: &Secrets) -> Secret {
        let object = secrets.object("agents", "educational", &OwnerReference::default());
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let secrets = Secrets::random();
        let object = applied(&secrets);
        assert!(Secrets::read(&object).as_ref() == Some(&secrets));
        let overrides = object.data.unwrap().remove(OVERRIDES).unwrap().0;
        let overrides: Value = serde_json::from_slice(&overrides).unwrap();
        assert_eq!(overrides["extensions"]["pooltoken"], secrets.token);
    }

    #[test]
    fn incomplete_ones_are_none() {
        for key in [DELIVERY_SECRET, POOL_TOKEN, OVERRIDES] {
            let mut object = applied(&Secrets::random());
            object.data.as_mut().unwrap().remove(key);
            assert!(Secrets::read(&object).is_none(), "{key}");
        }
    }

    #[test]
    fn others_have_another_mark_and_none_tells_them() {
        let (one, two) = (Secrets::random(), Secrets::random());
        assert_ne!(one.mark(), two.mark());
        assert_eq!(one.mark(), one.clone().mark());
        assert!(!one.delivery.contains(&one.mark()));
    }
}
