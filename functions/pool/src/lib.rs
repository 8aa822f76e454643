//! The files that people write: AgentPools (what a pool runs, how far it scales, how calls are
//! delivered to it) and event sources (webhooks and schedules).
//!
//! One YAML file serves laptop and cluster, and may hold several documents of either kind.
//! [`load_dir`] reads a folder of them and returns every good [`Pool`] and [`DeclaredSource`]
//! beside every error, so that one broken file never hides the others. In a cluster the same
//! [`Spec`] comes from the API server and is checked by [`Pool::in_cluster`]. What has no effect in
//! the one place or the other is told by name ([`Pool::not_honoured`],
//! [`DeclaredSource::not_honoured_locally`]).
//!
//! ```
//! let file = dormouse_pool::parse("
//! apiVersion: dormouse.dev/v1alpha1
//! kind: AgentPool
//! metadata: {name: educational}
//! spec:
//!   run: {cargo: dormouse-educational}
//!   scaling: {max: 4, idle: 30s}
//! ---
//! apiVersion: dormouse.dev/v1alpha1
//! kind: EventSource
//! metadata: {name: nightly}
//! spec:
//!   schedule: {schedule: 30 2 * * *, timezone: Europe/Berlin, type: com.example.nightly}
//! ")?;
//! let pool = &file.pools[0];
//! assert_eq!(pool.name.as_str(), "educational");
//! assert_eq!((pool.scaling.min, pool.scaling.max), (0, Some(4)));
//! assert_eq!(file.sources[0].source.word(), "schedule");
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
//! programs need to run at all (`PATH`, `HOME`, `LANG`, …). In a cluster there is no such
//! environment: `{name: X}` is left out there, and told. Write `value: ""` for the empty text.

mod container;
mod document;
mod env;
mod field;
mod honour;
mod load;
mod locate;
mod pool;
mod quantity;
mod run;
mod scaling;
mod secret;
mod source;
mod split;

pub use container::{Container, Resources};
pub use document::{
    Autoscaling, CommandSpec, Document, EnvSpec, Listen, McpSpec, Metadata, QueueSpec, RunSpec,
    ScalingSpec, SecretKeySelector, Spec, ValueSource,
};
pub use env::{EnvValue, EnvVar, MissingSecret, RESERVED_VARIABLES, SecretRef, read_secret};
pub use field::{Field, Invalid};
pub use load::{File, LoadError, Loaded, ParseError, PoolFile, SourceFile, load_dir, parse};
pub use pool::{Pool, PoolName};
pub use quantity::{InvalidQuantity, Quantity};
pub use run::{McpServer, Run};
pub use scaling::Scaling;
pub use secret::{NoSecret, SecretSource, with_secrets};
pub use source::{DeclaredSource, SOURCE_KIND};

/// The `apiVersion` of an AgentPool.
pub const API_VERSION: &str = "dormouse.dev/v1alpha1";

/// The `kind` of an AgentPool.
pub const KIND: &str = "AgentPool";
