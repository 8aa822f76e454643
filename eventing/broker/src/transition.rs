//! The transition table: the one place that says how a task may change its state.

use crate::task::State;

/// What happens to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A dispatcher takes it.
    Claim,
    /// A function's result arrives, possibly of an earlier attempt of the round.
    Complete,
    /// It ends without a result: not to be repeated, expired, attempts used up.
    Fail,
    /// The attempt is over and another may follow: a safe retry, the lease was lost, or it never
    /// left.
    Retry,
    /// The round ends with open asks.
    Suspend,
    /// The asks are answered: the next round begins.
    Answer,
    /// The caller or an operator wants no more of it.
    Cancel,
}

impl State {
    /// The state after a change; `None` when the table does not allow it.
    #[must_use]
    pub fn after(self, change: Change) -> Option<Self> {
        match (self, change) {
            (Self::Accepted, Change::Claim) => Some(Self::Running),
            (Self::Running, Change::Retry) | (Self::Suspended, Change::Answer) => {
                Some(Self::Accepted)
            }
            (Self::Running, Change::Suspend) => Some(Self::Suspended),
            (Self::Accepted | Self::Running, Change::Complete) => Some(Self::Completed),
            (Self::Accepted | Self::Running | Self::Suspended, Change::Fail) => Some(Self::Failed),
            (Self::Accepted | Self::Running | Self::Suspended, Change::Cancel) => {
                Some(Self::Cancelled)
            }
            (Self::Accepted, Change::Retry | Change::Suspend | Change::Answer)
            | (Self::Running, Change::Claim | Change::Answer)
            | (
                Self::Suspended,
                Change::Claim | Change::Complete | Change::Retry | Change::Suspend,
            )
            | (
                Self::Completed | Self::Failed | Self::Cancelled,
                Change::Claim
                | Change::Complete
                | Change::Fail
                | Change::Retry
                | Change::Suspend
                | Change::Answer
                | Change::Cancel,
            ) => None,
        }
    }

    /// Whether a task in this state has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled => true,
            Self::Accepted | Self::Running | Self::Suspended => false,
        }
    }

    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Accepted => 0,
            Self::Running => 1,
            Self::Suspended => 2,
            Self::Completed => 3,
            Self::Failed => 4,
            Self::Cancelled => 5,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        [
            Self::Accepted,
            Self::Running,
            Self::Suspended,
            Self::Completed,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|state| state.code() == code)
    }

    /// The state's name, as the API shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHANGES: [Change; 7] = [
        Change::Claim,
        Change::Complete,
        Change::Fail,
        Change::Retry,
        Change::Suspend,
        Change::Answer,
        Change::Cancel,
    ];

    proptest! {
        #[test]
        fn a_task_ends_once_and_stays_ended(changes in proptest::collection::vec(
            proptest::sample::select(&CHANGES[..]), 0..60)) {
            let mut state = State::Accepted;
            let mut endings = 0;
            for change in changes {
                if let Some(next) = state.after(change) {
                    prop_assert!(!state.is_final(), "{state:?} changed by {change:?}");
                    endings += u32::from(next.is_final());
                    state = next;
                }
            }
            prop_assert_eq!(endings, u32::from(state.is_final()));
        }

        #[test]
        fn only_a_claim_makes_it_run(state in proptest::sample::select(&[
            State::Accepted, State::Running, State::Suspended][..]),
            change in proptest::sample::select(&CHANGES[..])) {
            if state.after(change) == Some(State::Running) {
                prop_assert_eq!((state, change), (State::Accepted, Change::Claim));
            }
        }

        #[test]
        fn whatever_is_alive_can_be_cancelled(changes in proptest::collection::vec(
            proptest::sample::select(&CHANGES[..]), 0..30)) {
            let state = changes.into_iter().fold(State::Accepted, |state, change| {
                state.after(change).unwrap_or(state)
            });
            prop_assert_eq!(state.after(Change::Cancel).is_some(), !state.is_final());
        }
    }

    #[test]
    fn codes_read_back() {
        for code in 0..6 {
            assert_eq!(State::from_code(code).map(State::code), Some(code));
        }
        assert_eq!(State::from_code(6), None);
    }
}
