//! Whether another attempt follows a failed one, and when.
//!
//! The rule (see the delivery section of the architecture): what surely did not run may be run
//! again; what may have run is repeated only when the capability says that a second run is safe.

use std::time::Duration;

use dormouse_contract::policy::Delivery;
use dormouse_contract::task::Outcome;

use crate::task::Millis;

/// A failed attempt, as far as the decision depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FailedAttempt {
    /// Which attempt of the round failed, from 1.
    pub(crate) attempt: u32,
    /// When the round's first attempt began, and later by as long as it waited for a slot since.
    pub(crate) started_at: Millis,
    /// What is known of it.
    pub(crate) outcome: Outcome,
    /// Trying again is pointless.
    pub(crate) last: bool,
    /// How long the function asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// From 0 to 1: spreads retries that would otherwise come at the same moment.
    pub(crate) jitter: f64,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another attempt, not before this time.
    Retry(Millis),
    /// The end, for this reason.
    Fail(&'static str),
}

pub(crate) fn decide(delivery: &Delivery, failed: FailedAttempt, now: Millis) -> Next {
    if failed.last {
        return Next::Fail("the function refused it for good");
    }
    let safe = match failed.outcome {
        Outcome::NotRun => true,
        Outcome::Failed | Outcome::Unknown => delivery.repeatable,
    };
    if !safe {
        return Next::Fail("it may have run, and running it twice is not known to be safe");
    }
    if failed.attempt > delivery.retries {
        return Next::Fail("all attempts are used up");
    }
    let backoff = delivery
        .backoff(failed.attempt)
        .mul_f64(0.75 + failed.jitter * 0.5);
    let at = now
        + millis(failed.retry_after.map_or(backoff, |asked| {
            asked.min(delivery.retry_after_max).max(backoff)
        }));
    if at - failed.started_at >= millis(delivery.budget()) {
        return Next::Fail("the total budget is used up");
    }
    Next::Retry(at)
}

pub(crate) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failed(outcome: Outcome) -> FailedAttempt {
        FailedAttempt {
            attempt: 1,
            started_at: 0,
            outcome,
            last: false,
            retry_after: None,
            jitter: 0.5,
        }
    }

    #[test]
    fn what_did_not_run_is_repeated_and_what_may_have_run_only_where_safe() {
        let careful = Delivery::default();
        let safe = Delivery {
            repeatable: true,
            ..Delivery::default()
        };
        assert_eq!(
            decide(&careful, failed(Outcome::NotRun), 0),
            Next::Retry(5_000)
        );
        for outcome in [Outcome::Unknown, Outcome::Failed] {
            assert!(matches!(
                decide(&careful, failed(outcome), 0),
                Next::Fail(_)
            ));
            assert_eq!(decide(&safe, failed(outcome), 0), Next::Retry(5_000));
        }
    }

    #[test]
    fn a_function_that_asks_for_time_gets_it_within_bounds() {
        let asked = FailedAttempt {
            retry_after: Some(Duration::from_secs(60)),
            ..failed(Outcome::NotRun)
        };
        assert_eq!(decide(&Delivery::default(), asked, 0), Next::Retry(60_000));
        let hasty = Delivery {
            retry_after_max: Duration::from_secs(20),
            ..Delivery::default()
        };
        assert_eq!(decide(&hasty, asked, 0), Next::Retry(20_000));
    }

    proptest! {
        #[test]
        fn attempts_and_budget_bound_every_task(
            retries in 0_u32..8, attempt in 1_u32..12, now in 0_i64..10_000_000, jitter in 0.0_f64..1.0,
        ) {
            let delivery = Delivery { retries, repeatable: true, ..Delivery::default() };
            let attempt = FailedAttempt { attempt, jitter, ..failed(Outcome::Unknown) };
            if let Next::Retry(at) = decide(&delivery, attempt, now) {
                prop_assert!(attempt.attempt <= retries);
                prop_assert!(at > now && at < millis(delivery.budget()));
            }
        }
    }
}
