//! Runs Dormouse on Kubernetes.
//!
//! Two kinds of the group `dormouse.dev/v1alpha1` are brought into being: an [`AgentPool`], the file
//! of the laptop unchanged, as a Knative Service that sleeps until it is called; an [`McpServer`] as
//! a whole platform in front of the pools of its namespace.

pub mod agent_pool;
pub mod conditions;
pub mod controller;
pub mod coordinator_client;
pub mod crd;
pub mod leader;
pub mod mcp_server;
pub mod object;
pub mod platform;
pub mod pool;

pub use agent_pool::AgentPool;
pub use mcp_server::McpServer;
pub use object::Object;
