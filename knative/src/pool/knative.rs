//! Knative's objects, as far as the operator reads them.

use std::borrow::Cow;
use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The Services of Knative Serving.
pub type Service = Object<ServiceKind>;
/// Its Revisions.
pub type Revision = Object<RevisionKind>;
/// The Triggers of Knative Eventing.
pub type Trigger = Object<TriggerKind>;

/// A kind of Knative's: a type without values.
pub trait Kind: Debug + Clone + Send + Sync + 'static {
    /// Its API group.
    const GROUP: &'static str;
    /// As objects name it.
    const KIND: &'static str;
    /// As the API's paths name it.
    const PLURAL: &'static str;
    /// What is kept of its spec.
    type Spec: DeserializeOwned + Default + Debug + Clone + Send + Sync + 'static;
    /// What is kept of its status.
    type Status: DeserializeOwned + Default + Debug + Clone + Send + Sync + 'static;
}

/// One object of a kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K::Spec: Serialize",
    deserialize = "K::Spec: DeserializeOwned, K::Status: DeserializeOwned"
))]
pub struct Object<K: Kind> {
    /// Name, namespace, and what Kubernetes keeps about it.
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: K::Spec,
    /// What is; never written here.
    #[serde(default, skip_serializing)]
    pub status: K::Status,
}

impl<K: Kind> Resource for Object<K> {
    type DynamicType = ();
    type Scope = kube::core::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        K::GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
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

/// The group of Knative Serving.
pub const SERVING: &str = "serving.knative.dev";
/// The group of Knative Eventing.
pub const EVENTING: &str = "eventing.knative.dev";

/// The kind of [`Service`].
#[derive(Debug, Clone)]
pub enum ServiceKind {}

impl Kind for ServiceKind {
    const GROUP: &'static str = SERVING;
    const KIND: &'static str = "Service";
    const PLURAL: &'static str = "services";
    type Spec = Value;
    type Status = ServiceStatus;
}

/// The kind of [`Revision`].
#[derive(Debug, Clone)]
pub enum RevisionKind {}

impl Kind for RevisionKind {
    const GROUP: &'static str = SERVING;
    const KIND: &'static str = "Revision";
    const PLURAL: &'static str = "revisions";
    type Spec = IgnoredAny;
    type Status = RevisionStatus;
}

/// The kind of [`Trigger`].
#[derive(Debug, Clone)]
pub enum TriggerKind {}

impl Kind for TriggerKind {
    const GROUP: &'static str = EVENTING;
    const KIND: &'static str = "Trigger";
    const PLURAL: &'static str = "triggers";
    type Spec = Value;
    type Status = TriggerStatus;
}

/// What a Service tells.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus {
    /// The generation that this is about.
    pub observed_generation: Option<i64>,
    /// What holds.
    pub conditions: Vec<Condition>,
    /// The newest revision that was made.
    pub latest_created_revision_name: Option<String>,
    /// Where it answers, in the cluster.
    pub address: Option<Address>,
    /// Which revisions take requests.
    pub traffic: Vec<Traffic>,
}

/// Where something answers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Its URL.
    pub url: Option<String>,
}

/// A share of the requests.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Traffic {
    /// Who takes it.
    pub revision_name: Option<String>,
    /// How much, in percent.
    pub percent: Option<i64>,
}

/// What a Revision tells.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RevisionStatus {
    /// What holds.
    pub conditions: Vec<Condition>,
    /// So many pods are ready.
    pub actual_replicas: Option<i32>,
    /// So many are wanted.
    pub desired_replicas: Option<i32>,
}

/// What a Trigger tells.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TriggerStatus {
    /// The generation that this is about.
    pub observed_generation: Option<i64>,
    /// What holds.
    pub conditions: Vec<Condition>,
}

/// A condition, by the conventions of Knative.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub ty: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why.
    pub message: String,
}

/// The condition of a type.
#[must_use]
pub fn condition<'a>(conditions: &'a [Condition], ty: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.ty == ty)
}

impl Service {
    /// The revision that takes most requests, once its routes are there.
    #[must_use]
    pub fn routed(&self) -> Option<&str> {
        let routes = condition(&self.status.conditions, "RoutesReady")?;
        if routes.status != "True" {
            return None;
        }
        let most = self.status.traffic.iter().max_by_key(|it| it.percent)?;
        most.revision_name.as_deref()
    }

    /// Where it answers, in the cluster.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.status.address.as_ref()?.url.as_deref()
    }

    /// The value of a variable of its template, where the template has one.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let container = &self.spec["template"]["spec"]["containers"][0];
        let variables = container["env"].as_array()?;
        let variable = variables.iter().find(|it| it["name"] == name)?;
        variable["value"].as_str()
    }
}
