//! Which of several endpoints or instances of a pool takes a call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The header of a delivery that says with which others it belongs together: calls of one session
/// carry the same value, opaque to everybody but the gateway.
pub const AFFINITY_HEADER: &str = "dormouse-affinity";

/// Which of those that have room takes a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest calls in flight.
    LeastConnections,
    /// The same one for the calls of one session, while it has room; calls without a session go to
    /// one after the other.
    SessionAffinity,
}

/// How much a key prefers a member: rendezvous hashing (highest random weight; Thaler and
/// Ravishankar 1998). Each key goes to the member that it gives the greatest weight, so that a
/// member that comes or goes moves only the keys that it takes or leaves. The same everywhere and
/// for ever; no secret.
#[must_use]
pub fn weight(key: &[u8], member: &[u8]) -> u64 {
    // FNV-1a, with a byte between the two that neither is likely to hold; then the finalizer of
    // MurmurHash3, because FNV's high bits hardly depend on the last bytes.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key.iter().chain(&[0xff]).chain(member) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_over_the_members() {
        let members: Vec<_> = (0..5).map(|n| format!("http://10.0.0.{n}:9000/")).collect();
        let mut taken = [0_usize; 5];
        for key in 0..5_000 {
            let key = format!("session-{key}");
            let best = (0..5).max_by_key(|n| weight(key.as_bytes(), members[*n].as_bytes()));
            taken[best.unwrap()] += 1;
        }
        assert!(
            taken.iter().all(|count| (850..1150).contains(count)),
            "{taken:?}"
        );
    }
}
