//! How long an object is left alone after it could not be reconciled.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// The failures of each object since it was last reconciled.
#[derive(Debug, Default)]
pub struct Backoffs(Mutex<HashMap<String, u32>>);

impl Backoffs {
    /// Counts a failure and tells how long to wait: twice as long each time, 1 s to 5 minutes, a
    /// quarter more or less so that many do not come back at once.
    pub fn failed(&self, object: &str) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(object.to_owned()).or_default();
        let wait = delay(*count);
        *count = count.saturating_add(1);
        wait.mul_f64(rand::random_range(0.75..1.25))
    }

    /// Forgets the failures of an object.
    pub fn succeeded(&self, object: &str) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(object);
    }
}

fn delay(failures: u32) -> Duration {
    FIRST
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_waits_longer_each_time_and_others_do_not() {
        let waits: Vec<_> = (0..11).map(|n| delay(n).as_secs()).collect();
        assert_eq!(waits[..4], [1, 2, 4, 8]);
        assert_eq!(waits[10], 300);
        let backoffs = Backoffs::default();
        for _ in 0..5 {
            backoffs.failed("a");
        }
        assert!(backoffs.failed("a") > Duration::from_secs(20));
        assert!(backoffs.failed("b") < Duration::from_secs(2));
        backoffs.succeeded("a");
        assert!(backoffs.failed("a") < Duration::from_secs(2));
    }
}
