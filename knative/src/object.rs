//! The objects of our group, for kube.
//!
//! One generic type does for every kind, instead of kube's derive. It leaves `spec` unread: an
//! object whose spec cannot be read, because an older version or somebody without the CRD's rules
//! wrote it, is then one object with an error, not a watch that breaks for all.

use std::borrow::Cow;
use std::fmt::Debug;

use dormouse_pool::{Field, Invalid};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The API group of all kinds.
pub const GROUP: &str = "dormouse.dev";

/// Their version.
pub const VERSION: &str = "v1alpha1";

/// One kind of the group: a type without values.
pub trait Kind: Debug + Clone + PartialEq + Send + Sync + 'static {
    /// As objects name it: `AgentPool`.
    const KIND: &'static str;
    /// As the API's paths name it: `agentpools`.
    const PLURAL: &'static str;
    /// As people may name one: `agentpool`.
    const SINGULAR: &'static str;
    /// As people may name it for short.
    const SHORT_NAMES: &'static [&'static str];
    /// What people write.
    type Spec: JsonSchema + Serialize + DeserializeOwned;
    /// What the operator tells. Every member has a default, so that what another version of the
    /// operator wrote can be read.
    type Status: JsonSchema
        + Serialize
        + DeserializeOwned
        + Debug
        + Clone
        + Default
        + PartialEq
        + Send
        + Sync
        + 'static;
}

/// One object of a kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Object<K: Kind> {
    /// Name, namespace, and what Kubernetes keeps about it.
    pub metadata: ObjectMeta,
    /// As it came; read by [`Object::spec`].
    pub spec: Value,
    /// What was told last; `None` when nothing was, or nothing that this version can read.
    pub status: Option<K::Status>,
}

impl<K: Kind> Object<K> {
    /// A new object, to be applied.
    #[must_use]
    pub fn new(name: &str, spec: Value) -> Self {
        Self {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            spec,
            status: None,
        }
    }

    /// `dormouse.dev/v1alpha1`.
    #[must_use]
    pub fn api_version() -> String {
        format!("{GROUP}/{VERSION}")
    }

    /// `metadata.name`, which every object of an API server has.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The version of the spec, counted by the API server.
    #[must_use]
    pub fn generation(&self) -> Option<i64> {
        self.metadata.generation
    }

    /// Reads the spec.
    ///
    /// # Errors
    /// When its shape is wrong, naming the field.
    pub fn spec(&self) -> Result<K::Spec, Invalid> {
        read(&self.spec, Field::of(&["spec"]))
    }
}

/// Reads a value that stands at a field.
fn read<T: DeserializeOwned>(value: &Value, at: Field) -> Result<T, Invalid> {
    use serde_path_to_error::Segment;

    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = error
            .path()
            .iter()
            .fold(at, |field, segment| match segment {
                Segment::Seq { index } => field.index(*index),
                Segment::Map { key } => field.key(key),
                Segment::Enum { variant } => field.key(variant),
                Segment::Unknown => field,
            });
        field.invalid(error.into_inner().to_string())
    })
}

impl<K: Kind> Resource for Object<K> {
    type DynamicType = ();
    type Scope = kube::core::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<K: Kind> Serialize for Object<K> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_struct("Object", 5)?;
        object.serialize_field("apiVersion", &Self::api_version())?;
        object.serialize_field("kind", K::KIND)?;
        object.serialize_field("metadata", &self.metadata)?;
        object.serialize_field("spec", &self.spec)?;
        match &self.status {
            Some(status) => object.serialize_field("status", status)?,
            None => object.skip_field("status")?,
        }
        object.end()
    }
}

impl<'de, K: Kind> Deserialize<'de> for Object<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            metadata: ObjectMeta,
            #[serde(default)]
            spec: Value,
            #[serde(default)]
            status: Value,
        }
        let written = Written::deserialize(from)?;
        Ok(Self {
            metadata: written.metadata,
            spec: written.spec,
            status: serde_json::from_value(written.status).ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::AgentPool;

    fn pool(spec: serde_json::Value) -> AgentPool {
        AgentPool::new("educational", spec)
    }

    #[test]
    fn an_object_is_read_whatever_its_spec_and_status_are() {
        for (spec, status) in [
            (
                json!({"image": 7}),
                json!({"conditions": "none", "state": 1}),
            ),
            (json!(null), json!(null)),
        ] {
            let text = json!({"metadata": {"name": "x"}, "spec": spec, "status": status});
            let object: AgentPool = serde_json::from_value(text).unwrap();
            assert_eq!((object.name(), object.status.as_ref()), ("x", None));
            assert!(object.spec().is_err());
        }
    }

    #[test]
    fn it_is_written_with_its_kind() {
        let written = serde_json::to_value(pool(json!({"image": "x"}))).unwrap();
        assert_eq!(written["apiVersion"], "dormouse.dev/v1alpha1");
        assert_eq!(written["kind"], "AgentPool");
        assert_eq!(written["spec"]["image"], "x");
        assert!(written.get("status").is_none());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (spec, field) in [
            (json!({"image": 7}), "spec.image: "),
            (json!({"scaling": {"idle": "60"}}), "spec.scaling.idle: "),
            (json!({"env": [{}]}), "spec.env[0]: missing field `name`"),
            (
                json!({"triggers": [{"filters": [{"exact": {"Type": "x"}}]}]}),
                "spec.triggers[0].filters[0]: ",
            ),
            (json!({"imag": "x"}), "spec.imag: unknown field `imag`"),
        ] {
            let error = pool(spec).spec().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
    }
}
