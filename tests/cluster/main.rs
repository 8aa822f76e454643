//! Tests on a real Kubernetes with Knative: what happens to pods when agents call.
//!
//! `make test-cluster` brings the cluster up and runs these in its network; without one they are
//! ignored. `kubectl` is the way to the cluster, `namespace` what each test has for itself, and
//! `deployment` a whole platform in one; the door of Knative is `kourier`. `pools` are what the tests
//! deploy, `programs` the processes of their pods, and `knocks` is where those say that they run.
//! What comes from `../e2e` is what the end-to-end tests use, too. The other modules are the tests,
//! one subject each; those in `alone` run one after the other, and `measure` runs when it is named.

#[expect(dead_code, reason = "the end-to-end tests use all of it")]
#[path = "../e2e/client.rs"]
mod client;

#[path = "../e2e/educational.rs"]
mod educational;

#[path = "../e2e/http.rs"]
mod http;

#[path = "../e2e/modern.rs"]
mod modern;

#[expect(dead_code, reason = "the end-to-end tests use all of it")]
#[path = "../e2e/session.rs"]
mod session;

mod deployment;
mod knocks;
mod kourier;
mod kubectl;
mod namespace;
mod pools;
mod programs;

mod alone;
mod broker;
mod calls;
mod contract;
mod data_plane;
mod install;
mod kill;
mod knative;
mod measure;
mod wrong;
