//! Tests on a real Kubernetes with Knative: what happens to pods when agents call.
//!
//! `make test-cluster` brings the cluster up and runs these in its network; without one they are
//! ignored. `kubectl` is the way to the cluster, `namespace` what each test has for itself, and
//! `deployment` a whole platform in one; the door of Knative is `kourier`. `http` and `session` are
//! those of the end-to-end tests. The other modules are the tests, one subject each.

#[expect(dead_code, reason = "the end-to-end tests use all of it")]
#[path = "../e2e/http.rs"]
mod http;

#[expect(dead_code, reason = "the end-to-end tests use all of it")]
#[path = "../e2e/session.rs"]
mod session;

mod deployment;
mod kourier;
mod kubectl;
mod namespace;

mod install;
mod knative;
