//! The operator against a real API server with the definitions of Dormouse and Knative, and nothing
//! behind it: the tests play Knative, functions and coordinators.
//!
//! The API server is the one of the test cluster (`tests/cluster/install`), and `make test-cluster`
//! runs these first. Without it they are ignored.

mod api_server;
mod audit;
mod peer;
mod scene;

mod leading;
mod life;
mod overlays;
mod platforms;
mod pods;
mod rights;
mod trouble;
