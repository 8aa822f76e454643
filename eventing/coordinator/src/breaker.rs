//! When an endpoint is left alone: the breaker's states, without IO and with the clock passed in.
//!
//! | state | takes calls | goes to |
//! |---|---|---|
//! | closed | all | open, after so many failures in a row |
//! | open | none | half-open, by the first call after the pause |
//! | half-open | one, and another when it has given no answer for a pause; the others wait | closed or open, as that one succeeds or fails |
//!
//! A breaker never repeats anything: who is turned away hears that nothing ran and how long the
//! breaker stays open, and the broker's delivery policy decides, durably.

use std::time::{Duration, Instant};

use dormouse_contract::breaker::BreakerPolicy;

mod gate;

pub(crate) use gate::{
    BreakerLayer, Deadline, Gate, Guarded, Verdict, did_not_run, round_up, verdict,
};
pub use gate::{BreakerState, BreakerView};

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// All is well, but for so many failures in a row.
    Closed { failures: u32 },
    /// Calls are turned away until then.
    Open { until: Instant },
    /// One call tries; the next one may from then on.
    HalfOpen { next: Instant },
}

/// What happens to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A call was let through to see whether the endpoint is back.
    Tried,
    /// A call that was let through in this state has ended well.
    Succeeded,
    /// A call that was let through in this state has failed.
    Failed,
    /// Nobody waits any more for a call that was let through in this state.
    GaveUp,
    /// Somebody else knows that the endpoint is back.
    Cleared,
}

/// Whether a call may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may.
    Pass,
    /// It may, to see whether the endpoint is back.
    Try,
    /// It may not.
    Refused(Refusal),
}

/// How a call is kept from an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Another one tries: wait until it has ended, or until then.
    Wait(Instant),
    /// Not for so long.
    Shut(Duration),
}

impl State {
    const CLOSED: Self = Self::Closed { failures: 0 };

    /// Whether a call may go.
    pub(crate) fn admits(self, now: Instant) -> Admission {
        match self {
            Self::Closed { .. } => Admission::Pass,
            Self::Open { until } if now < until => Admission::Refused(Refusal::Shut(until - now)),
            Self::HalfOpen { next } if now < next => Admission::Refused(Refusal::Wait(next)),
            Self::Open { .. } | Self::HalfOpen { .. } => Admission::Try,
        }
    }

    /// The state that follows.
    pub(crate) fn after(self, event: Event, policy: BreakerPolicy, now: Instant) -> Self {
        let later = now + policy.pause;
        match (self, event) {
            (Self::Closed { failures }, Event::Failed) => {
                let failures = failures.saturating_add(1);
                match policy.failures {
                    0 => Self::Closed { failures },
                    limit if failures < limit => Self::Closed { failures },
                    _ => Self::Open { until: later },
                }
            }
            (Self::Closed { .. }, Event::Tried | Event::GaveUp) => self,
            (Self::Open { .. }, Event::Tried) | (Self::HalfOpen { .. }, Event::Tried) => {
                Self::HalfOpen { next: later }
            }
            // Nothing was let through in this state.
            (Self::Open { .. }, Event::Succeeded | Event::Failed | Event::GaveUp) => self,
            (Self::HalfOpen { .. }, Event::Failed) => Self::Open { until: later },
            (Self::HalfOpen { .. }, Event::GaveUp) => Self::HalfOpen { next: now },
            (Self::Closed { .. } | Self::HalfOpen { .. }, Event::Succeeded)
            | (Self::Closed { .. } | Self::Open { .. } | Self::HalfOpen { .. }, Event::Cleared) => {
                Self::CLOSED
            }
        }
    }

    /// Whether both are the same but for their numbers.
    fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// A state, and which of the verdicts that arrive belong to it.
#[derive(Debug, Clone)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    state: State,
    /// Rises whenever the state becomes another: a call that was let through in an earlier one
    /// says nothing about this one.
    era: u64,
}

/// The state in which a call was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Era(u64);

impl Breaker {
    pub(crate) fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy,
            state: State::CLOSED,
            era: 0,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// A call wants to go.
    ///
    /// # Errors
    /// When it may not.
    pub(crate) fn ask(&mut self, now: Instant) -> Result<Era, Refusal> {
        match self.state.admits(now) {
            Admission::Pass => {}
            Admission::Try => {
                self.step(Event::Tried, now);
            }
            Admission::Refused(refusal) => return Err(refusal),
        }
        Ok(Era(self.era))
    }

    /// What became of a call that was let through. `true` when the state is another now.
    pub(crate) fn end(&mut self, era: Era, event: Event, now: Instant) -> bool {
        era.0 == self.era && self.step(event, now)
    }

    /// The endpoint is known to be back. `true` when the state is another now.
    pub(crate) fn clear(&mut self, now: Instant) -> bool {
        self.step(Event::Cleared, now)
    }

    fn step(&mut self, event: Event, now: Instant) -> bool {
        let before = self.state;
        self.state = before.after(event, self.policy, now);
        let changed = !before.is_like(self.state);
        self.era += u64::from(changed);
        changed
    }
}

#[cfg(test)]
mod tests;
