//! Who leads: a plain function of the Lease and of how long it has stood still.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;

/// So long a leader leads without renewing.
pub const TERM: Duration = Duration::from_secs(15);

/// What a candidate does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The Lease is free: take it.
    Take,
    /// It is ours: renew it.
    Renew,
    /// Somebody else has it.
    Wait,
}

/// What to do about a Lease that has not changed for so long, as far as this process has seen.
/// The times in it are no help: other machines' clocks wrote them.
#[must_use]
pub fn decide(lease: &LeaseSpec, me: &str, unchanged: Duration) -> Step {
    let term = lease
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(TERM, Duration::from_secs);
    match lease.holder_identity.as_deref() {
        None | Some("") => Step::Take,
        Some(holder) if holder == me => Step::Renew,
        Some(_) if unchanged > term => Step::Take,
        Some(_) => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_taken_when_it_is_free_or_stands_still() {
        let held = |holder: Option<&str>| LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(10),
            ..LeaseSpec::default()
        };
        let seconds = Duration::from_secs;
        for (holder, unchanged, step) in [
            (None, 0, Step::Take),
            (Some(""), 0, Step::Take),
            (Some("me"), 99, Step::Renew),
            (Some("you"), 10, Step::Wait),
            (Some("you"), 11, Step::Take),
        ] {
            assert_eq!(decide(&held(holder), "me", seconds(unchanged)), step);
        }
    }
}
