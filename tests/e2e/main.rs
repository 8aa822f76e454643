//! End-to-end tests: the real binary, driven through its public doors.
//!
//! `platform` runs `dormouse dev` on free ports with pools of the SDK's `fixture` function, or
//! `dormouse serve`, as `setup` says, and fails a test that leaves a process behind; `http` and
//! `session` are raw clients that say exactly what a test wants said, `wire` is what a test can cut,
//! `gate` what holds calls for as long as a test wants. `educational` is what holds of the pool that
//! ships, here and in a cluster.
//! `client` runs other people's clients and `suite` their conformance suite, through a `bridge` where
//! it shall look at WebSocket: `tests/clients/install` brings both. The other modules are the tests,
//! one subject each.

mod bridge;
mod client;
mod educational;
mod gate;
mod http;
mod leftovers;
mod modern;
mod platform;
mod pools;
mod session;
mod setup;
mod suite;
mod wire;

mod arrivals;
mod bad_events;
mod bad_functions;
mod bad_input;
mod broker;
mod cesql_cases;
mod chaos;
mod cli;
mod cli_events;
mod clients;
mod conformance;
mod conformance_socket;
mod deliveries;
mod document;
mod doors;
mod ingress;
mod kill;
mod observed;
mod outside;
mod oversize;
mod producers;
mod programs;
mod scaling;
mod schedules;
mod sending;
mod serve;
mod sources;
mod stopping;
mod suspension;
mod unchanged;
mod webhooks;
