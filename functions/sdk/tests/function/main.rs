//! The function contract, version 1, as the platform sees it: over HTTP.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

#[path = "../../examples/fixture.rs"]
#[expect(dead_code, reason = "its main belongs to the example")]
mod fixture;

mod announcing;
mod arriving;
mod asking;
mod calls;
mod harness;
mod offering;
mod process;
mod prompts;
mod reacting;
mod refusals;
mod replaying;
mod reports;
mod resources;
mod sink;
mod stepping;
mod stopping;
mod waiting;
