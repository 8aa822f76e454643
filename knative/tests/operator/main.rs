//! The operator against a real API server with the definitions of Dormouse and Knative, and nothing
//! behind it: the tests play Knative, functions and coordinators.
//!
//! The API server is the one of the test cluster (`tests/cluster/install`). Where it has not been
//! built the tests are skipped, in words that cannot be missed; in CI that is a failure.

mod api_server;
mod peer;
mod scene;

mod leading;
mod life;
mod trouble;
