//! The AgentPool file: what a pool runs, how far it scales, how calls are delivered to it.
//!
//! One YAML file serves laptop and cluster. [`load_dir`] reads a folder of them and returns every
//! good [`Pool`] beside every error, so that one broken file never hides the others.
//! [`Pool::not_honoured_locally`] names the fields that only a cluster can honour.
//!
//! ```
//! let pools = dormouse_pool::parse("
//! apiVersion: dormouse.dev/v1alpha1
//! kind: AgentPool
//! metadata: {name: educational}
//! spec:
//!   run: {cargo: dormouse-educational}
//!   scaling: {max: 4, idle: 30s}
//! ")?;
//! assert_eq!(pools[0].name.as_str(), "educational");
//! assert_eq!((pools[0].scaling.min, pools[0].scaling.max), (0, Some(4)));
//! # Ok::<(), dormouse_pool::ParseError>(())
//! ```
//!
//! # Environment
//! An entry of `spec.env` is one of
//!
//! | written | value |
//! |---|---|
//! | `{name: X, value: text}` | the text |
//! | `{name: X, valueFrom: {secretKeyRef: {name: S, key: K}}}` | the secret; missing is an error, unless `optional: true` |
//! | `{name: X}` | that of the platform's own environment, when it has one |
//!
//! Nothing else of the platform's environment reaches a function, but for the few variables that
//! programs need to run at all (`PATH`, `HOME`, `LANG`, …). In Kubernetes `{name: X}` means the
//! empty text; write `value: ""` where that is meant.

mod document;
mod env;
mod field;
mod load;
mod locate;
mod pool;
mod run;

pub use document::{
    Autoscaling, CommandSpec, Document, EnvSpec, Listen, McpSpec, Metadata, QueueSpec, RunSpec,
    ScalingSpec, SecretKeySelector, Spec, ValueSource,
};
pub use env::{EnvValue, EnvVar, MissingSecret, SecretRef, read_secret};
pub use field::{Field, Invalid};
pub use load::{LoadError, Loaded, ParseError, PoolFile, load_dir, parse};
pub use pool::{Pool, PoolName, Scaling};
pub use run::{McpServer, Run};

/// The `apiVersion` of an AgentPool.
pub const API_VERSION: &str = "dormouse.dev/v1alpha1";

/// The `kind` of an AgentPool.
pub const KIND: &str = "AgentPool";
