//! How an endpoint is by its probes, and when it is probed next: plain data, the clock passed in.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::clock;

/// The first probe after a failed one; the delay doubles up to the usual one.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// How an endpoint is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nobody has looked yet: it is believed to be there.
    #[default]
    Unknown,
    /// The last probe went well.
    Well { at: Timestamp },
    /// So many probes in a row failed: it is left out.
    Failing {
        at: Timestamp,
        why: String,
        tries: u32,
        next: Instant,
    },
}

/// When a probe was made, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) time: Timestamp,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self {
            instant: clock::now(),
            time: Timestamp::now(),
        }
    }
}

impl Health {
    /// What it is after a probe. `usual`: the time between probes of an endpoint that is well.
    pub(crate) fn after(&self, probe: Result<(), String>, now: Moment, usual: Duration) -> Self {
        let before = match self {
            Self::Failing { tries, .. } => *tries,
            Self::Unknown | Self::Well { .. } => 0,
        };
        match probe {
            Ok(()) => Self::Well { at: now.time },
            Err(why) => Self::Failing {
                at: now.time,
                why,
                tries: before.saturating_add(1),
                next: now.instant + delay(before, usual),
            },
        }
    }

    pub(crate) fn is_failing(&self) -> bool {
        match self {
            Self::Failing { .. } => true,
            Self::Unknown | Self::Well { .. } => false,
        }
    }

    /// When to look again.
    pub(crate) fn next_probe(&self, now: Instant, usual: Duration) -> Instant {
        match self {
            Self::Unknown => now,
            Self::Well { .. } => now + usual,
            Self::Failing { next, .. } => *next,
        }
    }
}

fn delay(failed_before: u32, usual: Duration) -> Duration {
    FIRST_DELAY
        .saturating_mul(2_u32.saturating_pow(failed_before))
        .min(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(60);

    #[test]
    fn a_failing_endpoint_is_probed_again_soon_and_then_less_often() {
        let now = Moment::now();
        let mut health = Health::default();
        assert_eq!(health.next_probe(now.instant, USUAL), now.instant);
        let mut delays = Vec::new();
        for _ in 0..8 {
            health = health.after(Err("refused".into()), now, USUAL);
            assert!(health.is_failing());
            delays.push((health.next_probe(now.instant, USUAL) - now.instant).as_secs());
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
        health = health.after(Ok(()), now, USUAL);
        assert_eq!(health, Health::Well { at: now.time });
        assert_eq!(health.next_probe(now.instant, USUAL), now.instant + USUAL);
        health = health.after(Err("refused".into()), now, Duration::from_millis(50));
        let next = health.next_probe(now.instant, USUAL);
        assert_eq!(next - now.instant, Duration::from_millis(50));
    }
}
