//! Starts that failed: in words, and how long to leave the program alone.

use std::time::{Duration, Instant};

/// The delay after the first failed start; it doubles with each that follows.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// The delay grows no further.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// How starting went lately.
#[derive(Debug, Default)]
pub(crate) struct Setback {
    streak: u32,
    again_at: Option<Instant>,
    words: Option<String>,
}

impl Setback {
    /// A start failed.
    pub(crate) fn failed(&mut self, words: String, now: Instant) {
        self.again_at = now.checked_add(delay(self.streak));
        self.streak = self.streak.saturating_add(1);
        self.words = Some(words);
    }

    /// An instance became ready: nothing is wrong as far as anybody knows. The streak goes on
    /// until it has also proved useful.
    pub(crate) fn ready(&mut self) {
        self.words = None;
        self.again_at = None;
    }

    /// An instance answered a call, or was put to sleep in peace.
    pub(crate) fn proved(&mut self) {
        self.streak = 0;
    }

    /// When the next start may be tried, if that is not now.
    pub(crate) fn held_until(&self, now: Instant) -> Option<Instant> {
        self.again_at.filter(|at| *at > now)
    }

    /// Why the last start failed, until one succeeds.
    pub(crate) fn words(&self) -> Option<&str> {
        self.words.as_deref()
    }
}

fn delay(streak: u32) -> Duration {
    FIRST_DELAY
        .saturating_mul(2_u32.saturating_pow(streak))
        .min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_half_a_minute() {
        let millis: Vec<_> = (0..4).map(|streak| delay(streak).as_millis()).collect();
        assert_eq!(millis, [100, 200, 400, 800]);
        assert_eq!(delay(40), LONGEST_DELAY);
    }

    #[test]
    fn only_an_instance_that_proves_useful_ends_the_streak() {
        let now = Instant::now();
        let mut setback = Setback::default();
        setback.failed("a".into(), now);
        setback.ready();
        assert_eq!((setback.words(), setback.held_until(now)), (None, None));
        setback.failed("b".into(), now);
        assert_eq!(setback.held_until(now), Some(now + FIRST_DELAY * 2));
        setback.ready();
        setback.proved();
        setback.failed("c".into(), now);
        assert_eq!(setback.held_until(now), Some(now + FIRST_DELAY));
        assert_eq!(setback.held_until(now + FIRST_DELAY), None);
    }
}
