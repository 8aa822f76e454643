//! In which order a pool's endpoints are considered for a call: plain numbers in, plain order out.

use std::cmp::Reverse;

use dormouse_contract::balance::{Balance, weight};

/// An endpoint, as far as its place in the order depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// What it is called; sessions find it again by that.
    pub(crate) name: &'a str,
    /// Calls on their way to it.
    pub(crate) in_flight: usize,
}

/// The candidates by preference, as places in the list: a call goes to the first, and to the next
/// one only when it surely did not run at the one before. `turn` rises with each call.
pub(crate) fn order(
    balance: Balance,
    candidates: &[Candidate<'_>],
    affinity: Option<&[u8]>,
    turn: usize,
) -> Vec<usize> {
    let count = candidates.len();
    let mut order: Vec<usize> = (0..count)
        .map(|step| (turn % count.max(1) + step) % count)
        .collect();
    // Stable: among equals they take turns.
    match (balance, affinity) {
        (Balance::RoundRobin, _) | (Balance::SessionAffinity, None) => {}
        (Balance::LeastConnections, _) => {
            order.sort_by_key(|place| candidates[*place].in_flight);
        }
        (Balance::SessionAffinity, Some(key)) => {
            order.sort_by_key(|place| Reverse(weight(key, candidates[*place].name.as_bytes())));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates(names: &[String]) -> Vec<Candidate<'_>> {
        let in_flight = |place: usize| (place * 7) % 3;
        let named = names.iter().enumerate();
        named
            .map(|(place, name)| Candidate {
                name,
                in_flight: in_flight(place),
            })
            .collect()
    }

    #[test]
    fn endpoints_take_turns() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let firsts: Vec<_> = (0..6)
            .map(|turn| order(Balance::RoundRobin, &candidates(&names), None, turn)[0])
            .collect();
        assert_eq!(firsts, [0, 1, 2, 0, 1, 2]);
    }

    proptest! {
        #[test]
        fn everybody_is_considered_once(
            names in proptest::collection::vec("[a-z]{1,8}", 0..8),
            affinity in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
            turn in any::<usize>(),
        ) {
            for balance in [Balance::RoundRobin, Balance::LeastConnections, Balance::SessionAffinity] {
                let mut order = order(balance, &candidates(&names), affinity.as_deref(), turn);
                order.sort_unstable();
                prop_assert_eq!(order, (0..names.len()).collect::<Vec<_>>());
            }
        }

        #[test]
        fn the_least_busy_comes_first(names in proptest::collection::vec("[a-z]{1,8}", 1..8), turn in any::<usize>()) {
            let candidates = candidates(&names);
            let order = order(Balance::LeastConnections, &candidates, None, turn);
            prop_assert!(order.is_sorted_by_key(|place| candidates[*place].in_flight));
        }

        /// An endpoint that goes moves only its own sessions, whatever turn it is.
        #[test]
        fn sessions_stay_where_they_are(
            names in proptest::collection::btree_set("[a-z]{1,8}", 2..8),
            key in proptest::collection::vec(any::<u8>(), 0..20),
            gone in any::<proptest::sample::Index>(),
            turns in any::<[usize; 2]>(),
        ) {
            let names: Vec<_> = names.into_iter().collect();
            let home = |names: &[String], turn| {
                let order = order(Balance::SessionAffinity, &candidates(names), Some(&key), turn);
                names[order[0]].clone()
            };
            let before = home(&names, turns[0]);
            let gone = names[gone.index(names.len())].clone();
            let left: Vec<_> = names.iter().filter(|name| **name != gone).cloned().collect();
            let after = home(&left, turns[1]);
            prop_assert!(after == before || before == gone);
        }
    }
}
