//! Runs Dormouse on Kubernetes.
//!
//! Two kinds of the group `dormouse.dev/v1alpha1` are brought into being: an `AgentPool`, the file
//! of the laptop unchanged, as a Knative Service that sleeps until it is called; an `MCPServer` as
//! a whole platform in front of the pools of its namespace.
